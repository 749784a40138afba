use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::session::{Seat, Session};
use crate::config::{Protocol, UpstreamHttp2};
use crate::proxy::stream::{Offer, Stream};
use crate::proxy::upstreams::Target;

/// A worker's HTTP/2 connections to one server. Requests share as few as they can.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Sessions {
    open: RefCell<Vec<Rc<Session>>>,
    /// Whether one is being opened: the requests that come meanwhile wait for it.
    is_opening: Cell<bool>,
    opened: Notify,
    /// Whether the server chose HTTP/1.1 when it was last asked.
    chose_http1: Cell<bool>,
}

/// What came of connecting to a server.
pub(in crate::proxy) enum Opened {
    /// It speaks HTTP/2. Whether the connection is a new one.
    Http2(Seat, bool),
    /// It has chosen HTTP/1.1.
    Http1(Stream),
}

/// The one who opens a connection, until it is open or has failed.
struct Opening<'a>(&'a Sessions);

impl Sessions {
    /// A place on a connection that is open.
    pub(in crate::proxy) fn take(&self) -> Option<Seat> {
        self.find(None, true)
    }

    /// A place on a connection that was opened after `since`, or on a new one. Whoever calls sets the
    /// deadline.
    ///
    /// # Errors
    ///
    /// As the system says, or when the server is not who it should be or speaks another protocol.
    pub(in crate::proxy) async fn open(
        &self,
        target: &Target,
        protocol: Protocol,
        bounds: UpstreamHttp2,
        since: Option<Instant>,
    ) -> io::Result<Opened> {
        while !self.chose_http1.get() {
            if let Some(seat) = self.find(since, false) {
                return Ok(Opened::Http2(seat, false));
            }
            if !self.is_opening.get() {
                break;
            }
            // One that fails is tried again by the next of those who wait.
            self.opened.notified().await;
        }
        let _opening = Opening::begin(self);
        let stream = Stream::connect(target, Offer::of(protocol)).await?;
        let is_http2 = stream.has_chosen_http2(protocol)?;
        self.chose_http1.set(!is_http2);
        if !is_http2 {
            return Ok(Opened::Http1(stream));
        }
        let session = Session::open(stream, bounds).await?;
        let seat = session
            .seat(None, false)
            .ok_or(io::ErrorKind::ConnectionAborted)?;
        self.open.borrow_mut().push(session);
        Ok(Opened::Http2(seat, true))
    }

    /// Lets go of those that have ended, and of those without exchanges for `keep_alive`. What is still
    /// carried goes on to its end.
    pub(in crate::proxy) fn sweep(&self, keep_alive: Duration) {
        let mut open = self.open.borrow_mut();
        open.retain(|session| session.goes_on(keep_alive));
    }

    /// Lets go of all.
    pub(in crate::proxy) fn close(&self) {
        self.open.borrow_mut().clear();
    }

    /// The first has most of the load, so that those behind it can become idle.
    fn find(&self, since: Option<Instant>, was_kept: bool) -> Option<Seat> {
        let open = self.open.borrow();
        open.iter()
            .find_map(|session| session.seat(since, was_kept))
    }
}

impl<'a> Opening<'a> {
    fn begin(sessions: &'a Sessions) -> Self {
        sessions.is_opening.set(true);
        Self(sessions)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.is_opening.set(false);
        self.0.opened.notify_waiters();
    }
}
