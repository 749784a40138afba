use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Pace;
use super::upstreams::{Failure, Member};
use crate::config::RouteDeadlines;
use crate::revocation::{Admission, Alarm, Watch, Watched};

/// One request and its answer in flight: what may cut it, and what is told of it when it ends.
#[derive(Debug)]
pub struct Exchange {
    /// Its slot in the worker's watch.
    pub watched: Watched,
    /// Bytes of the request's body so far.
    pub received_bytes: Cell<u64>,
    /// The most bytes that the request's body may have.
    pub max_received: Cell<Option<u64>>,
    /// Bytes of the answer's body so far.
    pub sent_bytes: Cell<u64>,
    /// When the upstream's head came.
    pub answered_at: Cell<Option<Instant>>,
    /// What its route says of deadlines.
    pub deadlines: Cell<RouteDeadlines>,
    /// Which server it went to last.
    server: RefCell<Option<Rc<Member>>>,
    /// When it must be over, whoever moves.
    end: Cell<Option<Instant>>,
    /// Whether the client has set that end.
    is_clients_end: Cell<bool>,
    waiting: Cell<Waiting>,
    /// Whether the client was asked for more of its request, and has not sent it yet.
    is_client_asked: Cell<bool>,
    /// How the client keeps up.
    pace: Cell<Pace>,
    /// Whether it is a call by gRPC: its messages may be few and far between.
    is_call: Cell<bool>,
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
            max_received: Cell::new(None),
            sent_bytes: Cell::new(0),
            answered_at: Cell::new(None),
            deadlines: Cell::default(),
            server: RefCell::default(),
            end: Cell::new(None),
            is_clients_end: Cell::new(false),
            waiting: Cell::new(Waiting::Nobody),
            is_client_asked: Cell::new(false),
            pace: Cell::new(Pace::FREE),
            is_call: Cell::new(false),
            is_parting: Cell::new(false),
            is_over: Cell::new(false),
        })
    }

    /// Whether more of the request's body came than may.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        let max = self.max_received.get();
        max.is_some_and(|max| self.received_bytes.get() > max)
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

    /// Whom it waits for; the upstream, once it has had all its time.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        match self.end.get() {
            Some(end) if end <= Instant::now() => Waiting::Answer,
            _ => self.waiting.get(),
        }
    }

    /// What log lines call the server that it went to last.
    #[must_use]
    pub fn server(&self) -> Option<Ref<'_, str>> {
        let server = self.server.borrow();
        Ref::filter_map(server, |server| Some(server.as_ref()?.name())).ok()
    }

    /// It goes to this server.
    pub(super) fn go_to(&self, server: &Rc<Member>) {
        *self.server.borrow_mut() = Some(Rc::clone(server));
    }

    /// The client was asked for more of its request, or has sent it.
    pub(super) fn ask_client(&self, is_asked: bool) {
        self.is_client_asked.set(is_asked);
    }

    /// Whether a server that breaks off now, or says nothing, may only have waited for the client: what
    /// clients do must not count against it.
    pub(super) const fn is_client_asked(&self) -> bool {
        self.is_client_asked.get()
    }

    /// The server broke off in the middle of its answer.
    pub fn server_failed(&self) {
        if self.is_client_asked() {
            return;
        }
        if let Some(server) = self.server.borrow().as_ref() {
            server.failed(Failure::Broken, None);
        }
    }

    /// The deadline has passed: the server's failure when it was the one to move and had the time that the
    /// configuration gives it.
    pub fn too_late(&self) {
        let is_past = self.end.get().is_some_and(|end| end <= Instant::now());
        if is_past && self.is_clients_end.get() {
            return;
        }
        if matches!(self.waiting.get(), Waiting::Head | Waiting::Answer) {
            self.server_failed();
        }
    }

    /// Whether it was the client who let the deadline pass: it neither sent nor took what it should, or set
    /// the deadline itself.
    #[must_use]
    pub fn is_clients_delay(&self) -> bool {
        let is_past = self.end.get().is_some_and(|end| end <= Instant::now());
        (is_past && self.is_clients_end.get())
            || matches!(self.waiting.get(), Waiting::Request | Waiting::Client)
    }

    /// It must be over within `span` from now, whoever moves.
    pub fn end_within(&self, span: Duration) {
        self.end.set(Instant::now().checked_add(span));
        self.watched.set_deadline(span);
    }

    /// The client waits no longer than `span` from now.
    pub fn end_as_asked(&self, span: Duration) {
        self.is_clients_end.set(true);
        self.end_within(span);
    }

    /// It lasts as long as its credential: a WebSocket or an event stream.
    pub fn set_lasting(&self) {
        self.watched.set_lasting();
        if self.end.take().is_some() && self.waiting.get() == Waiting::Nobody {
            self.watched.clear_deadline();
        }
    }

    /// Its client must keep up with this pace from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.pace.set(pace);
    }

    /// Whether it is a call by gRPC.
    pub(super) fn set_call(&self, is_call: bool) {
        self.is_call.set(is_call);
    }

    /// The client has sent or taken so many bytes.
    pub fn moved(&self, bytes: usize) {
        self.with_pace(|pace| pace.moved(bytes));
    }

    /// It waits for `whom` from now on, and `span` at the most.
    pub fn wait_for(&self, whom: Waiting, span: Duration) {
        let is_paced = match whom {
            Waiting::Request => !self.is_call.get(),
            Waiting::Client => true,
            Waiting::Nobody | Waiting::Head | Waiting::Answer => false,
        };
        let span = if is_paced {
            span.min(self.with_pace(|pace| pace.wait(Instant::now())))
        } else {
            self.with_pace(|pace| pace.go_on(Instant::now));
            span
        };
        self.waiting.set(whom);
        self.watched.set_deadline(self.at_most(span));
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
            self.with_pace(|pace| pace.go_on(Instant::now));
            match self.end.get() {
                Some(_) => self.watched.set_deadline(self.at_most(Duration::MAX)),
                None => self.watched.clear_deadline(),
            }
        }
    }

    fn with_pace<T>(&self, work: impl FnOnce(&mut Pace) -> T) -> T {
        let mut pace = self.pace.get();
        let done = work(&mut pace);
        self.pace.set(pace);
        done
    }

    /// `span`, or what is left of its time.
    fn at_most(&self, span: Duration) -> Duration {
        self.end.get().map_or(span, |end| {
            span.min(end.saturating_duration_since(Instant::now()))
        })
    }
}
