use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use redis::Cmd;
use tokio::runtime::Handle;

use super::connection::Connection;
use super::dialer::Dialer;
use super::fault::Fault;
use super::keys::Keys;
use super::scripts::{GIVE_BACK, TAKE};
use super::slots::{SlotMap, slot_of};
use super::trouble::Trouble;
use crate::config::{RedisAddress, RedisHost};
use crate::domain::Timestamp;
use crate::store::{Limit, Verdict};

/// Rate limits that all nodes share, as long as the server answers.
///
/// In a Cluster they are spread over its nodes, and a script may touch one slot only: what is taken
/// together is taken slot by slot, and given back where one of them refuses.
pub(super) struct Limits {
    own: Arc<Connection>,
    spread: Option<Spread>,
    /// How long a limit may take: behind it somebody waits, and this node has limits of its own.
    patience: Duration,
}

/// The nodes of a Cluster, by the slots they have.
struct Spread {
    slots: Mutex<SlotMap>,
    /// When the slots were last asked for again.
    asked_at: Mutex<Option<Instant>>,
    own: RedisHost,
    dialer: Dialer,
    /// Where connections live: who asks for a limit may be gone before the next does.
    runtime: Handle,
    others: Mutex<HashMap<RedisHost, Arc<Connection>>>,
}

/// How long it takes until a Cluster is asked for its slots once more.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest span that is told apart from for ever, so that no number overflows: ten years.
const MAX_MILLIS: f64 = 315_360_000_000.0;

impl Limits {
    /// To be made on the runtime that connections live on.
    pub(super) fn new(
        own: Connection,
        address: &RedisAddress,
        slots: Option<SlotMap>,
        dialer: &Dialer,
    ) -> Self {
        let patience = dialer.patience() / 2;
        let spread = match (slots, address) {
            (Some(slots), RedisAddress::Host(own)) => Some(Spread {
                slots: Mutex::new(slots),
                asked_at: Mutex::default(),
                own: own.clone(),
                dialer: dialer.clone(),
                runtime: Handle::current(),
                others: Mutex::default(),
            }),
            _ => None,
        };
        Self {
            own: Arc::new(own),
            spread,
            patience,
        }
    }

    /// Takes one from each of `limits`, or from none of them.
    pub(super) async fn take(
        &self,
        keys: &Keys,
        limits: &[Limit],
        now: Timestamp,
    ) -> Result<Verdict, Fault> {
        if limits.is_empty() {
            return Ok(Verdict::Pass);
        }
        let named: Vec<_> = limits
            .iter()
            .map(|limit| (keys.limit(limit.key), limit))
            .collect();
        let Some(spread) = &self.spread else {
            return self.take_at(&self.own, &named, now).await;
        };
        let mut groups = BTreeMap::<u16, Vec<(String, &Limit)>>::new();
        for (key, limit) in named {
            groups.entry(slot_of(&key)).or_default().push((key, limit));
        }
        let asked = groups.iter().map(|(slot, group)| async move {
            let connection = spread.connection(*slot, &self.own).await?;
            let verdict = self.take_at(&connection, group, now).await?;
            Ok::<_, Fault>((connection, group, verdict))
        });
        let answers = join_all(asked).await;
        let verdict = longest(answers.iter());
        if matches!(verdict, Some(Verdict::Pass)) {
            return Ok(Verdict::Pass);
        }
        let mut failed = None;
        for answer in answers {
            match answer {
                // What cannot be given back comes back with time.
                Ok((connection, group, Verdict::Pass)) => {
                    let _ = self.give_back(&connection, group).await;
                }
                Ok(_) => {}
                Err(fault) => failed = Some(fault),
            }
        }
        if failed.is_some() {
            spread.ask_again(&self.own, self.patience).await;
        }
        match (verdict, failed) {
            (Some(verdict), _) => Ok(verdict),
            (None, failed) => Err(failed.unwrap_or(Fault::Silent(None))),
        }
    }

    async fn take_at(
        &self,
        connection: &Connection,
        limits: &[(String, &Limit)],
        now: Timestamp,
    ) -> Result<Verdict, Fault> {
        let call = |call: &mut Cmd| {
            call.arg(limits.len());
            for (key, _) in limits {
                call.arg(key);
            }
            call.arg(now.as_millis());
            for (_, limit) in limits {
                let every = every(limit);
                let span = (every * f64::from(limit.burst.max(1))).min(MAX_MILLIS);
                call.arg(every).arg(span);
            }
        };
        let micros: u64 = connection.run(&TAKE, call, self.patience).await?;
        Ok(match micros {
            0 => Verdict::Pass,
            micros => Verdict::Wait(Duration::from_micros(micros)),
        })
    }

    async fn give_back(
        &self,
        connection: &Connection,
        limits: &[(String, &Limit)],
    ) -> Result<(), Fault> {
        let call = |call: &mut Cmd| {
            call.arg(limits.len());
            for (key, _) in limits {
                call.arg(key);
            }
            for (_, limit) in limits {
                call.arg(every(limit));
            }
        };
        connection.run(&GIVE_BACK, call, self.patience).await
    }
}

/// The longest wait, a pass when all pass, nothing when that is not known.
fn longest<'a, T: 'a>(
    answers: impl Iterator<Item = &'a Result<(T, &'a Vec<(String, &'a Limit)>, Verdict), Fault>>,
) -> Option<Verdict> {
    let (mut longest, mut is_known) = (None, true);
    for answer in answers {
        match answer {
            Ok((_, _, Verdict::Wait(wait))) => longest = longest.max(Some(*wait)),
            Ok((_, _, Verdict::Pass)) => {}
            Err(_) => is_known = false,
        }
    }
    match longest {
        Some(wait) => Some(Verdict::Wait(wait)),
        None => is_known.then_some(Verdict::Pass),
    }
}

impl Spread {
    async fn connection(&self, slot: u16, own: &Arc<Connection>) -> Result<Arc<Connection>, Fault> {
        let host = self.slots.lock().primary_of(slot).cloned();
        let host = host.ok_or_else(|| Fault::Unasked(format!("no node has slot {slot}")))?;
        if host == self.own {
            return Ok(Arc::clone(own));
        }
        if let Some(connection) = self.others.lock().get(&host) {
            return Ok(Arc::clone(connection));
        }
        // A node that holds limits alone is no trouble for the session.
        let trouble = Arc::<Trouble>::default();
        let address = RedisAddress::Host(host.clone());
        let dialer = self.dialer.clone();
        let dialled = self
            .runtime
            .spawn(async move { dialer.dial(&address, &trouble).await });
        let connection = match dialled.await {
            Ok(connection) => Arc::new(connection?),
            Err(_) => return Err(Fault::Unasked("the gateway is shutting down".to_owned())),
        };
        let mut others = self.others.lock();
        others.insert(host, Arc::clone(&connection));
        Ok(connection)
    }

    /// After a failure every connection is made anew, to the nodes that have the slots now.
    async fn ask_again(&self, own: &Connection, patience: Duration) {
        let now = Instant::now();
        {
            let mut asked_at = self.asked_at.lock();
            if asked_at.is_some_and(|at| now.duration_since(at) < PAUSE) {
                return;
            }
            *asked_at = Some(now);
        }
        self.others.lock().clear();
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = own.ask(&question, patience).await;
        match answer.and_then(|answer| SlotMap::read(answer, &self.own)) {
            Ok(slots) => *self.slots.lock() = slots,
            Err(fault) => {
                let reason = fault.of_read();
                tracing::debug!(
                    reason = &reason as &dyn std::error::Error,
                    "slots not known"
                );
            }
        }
    }
}

fn every(limit: &Limit) -> f64 {
    (limit.every.as_secs_f64() * 1000.0).min(MAX_MILLIS)
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits(..)")
    }
}
