use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection beneath h2 that tells what h2 keeps to itself: when the server was last heard, and up to
/// which stream it has acted when it says goodbye.
#[derive(Debug)]
pub(super) struct Heard<Io> {
    io: Io,
    told: Rc<Told>,
    frames: Frames,
}

/// What a server has told beneath its answers.
#[derive(Debug)]
pub(super) struct Told {
    /// When something last came.
    pub(super) at: Cell<Instant>,
    /// Whether its settings came, which are first.
    pub(super) has_begun: Cell<bool>,
    /// The last stream that it may have acted on, once it has said goodbye.
    pub(super) last_stream: Cell<Option<u32>>,
    /// Whether the connection is at its end.
    pub(super) has_ended: Cell<bool>,
}

/// Follows the frames that come (RFC 9113 §4.1).
#[derive(Debug, Default)]
struct Frames {
    /// A frame's header, and of a goodbye what it names.
    header: [u8; GOAWAY_LENGTH],
    seen: usize,
    payload_left: usize,
}

const HEADER_LENGTH: usize = 9;
const GOAWAY: u8 = 7;
const GOAWAY_LENGTH: usize = HEADER_LENGTH + 4;

impl<Io> Heard<Io> {
    pub(super) fn new(io: Io, told: &Rc<Told>) -> Self {
        Self {
            io,
            told: Rc::clone(told),
            frames: Frames::default(),
        }
    }
}

impl Told {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            at: Cell::new(Instant::now()),
            has_begun: Cell::new(false),
            last_stream: Cell::new(None),
            has_ended: Cell::new(false),
        })
    }

    /// Whether it takes no more requests.
    pub(super) const fn is_closing(&self) -> bool {
        self.has_ended.get() || self.last_stream.get().is_some()
    }

    /// Whether the server has said that it did not act on this stream.
    pub(super) fn is_beyond(&self, stream: u32) -> bool {
        self.last_stream.get().is_some_and(|last| stream > last)
    }

    fn goodbye(&self, last: u32) {
        let least = self
            .last_stream
            .get()
            .map_or(last, |before| before.min(last));
        self.last_stream.set(Some(least));
    }
}

impl Frames {
    /// Follows the next bytes; `goodbye` is told the last stream of each goodbye.
    fn follow(&mut self, mut bytes: &[u8], goodbye: impl Fn(u32)) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.seen < HEADER_LENGTH || self.is_naming() {
                self.take(byte);
                bytes = rest;
                if self.seen == GOAWAY_LENGTH {
                    goodbye(self.last_stream());
                    self.seen += 1;
                }
            } else {
                let step = bytes.len().min(self.payload_left);
                self.payload_left -= step;
                bytes = bytes.get(step..).unwrap_or_default();
            }
            if self.seen >= HEADER_LENGTH && self.payload_left == 0 {
                self.seen = 0;
            }
        }
    }

    /// Whether the next byte is one of a goodbye's last stream.
    const fn is_naming(&self) -> bool {
        let [_, _, _, kind, ..] = self.header;
        kind == GOAWAY && self.seen < GOAWAY_LENGTH
    }

    fn take(&mut self, byte: u8) {
        if let Some(slot) = self.header.get_mut(self.seen) {
            *slot = byte;
        }
        self.seen += 1;
        if self.seen > HEADER_LENGTH {
            self.payload_left = self.payload_left.saturating_sub(1);
        } else if self.seen == HEADER_LENGTH {
            let [a, b, c, ..] = self.header;
            let length = u32::from_be_bytes([0, a, b, c]);
            self.payload_left = usize::try_from(length).unwrap_or(usize::MAX);
        }
    }

    const fn last_stream(&self) -> u32 {
        let [.., a, b, c, d] = self.header;
        // The first bit says nothing.
        u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Heard<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        if !came.is_empty() {
            this.told.at.set(Instant::now());
            this.told.has_begun.set(true);
            this.frames.follow(came, |last| this.told.goodbye(last));
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Heard<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 0]);
        frame.extend(payload);
        frame
    }

    fn goodbyes(bytes: &[u8], step: usize) -> Vec<u32> {
        let told = RefCell::new(Vec::new());
        let mut frames = Frames::default();
        for chunk in bytes.chunks(step) {
            frames.follow(chunk, |last| told.borrow_mut().push(last));
        }
        told.into_inner()
    }

    proptest! {
        #[test]
        fn every_goodbye_is_heard_and_nothing_else_is_taken_for_one(
            frames in prop::collection::vec((0_u8..12, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
            step in 1_usize..60,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (kind, payload) in frames {
                bytes.extend(frame(kind, &payload));
                if let (GOAWAY, Some(last)) = (kind, payload.first_chunk()) {
                    expected.push(u32::from_be_bytes(*last) & 0x7fff_ffff);
                }
            }
            prop_assert_eq!(goodbyes(&bytes, step), expected);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, step in 1_usize..9) {
            goodbyes(&bytes, step);
        }
    }

    #[test]
    fn the_least_that_a_server_names_counts() {
        let told = Told::new();
        told.goodbye(u32::MAX >> 1);
        assert!(told.is_closing() && !told.is_beyond(7));
        told.goodbye(5);
        told.goodbye(9);
        assert!(told.is_beyond(7) && !told.is_beyond(5));
    }
}
