use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::crowd::Member;
use crate::proxy::{Exchange, Pace};
use crate::revocation::{Watch, Watched};

/// What the layers of one connection tell each other.
///
/// The socket must know which exchanges its bytes belong to, and whoever serves what takes too long.
#[derive(Debug)]
pub(super) struct Line {
    /// Whose bytes may still wait above the socket.
    guards: RefCell<Vec<Rc<Exchange>>>,
    /// Reading takes too long.
    reading: Watched,
    /// Writing takes too long.
    writing: Watched,
    is_read_late: Cell<bool>,
    is_write_late: Cell<bool>,
    /// How long the client may take nothing.
    write_timeout: Duration,
    /// How it keeps up with taking.
    pace: Cell<Pace>,
    /// Whether it must end with a reset, so that the client sees that something is missing.
    pub(super) must_reset: Cell<bool>,
    /// Counts the connection as one of its address, as long as it is served.
    _member: Option<Member>,
}

impl Line {
    pub(super) fn new(
        watch: &Rc<Watch>,
        (write_timeout, pace): (Duration, Pace),
        member: Option<Member>,
    ) -> Rc<Self> {
        Rc::new(Self {
            guards: RefCell::default(),
            reading: watch.over(None),
            writing: watch.over(None),
            is_read_late: Cell::new(false),
            is_write_late: Cell::new(false),
            write_timeout,
            pace: Cell::new(pace),
            must_reset: Cell::new(false),
            _member: member,
        })
    }

    /// From now on bytes of `exchange` may wait above the socket.
    pub(super) fn guard(&self, exchange: &Rc<Exchange>) {
        self.guards.borrow_mut().push(Rc::clone(exchange));
    }

    /// From now on only single waits are bounded: a WebSocket's messages may be few and far between.
    pub(super) fn forget_pace(&self) {
        self.pace.set(Pace::FREE);
    }

    /// Whether bytes that wait above the socket may belong to an exchange that was cut.
    pub(super) fn is_cut(&self) -> bool {
        self.guards
            .borrow()
            .iter()
            .any(|exchange| exchange.is_cut())
    }

    /// Everything above the socket has been written.
    pub(super) fn flushed(&self) {
        self.write_moved(0);
        let mut guards = self.guards.borrow_mut();
        guards.retain(|exchange| !exchange.is_over());
    }

    /// The client takes nothing: ready once that has lasted too long, or its exchange was cut.
    pub(super) fn poll_write_late(&self, cx: &Context<'_>) -> Poll<()> {
        for exchange in self.guards.borrow().iter() {
            // Registers the task; a cut is seen by `is_cut` when it is woken.
            let _ = exchange.watched.poll_alarm(cx);
        }
        if !self.is_write_late.replace(true) {
            let mut pace = self.pace.get();
            let patience = self.write_timeout.min(pace.wait(Instant::now()));
            self.pace.set(pace);
            self.writing.set_deadline(patience);
        }
        self.writing.poll_alarm(cx).map(drop)
    }

    /// The client took so many bytes.
    pub(super) fn write_moved(&self, bytes: usize) {
        let mut pace = self.pace.get();
        if self.is_write_late.replace(false) {
            self.writing.clear_deadline();
            pace.go_on(Instant::now);
        }
        pace.moved(bytes);
        self.pace.set(pace);
    }

    /// Nothing comes from the client: ready once that has lasted for `patience` since the first call.
    pub(super) fn poll_read_late(&self, cx: &Context<'_>, patience: Duration) -> Poll<()> {
        if !self.is_read_late.replace(true) {
            self.reading.set_deadline(patience);
        }
        self.reading.poll_alarm(cx).map(drop)
    }

    /// Waits for what has no deadline of the connection's own.
    pub(super) fn read_idle(&self, cx: &Context<'_>) {
        self.read_moved();
        // Registers the task, so that it can be told to drain.
        let _ = self.reading.poll_alarm(cx);
    }

    /// Something came from the client, or something else is waited for.
    pub(super) fn read_moved(&self) {
        if self.is_read_late.replace(false) {
            self.reading.clear_deadline();
        }
    }
}
