use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::revocation::{Admission, Alarm, Watch, Watched};

/// One request and its answer in flight: what may cut it, and what is told of it when it ends.
#[derive(Debug)]
pub struct Exchange {
    /// Its slot in the worker's watch.
    pub watched: Watched,
    /// Bytes of the request's body so far.
    pub received_bytes: Cell<u64>,
    /// Bytes of the answer's body so far.
    pub sent_bytes: Cell<u64>,
    /// When the upstream's head came.
    pub answered_at: Cell<Option<Instant>>,
    /// Which server it went to, by its index in its upstream.
    pub server: Cell<Option<usize>>,
    waiting: Cell<Waiting>,
    is_parting: Cell<bool>,
    is_over: Cell<bool>,
}

/// Whom an exchange waits for, which is whose fault it is when its deadline passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Nobody that has a deadline.
    Nobody,
    /// The client, for more of its request.
    Request,
    /// The upstream, for the head of its answer.
    Head,
    /// The upstream, for more of its answer.
    Answer,
    /// The client, to take more of the answer.
    Client,
}

impl Exchange {
    /// An exchange that rests on `admission`, or on none.
    #[must_use]
    pub fn new(watch: &Rc<Watch>, admission: Option<Arc<Admission>>) -> Rc<Self> {
        Rc::new(Self {
            watched: watch.over(admission),
            received_bytes: Cell::new(0),
            sent_bytes: Cell::new(0),
            answered_at: Cell::new(None),
            server: Cell::new(None),
            waiting: Cell::new(Waiting::Nobody),
            is_parting: Cell::new(false),
            is_over: Cell::new(false),
        })
    }

    /// Whether nothing more of it may be given to the client.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        !self.is_parting.get()
            && matches!(
                self.watched.alarm(),
                Some(Alarm::Ended(_) | Alarm::Expired | Alarm::Unverified)
            )
    }

    /// It was cut, and all that is still to come is the goodbye.
    pub fn part(&self) {
        self.is_parting.set(true);
    }

    /// Nothing more of it will come.
    pub fn end(&self) {
        self.is_over.set(true);
    }

    /// Whether everything of it has come.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Whom it waits for.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.waiting.get()
    }

    /// It waits for `whom` from now on, and `span` at the most.
    pub fn wait_for(&self, whom: Waiting, span: Duration) {
        self.waiting.set(whom);
        self.watched.set_deadline(span);
    }

    /// As [`Self::wait_for`], unless it waits for them already: their time runs on.
    pub fn still_wait_for(&self, whom: Waiting, span: Duration) {
        if self.waiting.get() != whom {
            self.wait_for(whom, span);
        }
    }

    /// What it waited for has come.
    pub fn go_on(&self) {
        if self.waiting.replace(Waiting::Nobody) != Waiting::Nobody {
            self.watched.clear_deadline();
        }
    }
}
