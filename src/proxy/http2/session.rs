use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use tokio::task::AbortHandle;

use super::frames::{Heard, Told};
use crate::config::UpstreamHttp2;
use crate::proxy::answer_head::MAX_HEAD;
use crate::proxy::stream::Stream;

/// An HTTP/2 connection to a server. It is closed when nobody has it any more.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) told: Rc<Told>,
    bounds: UpstreamHttp2,
    opened: Instant,
    /// How many exchanges it carries.
    carried: Cell<usize>,
    idle_since: Cell<Instant>,
    ping: RefCell<Option<PingPong>>,
    /// When the server was asked whether it is there, until it has answered.
    asked: Cell<Option<Instant>>,
    /// The task that drives it.
    driver: AbortHandle,
}

/// An exchange's place on a connection, given back when dropped.
#[derive(Debug)]
pub(in crate::proxy) struct Seat {
    pub(super) session: Rc<Session>,
    /// Whether the connection was there before the exchange: the server may have closed it meanwhile.
    pub(super) was_kept: bool,
}

impl Session {
    /// Opens a connection for HTTP/2.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub(super) async fn open(stream: Stream, bounds: UpstreamHttp2) -> io::Result<Rc<Self>> {
        let told = Told::new();
        let io = Heard::new(stream, &told);
        let opened = builder(&bounds).handshake(io).await;
        let (sender, mut connection) = opened.map_err(io::Error::other)?;
        let ping = connection.ping_pong();
        let driven = Rc::clone(&told);
        let driver = tokio::task::spawn_local(async move {
            // Each exchange learns of it by itself.
            let _ = connection.await;
            driven.has_ended.set(true);
        });
        let now = Instant::now();
        Ok(Rc::new(Self {
            sender,
            told,
            bounds,
            opened: now,
            carried: Cell::new(0),
            idle_since: Cell::new(now),
            ping: RefCell::new(ping),
            asked: Cell::new(None),
            driver: driver.abort_handle(),
        }))
    }

    /// A place on it, where there is one left and it was opened after `since`.
    pub(super) fn seat(self: &Rc<Self>, since: Option<Instant>, was_kept: bool) -> Option<Seat> {
        let is_old = since.is_some_and(|since| self.opened <= since);
        if is_old || self.told.is_closing() || self.carried.get() >= self.room() {
            return None;
        }
        self.carried.set(self.carried.get() + 1);
        Some(Seat {
            session: Rc::clone(self),
            was_kept,
        })
    }

    /// Whether it goes on: neither closed, nor without exchanges for `keep_alive`, nor with a server that
    /// does not answer when it is asked whether it is there.
    pub(super) fn goes_on(&self, keep_alive: Duration) -> bool {
        if self.told.is_closing() {
            return false;
        }
        if self.carried.get() == 0 {
            // One that takes no streams is of no use, and others are opened in its place.
            return self.room() > 0 && self.idle_since.get().elapsed() < keep_alive;
        }
        self.is_there()
    }

    /// How many exchanges it may carry: what the server takes, once it has said so. h2 keeps all but one
    /// back until then, so that none is refused.
    fn room(&self) -> usize {
        let most = self.bounds.max_streams;
        if self.told.has_begun.get() {
            most.min(self.sender.current_max_send_streams())
        } else {
            most
        }
    }

    /// Asks a quiet server whether it is there; no longer so when it has not answered in time.
    fn is_there(&self) -> bool {
        let mut ping = self.ping.borrow_mut();
        let Some(ping) = &mut *ping else {
            return true;
        };
        let heard = self.told.at.get();
        let Some(asked) = self.asked.get() else {
            if heard.elapsed() >= self.bounds.ping_interval
                && ping.send_ping(Ping::opaque()).is_ok()
            {
                self.asked.set(Some(Instant::now()));
            }
            return true;
        };
        // Nobody is woken for it: this is asked every second.
        let mut quiet = Context::from_waker(Waker::noop());
        if ping.poll_pong(&mut quiet).is_ready() {
            self.asked.set(None);
            return true;
        }
        let is_late = heard < asked && asked.elapsed() >= self.bounds.ping_timeout;
        if is_late {
            self.told.has_ended.set(true);
            self.driver.abort();
        }
        !is_late
    }
}

impl Seat {
    /// When its connection was opened.
    pub(super) fn opened(&self) -> Instant {
        self.session.opened
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let carried = &self.session.carried;
        carried.set(carried.get().saturating_sub(1));
        if carried.get() == 0 {
            self.session.idle_since.set(Instant::now());
        }
    }
}

/// HTTP/2 with every bound set.
pub(super) fn builder(bounds: &UpstreamHttp2) -> Builder {
    let streams = u32::try_from(bounds.max_streams).unwrap_or(u32::MAX);
    // Room for every answer at once: one that its client does not take holds up no other.
    let window = bounds.stream_window.saturating_mul(streams).min(MAX_WINDOW);
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(1)
        .initial_window_size(bounds.stream_window)
        .initial_connection_window_size(window)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// RFC 9113 §6.9.1.
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// Bytes of a request's body that may wait in a connection.
const SEND_BUFFER: usize = 64 * 1024;
