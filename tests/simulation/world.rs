//! The world of one run: virtual time, messages under way, servers, nodes and clients.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dariet_gateway::auth::{AuthError, Rechecked};
use dariet_gateway::domain::{CredentialId, ManualUptime, Role, UserId};
use dariet_gateway::revocation::{Admission, Heard};
use dariet_gateway::store::{Beat, StoreError};
use futures_util::task::noop_waker_ref;

use super::chance::Chance;
use super::clients::Write;
use super::faults::Fault;
use super::flaw::Flaw;
use super::link::LinkAsk;
use super::node::Node;
use super::server::{Data, Server};
use super::store::Ask;

/// Microseconds of virtual time.
pub(crate) type Time = u64;
pub(crate) const MILLI: Time = 1000;
/// What a link waits for an answer.
pub(crate) const TIMEOUT: Time = 150 * MILLI;
/// From when on nothing fails any more, and when a run ends.
pub(crate) const FAULTS_END: Time = 3000 * MILLI;
pub(crate) const END: Time = 6500 * MILLI;

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) flaw: Option<Flaw>,
    pub(crate) now: Time,
    pub(crate) uptime: Arc<ManualUptime>,
    events: BTreeMap<(Time, u64), Event>,
    ids: u64,
    pub(crate) servers: Vec<Server>,
    /// Which server the Sentinels hold to be the primary, and on which side most of them are.
    pub(crate) primary: usize,
    pub(crate) main_side: bool,
    /// What nodes on the other side hold to be the primary.
    pub(crate) left_primary: usize,
    /// How seldom something fails: where all fails at once, nothing subtle does.
    pub(crate) calm: u64,
    /// Until when replicas lag behind.
    pub(crate) lag_until: Time,
    /// What the primary held before it came back without.
    pub(crate) before_loss: Option<Data>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) tasks: BTreeMap<u64, Task>,
    pub(crate) writes: BTreeMap<u64, Write>,
    pub(crate) reads: Vec<WaitingRead>,
    pub(crate) beats: Vec<WaitingBeat>,
    pub(crate) users: Vec<UserId>,
    /// By user.
    pub(crate) roles: Vec<KnownRole>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) is_told: bool,
    pub(crate) violation: Option<String>,
    pub(crate) tally: Tally,
}

/// What a run, or all of them, came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    pub(crate) steps: u64,
    pub(crate) faults: u64,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    /// Refused for lack of knowledge.
    pub(crate) unknown: u64,
    pub(crate) revocations: u64,
    pub(crate) doubts: u64,
    pub(crate) sent_again: u64,
    pub(crate) replaced: u64,
}

/// A credential, and what the primary's data make of it.
pub(crate) struct Credential {
    pub(crate) user: usize,
    pub(crate) id: CredentialId,
    pub(crate) text: String,
    /// Whether its owner has it already.
    pub(crate) is_given: bool,
    /// When somebody last tried to revoke it.
    pub(crate) touched: Option<Time>,
    /// When the primary had it first.
    pub(crate) made_at: Option<Time>,
    pub(crate) works_since: Option<Time>,
    pub(crate) dead_since: Option<Time>,
}

/// What a user's role is, by the primary's data.
#[derive(Default)]
pub(crate) struct KnownRole {
    pub(crate) role: Option<Role>,
    pub(crate) since: Time,
    /// When another was last written to a server that is primary no more: nodes may have read it.
    pub(crate) lost_at: Time,
}

/// One step of a node's link, which an answer belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) node: usize,
    pub(crate) process: u64,
    pub(crate) attempt: u64,
}

pub(crate) struct WaitingRead {
    pub(crate) server: usize,
    pub(crate) run: u64,
    pub(crate) to: Address,
    pub(crate) after: u64,
}

pub(crate) struct WaitingBeat {
    pub(crate) server: usize,
    pub(crate) run: u64,
    pub(crate) to: Address,
    pub(crate) offset: usize,
    pub(crate) beat: Beat,
    pub(crate) sent_at: Duration,
}

/// Something a node is waiting for the store with.
pub(crate) struct Task {
    pub(crate) node: usize,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    Admit(usize, Waiting<Result<Arc<Admission>, AuthError>>),
    Recheck(u64, Waiting<Result<Rechecked, StoreError>>),
}

type Waiting<T> = Pin<Box<dyn Future<Output = T>>>;

pub(crate) enum Event {
    /// A step of a link comes to a server.
    Link {
        to: Address,
        connections: u64,
        ask: LinkAsk,
        sent_at: Duration,
    },
    /// What came of it comes to the node, from a server or because it took too long.
    Heard {
        to: Address,
        from: Option<usize>,
        heard: Heard,
    },
    ReadEnds(Address),
    BeatEnds(Address),
    /// A read of a task comes to a server.
    Ask {
        task: u64,
        server: usize,
        connections: u64,
        ask: Ask,
    },
    /// Its answer comes to the node; or nothing does, and what it waited for is dropped.
    Answer {
        task: u64,
        give: Box<dyn FnOnce()>,
    },
    Write {
        id: u64,
        attempt: u64,
        server: usize,
        connections: u64,
    },
    /// A write is answered; `None` says nothing of what became of it.
    Written {
        id: u64,
        attempt: u64,
        answer: Option<super::clients::WriteAnswer>,
    },
    Repeat(u64),
    Replicate {
        from: usize,
        to: usize,
    },
    Request,
    /// A request at a moment that a node may get wrong.
    RequestTo(usize),
    Revoke,
    MakeKey,
    Fault(Fault),
}

impl World {
    pub(crate) fn after(&mut self, delay: Time, event: Event) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn at(&mut self, time: Time, event: Event) {
        let id = self.id();
        self.events.insert((time.max(self.now), id), event);
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(crate) fn empty(seed: u64, flaw: Option<Flaw>) -> Self {
        Self {
            chance: Chance::new(seed),
            flaw,
            now: 0,
            uptime: Arc::default(),
            events: BTreeMap::new(),
            ids: 100,
            servers: Vec::new(),
            primary: 0,
            main_side: true,
            left_primary: 0,
            calm: 1,
            lag_until: 0,
            before_loss: None,
            nodes: Vec::new(),
            tasks: BTreeMap::new(),
            writes: BTreeMap::new(),
            reads: Vec::new(),
            beats: Vec::new(),
            users: Vec::new(),
            roles: Vec::new(),
            credentials: Vec::new(),
            is_told: false,
            violation: None,
            tally: Tally {
                runs: 1,
                ..Tally::default()
            },
        }
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Runs to the end, or to the first promise that is broken.
    pub(crate) fn run(&mut self) {
        while let Some(((time, _), event)) = self.events.pop_first() {
            if time > END || self.violation.is_some() {
                break;
            }
            self.uptime
                .advance(Duration::from_micros(time.saturating_sub(self.now)));
            self.now = time;
            self.tally.steps += 1;
            self.take(event);
        }
        if self.violation.is_none() {
            self.check_end();
        }
    }

    fn take(&mut self, event: Event) {
        // Whoever is paused takes everything later, in the order it came.
        if let Some(resumed) = self.paused_until(&event)
            && resumed > self.now
        {
            return self.at(resumed, event);
        }
        match event {
            Event::Link {
                to,
                connections,
                ask,
                sent_at,
            } => self.serve_link(to, connections, ask, sent_at),
            Event::Heard { to, from, heard } => self.hear(to, from, heard),
            Event::ReadEnds(to) => self.end_read(to),
            Event::BeatEnds(to) => self.end_beat(to),
            Event::Ask {
                task,
                server,
                connections,
                ask,
            } => self.serve_ask(task, server, connections, ask),
            Event::Answer { task, give } => {
                give();
                self.poll(task);
            }
            Event::Write {
                id,
                attempt,
                server,
                connections,
            } => self.serve_write(id, attempt, server, connections),
            Event::Written {
                id,
                attempt,
                answer,
            } => self.written(id, attempt, answer),
            Event::Repeat(id) => self.send_write(id),
            Event::Replicate { from, to } => self.replicate(from, to),
            Event::Request => self.request(),
            Event::RequestTo(node) => self.request_to(node),
            Event::Revoke => self.revoke(),
            Event::MakeKey => self.make_key(),
            Event::Fault(fault) => self.fail(fault),
        }
    }

    fn paused_until(&self, event: &Event) -> Option<Time> {
        let node = |index: usize| self.nodes[index].paused_until;
        let server = |index: usize| self.servers[index].paused_until;
        match event {
            Event::Link { to, .. } => Some(server(self.server_of(to.node))),
            Event::Heard { to, .. } => Some(node(to.node)),
            Event::Ask { server: at, .. } | Event::Write { server: at, .. } => Some(server(*at)),
            Event::Answer { task, .. } => self.tasks.get(task).map(|task| node(task.node)),
            Event::Written { id, .. } | Event::Repeat(id) => {
                self.writes.get(id).map(|write| node(write.node))
            }
            Event::Replicate { from, to } => Some(server(*from).max(server(*to))),
            _ => None,
        }
    }

    /// The server that a node is connected to, or would connect to.
    pub(crate) fn server_of(&self, node: usize) -> usize {
        let node = &self.nodes[node];
        match node.session {
            Some((server, _)) => server,
            None if node.side == self.main_side => self.primary,
            None => self.left_primary,
        }
    }

    /// Whether a message between them arrives.
    pub(crate) fn reaches(&self, node: usize, server: usize) -> bool {
        let (node, server) = (&self.nodes[node], &self.servers[server]);
        node.side == server.side && node.cut_until <= self.now
    }

    /// How long a message of this node takes.
    pub(crate) fn transit(&mut self, node: usize) -> Time {
        let slow = self.nodes[node].slow_until > self.now || self.chance.percent(3);
        self.chance
            .within(200, if slow { 120 * MILLI } else { 3 * MILLI })
    }

    pub(crate) fn start_task(&mut self, node: usize, work: Work) {
        let id = self.id();
        self.tasks.insert(id, Task { node, work });
        self.poll(id);
    }

    /// Lets a task go on until it waits for an answer, and sends what it asks.
    pub(crate) fn poll(&mut self, id: u64) {
        let Some(mut task) = self.tasks.remove(&id) else {
            return;
        };
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut polled = task.work.poll(&mut cx);
        loop {
            let asks = self.nodes[task.node].linked.take();
            if asks.is_empty() || polled.is_ready() {
                break;
            }
            let mut is_refused = false;
            for ask in asks {
                is_refused |= !self.send_ask(id, task.node, ask);
            }
            if !is_refused {
                break;
            }
            polled = task.work.poll(&mut cx);
        }
        match (polled, &task.work) {
            (Poll::Pending, _) => {
                self.tasks.insert(id, task);
            }
            (Poll::Ready(Done::Admit(answer)), Work::Admit(credential, _)) => {
                self.answered(task.node, *credential, answer);
            }
            (Poll::Ready(Done::Recheck(is_done)), Work::Recheck(attempt, _)) => {
                let to = self.address_of(task.node, *attempt);
                let heard = if is_done { Heard::Done } else { Heard::Lost };
                self.hear(to, None, heard);
            }
            (Poll::Ready(_), _) => unreachable!("a task ends as what it began as"),
        }
    }

    pub(crate) fn address_of(&self, node: usize, attempt: u64) -> Address {
        Address {
            node,
            process: self.nodes[node].process,
            attempt,
        }
    }

    /// Tells what happens, where one seed alone is run.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>8} {}", self.now, what());
        }
    }

    pub(crate) fn violate(&mut self, what: impl Into<String>) {
        let what = what.into();
        let now = self.now;
        self.violation
            .get_or_insert_with(|| format!("at {now} µs: {what}"));
    }
}

enum Done {
    Admit(Result<Arc<Admission>, AuthError>),
    Recheck(bool),
}

impl Work {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        match self {
            Self::Admit(_, work) => work.as_mut().poll(cx).map(Done::Admit),
            Self::Recheck(_, work) => work
                .as_mut()
                .poll(cx)
                .map(|done| Done::Recheck(done.is_ok())),
        }
    }
}
