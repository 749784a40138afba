use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::stream::Stream;
use super::upstreams::Place;
use super::websocket::{CLOSE_1008, Frames};
use super::{Exchange, Waiting};

/// A WebSocket between a client and an upstream, after both agreed to it.
///
/// Bytes pass both ways unchanged; it follows the upstream's frames only to know where a cut may
/// say goodbye. A quiet one keeps no buffer.
#[derive(Debug)]
pub struct Tunnel {
    upstream: Stream,
    up: Pipe,
    down: Pipe,
    /// The upstream's frames as far as they were given to the client.
    frames: Frames,
    /// Whether the client's side has taken everything it was given.
    is_flushed: bool,
    exchange: Rc<Exchange>,
    patience: Duration,
    _place: Place,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelEnd {
    /// Both sides were done.
    Closed,
    /// One side broke off.
    Broken,
}

/// One direction: bytes that were read and not yet written.
#[derive(Debug, Default)]
struct Pipe {
    waiting: Bytes,
    is_read_done: bool,
    is_write_done: bool,
}

const READ_BYTES: usize = 8 * 1024;
/// How long a client may take for the Close frame of a cut.
const GOODBYE: Duration = Duration::from_secs(1);

impl Tunnel {
    /// `early` came from the upstream behind its head; `patience` is how long either side may take
    /// nothing while there is something for it.
    pub(super) fn new(
        upstream: Stream,
        early: Bytes,
        exchange: Rc<Exchange>,
        patience: Duration,
        place: Place,
    ) -> Self {
        Self {
            upstream,
            up: Pipe::default(),
            down: Pipe {
                waiting: early,
                ..Pipe::default()
            },
            frames: Frames::default(),
            is_flushed: true,
            exchange,
            patience,
            _place: place,
        }
    }

    /// The exchange it is part of.
    #[must_use]
    pub const fn exchange(&self) -> &Rc<Exchange> {
        &self.exchange
    }

    /// Passes bytes both ways until both sides are done. Cancel safe: it goes on where it was.
    pub fn poll_relay<Client>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
    ) -> Poll<TunnelEnd>
    where
        Client: AsyncRead + AsyncWrite + Unpin,
    {
        let before = self.moved();
        let up = self.poll_up(cx, client);
        let down = self.poll_down(cx, client);
        if self.moved() != before {
            self.exchange.go_on();
        }
        let is_stuck = !self.up.waiting.is_empty() || !self.down.waiting.is_empty();
        // A side that has said goodbye waits for the other's, which has a bound too.
        let is_half = self.up.is_read_done != self.down.is_read_done;
        if is_stuck || is_half || !self.is_flushed {
            self.exchange.still_wait_for(Waiting::Client, self.patience);
        } else {
            self.exchange.go_on();
        }
        match (up, down) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(TunnelEnd::Broken),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(TunnelEnd::Closed),
            _ => Poll::Pending,
        }
    }

    /// Says goodbye with a Close frame where a frame has ended and everything was taken; answers
    /// whether it did. Otherwise the connection must be reset.
    pub async fn say_goodbye<Client>(&mut self, client: &mut Client) -> bool
    where
        Client: AsyncWrite + Unpin,
    {
        if !self.is_flushed || !self.frames.is_between() {
            return false;
        }
        let goodbye = async {
            client.write_all(&CLOSE_1008).await?;
            client.shutdown().await
        };
        matches!(tokio::time::timeout(GOODBYE, goodbye).await, Ok(Ok(())))
    }

    /// Bytes passed so far, both ways.
    fn moved(&self) -> (u64, u64) {
        (
            self.exchange.received_bytes.get(),
            self.exchange.sent_bytes.get(),
        )
    }

    fn poll_up<Client>(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Poll<io::Result<()>>
    where
        Client: AsyncRead + Unpin,
    {
        let received = &self.exchange.received_bytes;
        loop {
            while !self.up.waiting.is_empty() {
                let written = self.up.poll_write(cx, &mut self.upstream);
                let written = ready!(written)?;
                received.set(received.get().saturating_add(count(written)));
            }
            if !self.up.is_read_done {
                ready!(self.up.poll_read(cx, client))?;
            } else {
                return self.up.poll_end(cx, &mut self.upstream);
            }
        }
    }

    fn poll_down<Client>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
    ) -> Poll<io::Result<()>>
    where
        Client: AsyncWrite + Unpin,
    {
        let sent = &self.exchange.sent_bytes;
        loop {
            while !self.down.waiting.is_empty() {
                let before = self.down.waiting.clone();
                let written = ready!(self.down.poll_write(cx, client))?;
                self.frames
                    .follow(before.get(..written).unwrap_or_default());
                self.is_flushed = false;
                sent.set(sent.get().saturating_add(count(written)));
            }
            if !self.is_flushed {
                ready!(Pin::new(&mut *client).poll_flush(cx))?;
                self.is_flushed = true;
            }
            if !self.down.is_read_done {
                ready!(self.down.poll_read(cx, &mut self.upstream))?;
            } else {
                return self.down.poll_end(cx, client);
            }
        }
    }
}

impl Pipe {
    fn poll_read<From>(&mut self, cx: &mut Context<'_>, from: &mut From) -> Poll<io::Result<()>>
    where
        From: AsyncRead + Unpin,
    {
        let mut space = [0; READ_BYTES];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(from).poll_read(cx, &mut read))?;
        self.is_read_done = read.filled().is_empty();
        self.waiting = Bytes::copy_from_slice(read.filled());
        Poll::Ready(Ok(()))
    }

    fn poll_write<To>(&mut self, cx: &mut Context<'_>, to: &mut To) -> Poll<io::Result<usize>>
    where
        To: AsyncWrite + Unpin,
    {
        let written = ready!(Pin::new(to).poll_write(cx, &self.waiting))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let _ = self.waiting.split_to(written.min(self.waiting.len()));
        Poll::Ready(Ok(written))
    }

    fn poll_end<To>(&mut self, cx: &mut Context<'_>, to: &mut To) -> Poll<io::Result<()>>
    where
        To: AsyncWrite + Unpin,
    {
        if !self.is_write_done {
            ready!(Pin::new(to).poll_shutdown(cx))?;
            self.is_write_done = true;
        }
        Poll::Ready(Ok(()))
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
