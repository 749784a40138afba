use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::message::list_size;
use crate::proxy::Misfit;

/// A connection beneath h2 that tells what h2 keeps to itself: when the server was last heard, up to which
/// stream it has acted when it says goodbye, and how large a head it takes.
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
    /// The largest head that it takes, where it has said so.
    max_head: Cell<Option<u32>>,
    /// Whether the connection is at its end.
    pub(super) has_ended: Cell<bool>,
}

/// Follows the frames that come (RFC 9113 §4.1).
#[derive(Debug, Default)]
struct Frames {
    /// A frame's header, and behind it what is read of its payload.
    bytes: [u8; HEADER_LENGTH + SETTING_LENGTH],
    seen: usize,
    payload_left: usize,
}

/// What is heard in the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Goodbye; the last stream that the server may have acted on.
    Goodbye(u32),
    /// The largest head that it takes.
    MaxHead(u32),
}

const HEADER_LENGTH: usize = 9;
const SETTINGS: u8 = 4;
const SETTING_LENGTH: usize = 6;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const GOAWAY: u8 = 7;
/// Of a goodbye the last stream is read.
const LAST_STREAM_LENGTH: usize = 4;

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
            max_head: Cell::new(None),
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

    /// The request, unless its head is larger than the server takes: some end the whole connection over one.
    ///
    /// # Errors
    ///
    /// [`Misfit::TooLarge`]
    pub(super) fn check_size(&self, request: Request<()>) -> Result<Request<()>, Misfit> {
        let Some(max) = self.max_head.get() else {
            return Ok(request);
        };
        let bytes = list_size(&request);
        if bytes > u64::from(max) {
            return Err(Misfit::TooLarge { bytes, max });
        }
        Ok(request)
    }

    fn hear(&self, word: Word) {
        match word {
            Word::Goodbye(last) => self.goodbye(last),
            Word::MaxHead(max) => self.max_head.set(Some(max)),
        }
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
    /// Follows the next bytes; `hear` is told what is said in them.
    fn follow(&mut self, mut bytes: &[u8], hear: impl Fn(Word)) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.seen < self.length_read() {
                self.take(byte);
                bytes = rest;
                if self.seen > HEADER_LENGTH
                    && self.seen == self.length_read()
                    && let Some(word) = self.end_of_word()
                {
                    hear(word);
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

    /// How far the frame is read byte by byte; the rest of it is passed over.
    const fn length_read(&self) -> usize {
        let [_, _, _, kind, ..] = self.bytes;
        match kind {
            _ if self.seen < HEADER_LENGTH => HEADER_LENGTH,
            GOAWAY => HEADER_LENGTH + LAST_STREAM_LENGTH,
            SETTINGS => HEADER_LENGTH + SETTING_LENGTH,
            _ => HEADER_LENGTH,
        }
    }

    fn take(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.seen) {
            *slot = byte;
        }
        self.seen += 1;
        if self.seen > HEADER_LENGTH {
            self.payload_left = self.payload_left.saturating_sub(1);
        } else if self.seen == HEADER_LENGTH {
            let [a, b, c, ..] = self.bytes;
            let length = u32::from_be_bytes([0, a, b, c]);
            self.payload_left = usize::try_from(length).unwrap_or(usize::MAX);
        }
    }

    /// What was read behind the header is whole: what it says. Of settings more may follow.
    fn end_of_word(&mut self) -> Option<Word> {
        let [_, _, _, kind, _, _, _, _, _, payload @ ..] = self.bytes;
        let [a, b, c, d, e, f] = payload;
        if kind == GOAWAY {
            // The first bit says nothing.
            return Some(Word::Goodbye(
                u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
            ));
        }
        self.seen = HEADER_LENGTH;
        let is_max_head = u16::from_be_bytes([a, b]) == MAX_HEADER_LIST_SIZE;
        is_max_head.then(|| Word::MaxHead(u32::from_be_bytes([c, d, e, f])))
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
            this.frames.follow(came, |word| this.told.hear(word));
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

    fn words(bytes: &[u8], step: usize) -> Vec<Word> {
        let told = RefCell::new(Vec::new());
        let mut frames = Frames::default();
        for chunk in bytes.chunks(step) {
            frames.follow(chunk, |word| told.borrow_mut().push(word));
        }
        told.into_inner()
    }

    /// What a reader hears that has the whole frame before it.
    fn words_of(kind: u8, payload: &[u8]) -> Vec<Word> {
        match kind {
            GOAWAY => payload
                .first_chunk()
                .map(|last| Word::Goodbye(u32::from_be_bytes(*last) & 0x7fff_ffff))
                .into_iter()
                .collect(),
            SETTINGS => payload
                .chunks_exact(6)
                .filter(|setting| setting[..2] == [0, 6])
                .map(|setting| Word::MaxHead(u32::from_be_bytes(setting[2..].try_into().unwrap())))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn settings() -> impl Strategy<Value = Vec<u8>> {
        let setting =
            (0_u8..9, any::<[u8; 4]>()).prop_map(|(name, value)| [&[0, name][..], &value].concat());
        prop::collection::vec(setting, 0..5).prop_map(|settings| settings.concat())
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![settings(), prop::collection::vec(any::<u8>(), 0..40)]
    }

    proptest! {
        #[test]
        fn what_a_server_says_is_heard_and_nothing_else_is_taken_for_it(
            frames in prop::collection::vec((0_u8..12, payload()), 0..8),
            step in 1_usize..60,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (kind, payload) in frames {
                bytes.extend(frame(kind, &payload));
                expected.extend(words_of(kind, &payload));
            }
            prop_assert_eq!(words(&bytes, step), expected);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, step in 1_usize..9) {
            words(&bytes, step);
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
