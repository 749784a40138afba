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
use super::{Exchange, Pace, Waiting};

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
    exchange: Rc<Exchange>,
    patience: Duration,
    _place: Place,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelEnd {
    /// Both sides were done.
    Closed,
    /// The client broke off.
    ByClient,
    /// The upstream broke off.
    ByUpstream,
}

/// Which end of a direction broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    From,
    To,
}

/// One direction: bytes that were read and not yet written.
#[derive(Debug, Default)]
struct Pipe {
    waiting: Bytes,
    /// TLS takes more than its connection does, and gives the rest only when it is asked to.
    owes_flush: bool,
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
        // It is bounded by how long one wait takes: what moves over it in bursts, or seldom, goes on.
        exchange.set_pace(Pace::FREE);
        Self {
            upstream,
            up: Pipe::default(),
            down: Pipe {
                waiting: early,
                ..Pipe::default()
            },
            frames: Frames::default(),
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
        let is_held_back = self.up.owes_flush || self.down.owes_flush;
        if is_stuck || is_half || is_held_back {
            self.exchange.still_wait_for(self.laggard(), self.patience);
        } else {
            self.exchange.go_on();
        }
        match (up, down) {
            (Poll::Ready(Err(Broken::From)), _) | (_, Poll::Ready(Err(Broken::To))) => {
                Poll::Ready(TunnelEnd::ByClient)
            }
            (Poll::Ready(Err(Broken::To)), _) | (_, Poll::Ready(Err(Broken::From))) => {
                Poll::Ready(TunnelEnd::ByUpstream)
            }
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
        if self.down.owes_flush || !self.frames.is_between() {
            return false;
        }
        let goodbye = async {
            client.write_all(&CLOSE_1008).await?;
            client.shutdown().await
        };
        matches!(tokio::time::timeout(GOODBYE, goodbye).await, Ok(Ok(())))
    }

    /// Whose turn it is, where something waits.
    fn laggard(&self) -> Waiting {
        let is_upstreams = !self.up.waiting.is_empty()
            || self.up.owes_flush
            || (self.up.is_read_done && !self.down.is_read_done);
        let is_clients = !self.down.waiting.is_empty() || self.down.owes_flush;
        if is_upstreams && !is_clients {
            Waiting::Answer
        } else {
            Waiting::Client
        }
    }

    /// Bytes passed so far, both ways.
    fn moved(&self) -> (u64, u64) {
        (
            self.exchange.received_bytes.get(),
            self.exchange.sent_bytes.get(),
        )
    }

    fn poll_up<Client>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
    ) -> Poll<Result<(), Broken>>
    where
        Client: AsyncRead + Unpin,
    {
        let received = &self.exchange.received_bytes;
        let passed = |bytes: &[u8]| received.set(received.get().saturating_add(count(bytes)));
        self.up.poll_pass(cx, client, &mut self.upstream, passed)
    }

    fn poll_down<Client>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
    ) -> Poll<Result<(), Broken>>
    where
        Client: AsyncWrite + Unpin,
    {
        let (sent, frames) = (&self.exchange.sent_bytes, &mut self.frames);
        let passed = |bytes: &[u8]| {
            frames.follow(bytes);
            sent.set(sent.get().saturating_add(count(bytes)));
        };
        self.down.poll_pass(cx, &mut self.upstream, client, passed)
    }
}

impl Pipe {
    /// Passes bytes on until there are none for now; ready when `from` is done and `to` knows it.
    fn poll_pass<From, To>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut From,
        to: &mut To,
        mut passed: impl FnMut(&[u8]),
    ) -> Poll<Result<(), Broken>>
    where
        From: AsyncRead + Unpin,
        To: AsyncWrite + Unpin,
    {
        loop {
            while !self.waiting.is_empty() {
                let written = ready!(self.poll_write(cx, to));
                passed(&written.map_err(|_| Broken::To)?);
            }
            if self.owes_flush {
                ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(|_| Broken::To)?;
                self.owes_flush = false;
            }
            if self.is_read_done {
                return self.poll_end(cx, to).map_err(|_| Broken::To);
            }
            ready!(self.poll_read(cx, from)).map_err(|_| Broken::From)?;
        }
    }

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

    /// What was taken.
    fn poll_write<To>(&mut self, cx: &mut Context<'_>, to: &mut To) -> Poll<io::Result<Bytes>>
    where
        To: AsyncWrite + Unpin,
    {
        let written = ready!(Pin::new(to).poll_write(cx, &self.waiting))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.owes_flush = true;
        let taken = self.waiting.split_to(written.min(self.waiting.len()));
        Poll::Ready(Ok(taken))
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

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes everything as TLS does, and gives it on only when it is asked to and has room.
    #[derive(Default)]
    struct Holding {
        held: Vec<u8>,
        given: Vec<u8>,
        has_room: bool,
    }

    impl AsyncWrite for Holding {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.held.extend(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if !self.has_room {
                return Poll::Pending;
            }
            let held = std::mem::take(&mut self.held);
            self.given.extend(held);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_was_taken_is_given_on_when_there_is_room_although_nothing_follows() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut client, mut from) = tokio::io::duplex(1024);
        let (mut pipe, mut to) = (Pipe::default(), Holding::default());
        client.write_all(b"the last frame").await.unwrap();

        assert!(
            pipe.poll_pass(&mut cx, &mut from, &mut to, |_| {})
                .is_pending()
        );
        assert!(to.given.is_empty() && pipe.owes_flush);
        to.has_room = true;
        assert!(
            pipe.poll_pass(&mut cx, &mut from, &mut to, |_| {})
                .is_pending()
        );

        assert_eq!(to.given, b"the last frame");
        assert!(!pipe.owes_flush);
    }
}
