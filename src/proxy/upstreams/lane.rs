use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::chance::Chance;
use super::pick::{Members, NotPicked};
use super::server::Server;
use super::{Failure, Upstream};
use crate::proxy::connection::Pool;
use crate::proxy::http2::Sessions;
use crate::proxy::retry::Attempts;

/// A worker's way to one upstream: its copy of the list of servers, and its connections to them.
#[derive(Debug)]
pub(crate) struct Lane {
    upstream: Arc<Upstream>,
    generation: Cell<u64>,
    members: RefCell<Rc<Members>>,
    pub(super) chance: Chance,
    /// Whether its upstream is no more: no connection is kept then.
    is_closed: Cell<bool>,
    /// What requests have saved for retries and the upstream's budget has not seen yet, in thousandths.
    saved: Cell<u64>,
}

/// A server as one worker has it.
#[derive(Debug)]
pub(crate) struct Member {
    upstream: Arc<Upstream>,
    pub(super) server: Arc<Server>,
    /// The worker's idle connections to it.
    pub(crate) pool: Rc<Pool>,
    /// Its HTTP/2 connections to it.
    pub(crate) sessions: Sessions,
}

impl Lane {
    pub(crate) fn new(upstream: &Arc<Upstream>) -> Rc<Self> {
        Rc::new(Self {
            upstream: Arc::clone(upstream),
            generation: Cell::new(0),
            members: RefCell::default(),
            chance: Chance::new(),
            is_closed: Cell::new(false),
            saved: Cell::new(0),
        })
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Whether it leads to this upstream, and not to another of its name.
    pub(crate) fn is_to(&self, upstream: &Arc<Upstream>) -> bool {
        Arc::ptr_eq(&self.upstream, upstream)
    }

    /// Closes the connections that wait now, and each other one when its exchange has ended.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        for member in self.members.borrow().iter() {
            member.pool.close();
        }
    }

    /// Picks a server that was not tried yet and takes a connection's place with it; waits for one
    /// where all are taken.
    pub(crate) async fn choose(&self, attempts: &mut Attempts) -> Result<Rc<Member>, NotPicked> {
        let picked = self.pick(attempts);
        match picked {
            Ok(_) => return picked,
            Err(NotPicked::NoneLeft) => return self.choose_stale(attempts),
            Err(NotPicked::Full) => {}
        }
        let waiting = self.upstream.queue.wait_for(|| {
            let picked = self.pick(attempts);
            (picked != Err(NotPicked::Full)).then_some(picked)
        });
        // Boxed: a request that finds a place need not carry the room for it.
        let picked = Box::pin(waiting).await;
        picked.unwrap_or(Err(NotPicked::Full))
    }

    /// Whether a server is left that could be tried instead.
    pub(crate) fn has_other(&self, attempts: &Attempts) -> bool {
        self.members().has_other(&self.upstream, attempts)
    }

    /// Counts a request, which saves its share of one that may be sent again.
    pub(crate) fn save(&self) {
        let share = u64::from(self.upstream.config.retries.budget);
        self.saved.set(self.saved.get().saturating_add(share));
    }

    /// Takes a request that is sent again out of the budget; whether that was left.
    pub(crate) fn spend(&self) -> bool {
        self.pay_in();
        let may = self.upstream.budget.spend(self.upstream.now());
        if !may {
            self.upstream.over_budget.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    /// Closes connections that have waited long enough, and those to servers that are gone.
    pub(crate) fn sweep(&self) {
        self.pay_in();
        for member in self.members().iter() {
            member.pool.sweep(self.upstream.config.keep_alive);
            member.sessions.sweep(self.upstream.config.keep_alive);
        }
    }

    /// Where no other is left: the server whose kept connection broke, over a new one.
    fn choose_stale(&self, attempts: &mut Attempts) -> Result<Rc<Member>, NotPicked> {
        let stale = attempts.take_stale().ok_or(NotPicked::NoneLeft)?;
        let has_room = stale.server.take(self.upstream.config.max_connections);
        has_room.then_some(stale).ok_or(NotPicked::Full)
    }

    fn pay_in(&self) {
        let saved = self.saved.take();
        if saved > 0 {
            self.upstream.budget.save(saved, self.upstream.now());
        }
    }

    fn pick(&self, attempts: &Attempts) -> Result<Rc<Member>, NotPicked> {
        self.members().pick(self, attempts)
    }

    /// The servers; taken anew when they have changed. Those that stay keep their connections, those that
    /// are gone lose the idle ones at once and the others when their exchanges end.
    fn members(&self) -> Rc<Members> {
        let generation = self.upstream.generation();
        if generation != self.generation.get() {
            self.generation.set(generation);
            let old = Rc::clone(&self.members.borrow());
            let servers = self.upstream.servers();
            let members = servers.iter().map(|server| {
                let known = old.iter().find(|old| Arc::ptr_eq(&old.server, server));
                known.map_or_else(|| Member::new(&self.upstream, server), Rc::clone)
            });
            let members: Vec<Rc<Member>> = members.collect();
            if self.is_closed.get() {
                members.iter().for_each(|member| member.pool.close());
            }
            *self.members.borrow_mut() = Rc::new(Members::new(members));
            for gone in old.iter().filter(|old| {
                !servers
                    .iter()
                    .any(|server| Arc::ptr_eq(server, &old.server))
            }) {
                gone.pool.sweep(std::time::Duration::ZERO);
                gone.sessions.close();
            }
        }
        Rc::clone(&self.members.borrow())
    }
}

impl Member {
    fn new(upstream: &Arc<Upstream>, server: &Arc<Server>) -> Rc<Self> {
        Rc::new(Self {
            upstream: Arc::clone(upstream),
            server: Arc::clone(server),
            pool: Rc::default(),
            sessions: Sessions::default(),
        })
    }

    /// What log lines call it.
    pub(crate) fn name(&self) -> &str {
        self.server.name()
    }

    pub(crate) fn target(&self) -> &super::Target {
        &self.server.target
    }

    /// It answered.
    pub(crate) fn succeeded(&self) {
        self.upstream.succeeded(&self.server);
    }

    /// It failed.
    pub(crate) fn failed(
        &self,
        failure: Failure,
        error: Option<&(dyn std::error::Error + 'static)>,
    ) {
        self.upstream.failed(&self.server, failure, error);
    }

    /// Gives back the place that picking it took.
    pub(super) fn give_back(&self) {
        self.server.give_back();
        self.upstream.queue.tell();
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.server, &other.server)
    }
}
