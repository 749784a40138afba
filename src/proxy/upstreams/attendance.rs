use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::names::keep_resolved;
use super::resolver::Resolver;
use super::{Upstream, Upstreams, health};

/// An upstream that is looked after, and the tasks that do.
struct Attended {
    upstream: Arc<Upstream>,
    resolver: Arc<Resolver>,
    names: Vec<AbortHandle>,
    health: Option<AbortHandle>,
}

/// Looks names up again as they expire, and asks servers how they are, for as long as somebody may exchange
/// the upstreams. Those that stay are looked after without a break.
pub async fn attend(mut current: watch::Receiver<Arc<Upstreams>>) {
    let mut tasks = JoinSet::new();
    let mut all: Vec<Attended> = Vec::new();
    loop {
        let upstreams = Arc::clone(&current.borrow_and_update());
        all.retain(|one| {
            let stays = upstreams.has(&one.upstream);
            if !stays {
                one.end();
            }
            stays
        });
        for upstream in &upstreams.upstreams {
            let known = all
                .iter_mut()
                .find(|one| Arc::ptr_eq(&one.upstream, upstream));
            match known {
                Some(one) if Arc::ptr_eq(&one.resolver, &upstreams.resolver) => {}
                Some(one) => one.ask_otherwise(&upstreams, &mut tasks),
                None => all.push(Attended::begin(upstream, &upstreams, &mut tasks)),
            }
        }
        drop(upstreams);
        // The ends of those that were aborted.
        while tasks.try_join_next().is_some() {}
        if current.changed().await.is_err() {
            return;
        }
    }
}

impl Attended {
    fn begin(upstream: &Arc<Upstream>, all: &Upstreams, tasks: &mut JoinSet<()>) -> Self {
        let health = upstream.config.health_check.as_ref();
        let mut this = Self {
            health: health.map(|_| tasks.spawn(health::attend(Arc::clone(upstream)))),
            upstream: Arc::clone(upstream),
            resolver: Arc::clone(&all.resolver),
            names: Vec::new(),
        };
        this.ask_otherwise(all, tasks);
        this
    }

    /// Has its names looked up by the resolver of `all`.
    fn ask_otherwise(&mut self, all: &Upstreams, tasks: &mut JoinSet<()>) {
        self.names.iter().for_each(AbortHandle::abort);
        self.resolver = Arc::clone(&all.resolver);
        let upstream = &self.upstream;
        let names = upstream.names().map(|name| {
            let by = (Arc::clone(&all.resolver), Arc::clone(&all.unknown));
            tasks.spawn(keep_resolved(by, Arc::clone(upstream), name))
        });
        self.names = names.collect();
    }

    fn end(&self) {
        self.names
            .iter()
            .chain(&self.health)
            .for_each(AbortHandle::abort);
    }
}
