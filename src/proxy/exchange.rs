use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::upstreams::{Failure, Member};
use super::{AnswerError, Pace};
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
    end: Cell<Option<End>>,
    /// Whether whom it waits for has got all the time for that, or half of the whole exchange's.
    has_full_time: Cell<bool>,
    waiting: Cell<Waiting>,
    /// How the client keeps up with sending its request, for as long as somebody reads it.
    giving: Cell<Pace>,
    /// How long it has kept the server waiting for more of its request, all ended waits together.
    kept_waiting: Cell<Duration>,
    /// How it keeps up with taking the answer.
    taking: Cell<Pace>,
    /// How long it has held the answer up, all ended waits together.
    held_up: Cell<Duration>,
    /// Whether it is a call by gRPC: its messages may be few and far between.
    is_call: Cell<bool>,
    is_parting: Cell<bool>,
    is_over: Cell<bool>,
}

/// When an exchange must be over, whoever moves.
#[derive(Debug, Clone, Copy)]
struct End {
    at: Instant,
    /// How long it had until then when that was set.
    whole: Duration,
    /// Whether the client has set it.
    is_clients: bool,
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
            has_full_time: Cell::new(true),
            waiting: Cell::new(Waiting::Nobody),
            giving: Cell::new(Pace::FREE),
            kept_waiting: Cell::new(Duration::ZERO),
            taking: Cell::new(Pace::FREE),
            held_up: Cell::new(Duration::ZERO),
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
        if self.past_end().is_some() {
            Waiting::Answer
        } else {
            self.waiting.get()
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
        if is_asked {
            with(&self.giving, |pace| pace.still_wait(Instant::now()));
        } else if self.is_client_asked() {
            count_wait(&self.giving, &self.kept_waiting);
        }
    }

    /// It is sent once more: whoever takes it now has waited for nobody yet.
    pub(super) fn begin_anew(&self) {
        self.ask_client(false);
        self.kept_waiting.set(Duration::ZERO);
    }

    /// Whether a server that says nothing may only be waiting for the client.
    const fn is_client_asked(&self) -> bool {
        self.giving.get().is_waited_for()
    }

    /// Whether a server that gives up now may have lost its patience with the client, which owes it the rest
    /// of its request or did not take its answer: what clients do must not count against it. All waits count,
    /// whatever came or went between them: many servers bound the whole. One that gives up at once has failed.
    pub(super) fn has_tried_patience(&self) -> bool {
        let mut waited = self.held_up.get();
        if self.is_client_asked() {
            let now_waited = self.giving.get().waited(Instant::now());
            waited = waited
                .saturating_add(self.kept_waiting.get())
                .saturating_add(now_waited);
        }
        waited >= PATIENCE
    }

    /// Whether the client is too slow with its request while it is being answered. Before that a deadline
    /// says so.
    pub(super) fn is_too_slow(&self) -> bool {
        let is_answered = self.answered_at.get().is_some();
        is_answered
            && !self.is_call.get()
            && self.giving.get().remaining(Instant::now()) == Duration::ZERO
    }

    /// The server broke off in the middle of its answer, or answered what is no HTTP.
    pub fn server_failed(&self, error: &AnswerError) {
        if !(error.is_giving_up() && self.has_tried_patience()) {
            self.count_failure(Some(error));
        }
    }

    fn count_failure(&self, error: Option<&AnswerError>) {
        if let Some(server) = self.server.borrow().as_ref() {
            server.failed(Failure::Broken, error.map(|error| error as _));
        }
    }

    /// The deadline has passed: the server's failure when it was the one to move and had the time that the
    /// configuration gives it. Of the whole exchange's the client, or another server, may have left it little.
    pub fn too_late(&self) {
        if self.past_end().is_some_and(|end| end.is_clients) {
            return;
        }
        let is_server_asked = matches!(self.waiting.get(), Waiting::Head | Waiting::Answer);
        if is_server_asked && !self.is_client_asked() && self.has_full_time.get() {
            self.count_failure(None);
        }
    }

    /// Whether it was the client who let the deadline pass: it neither sent nor took what it should, or set
    /// the deadline itself.
    #[must_use]
    pub fn is_clients_delay(&self) -> bool {
        self.past_end()
            .is_some_and(|end| end.is_clients || self.held_up.get() >= PATIENCE)
            || matches!(self.waiting.get(), Waiting::Request | Waiting::Client)
    }

    /// Its end, once it has had all its time.
    fn past_end(&self) -> Option<End> {
        self.end.get().filter(|end| end.at <= Instant::now())
    }

    /// It must be over within `span` from now, whoever moves.
    pub fn end_within(&self, span: Duration) {
        self.end_by(span, false);
    }

    /// The client waits no longer than `span` from now.
    pub fn end_as_asked(&self, span: Duration) {
        self.end_by(span, true);
    }

    fn end_by(&self, whole: Duration, is_clients: bool) {
        let at = Instant::now().checked_add(whole);
        self.end.set(at.map(|at| End {
            at,
            whole,
            is_clients,
        }));
        self.watched.set_deadline(whole);
    }

    /// It lasts as long as its credential: a WebSocket or an event stream.
    pub fn set_lasting(&self) {
        self.watched.set_lasting();
        if self.end.take().is_some() && self.waiting.get() == Waiting::Nobody {
            self.watched.clear_deadline();
        }
    }

    /// Its client must keep up with this pace from now on, each way.
    pub fn set_pace(&self, pace: Pace) {
        self.giving.set(pace);
        self.taking.set(pace);
    }

    /// Whether it is a call by gRPC.
    pub(super) fn set_call(&self, is_call: bool) {
        self.is_call.set(is_call);
    }

    /// The client takes no more of the answer for now, or does again; somebody else sees to its deadline.
    pub fn hold_up(&self, is_held_up: bool) {
        if !is_held_up {
            count_wait(&self.taking, &self.held_up);
            return;
        }
        with(&self.taking, |pace| pace.still_wait(Instant::now()));
        // What the server says meanwhile is not read.
        if self.waiting.get() == Waiting::Answer {
            self.wait_for_nobody();
        }
    }

    /// The client has taken so many bytes.
    pub fn moved(&self, bytes: usize) {
        with(&self.taking, |pace| pace.moved(bytes));
    }

    /// The client has sent so many bytes.
    pub(super) fn received(&self, bytes: usize) {
        with(&self.giving, |pace| pace.moved(bytes));
        let more = u64::try_from(bytes).unwrap_or(u64::MAX);
        let received = self.received_bytes.get();
        self.received_bytes.set(received.saturating_add(more));
    }

    /// It waits for `whom` from now on, and `span` at the most.
    pub fn wait_for(&self, whom: Waiting, span: Duration) {
        count_wait(&self.taking, &self.held_up);
        let left = match whom {
            Waiting::Client => with(&self.taking, |pace| pace.wait(Instant::now())),
            Waiting::Request if !self.is_call.get() => self.giving.get().remaining(Instant::now()),
            Waiting::Nobody | Waiting::Request | Waiting::Head | Waiting::Answer => Duration::MAX,
        };
        let span = span.min(left);
        let given = self.at_most(span);
        let end = self.end.get();
        let is_most = end.is_some_and(|end| given >= end.whole / 2);
        self.has_full_time.set(given >= span || is_most);
        self.waiting.set(whom);
        self.watched.set_deadline(given);
    }

    /// As [`Self::wait_for`], unless it waits for them already: their time runs on.
    pub fn still_wait_for(&self, whom: Waiting, span: Duration) {
        if self.waiting.get() != whom {
            self.wait_for(whom, span);
        }
    }

    /// What it waited for has come.
    pub fn go_on(&self) {
        // Whoever gives the answer on asks for no more of the request meanwhile.
        self.ask_client(false);
        if self.waiting.get() != Waiting::Nobody {
            count_wait(&self.taking, &self.held_up);
            self.wait_for_nobody();
        }
    }

    fn wait_for_nobody(&self) {
        self.waiting.set(Waiting::Nobody);
        match self.end.get() {
            Some(_) => self.watched.set_deadline(self.at_most(Duration::MAX)),
            None => self.watched.clear_deadline(),
        }
    }

    /// `span`, or what is left of its time.
    fn at_most(&self, span: Duration) -> Duration {
        self.end.get().map_or(span, |end| {
            span.min(end.at.saturating_duration_since(Instant::now()))
        })
    }
}

fn with<T>(pace: &Cell<Pace>, work: impl FnOnce(&mut Pace) -> T) -> T {
    let mut changed = pace.get();
    let done = work(&mut changed);
    pace.set(changed);
    done
}

/// The client is waited for no longer; adds how long it was to `sum`.
fn count_wait(pace: &Cell<Pace>, sum: &Cell<Duration>) {
    let waited = with(pace, |pace| pace.go_on(Instant::now));
    sum.set(sum.get().saturating_add(waited));
}

/// How long a client must have been waited for before what its server does may be its doing. Servers that
/// give up on slow clients wait for some seconds at least.
const PATIENCE: Duration = Duration::from_secs(2);
