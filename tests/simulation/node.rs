//! A node of the simulation: the real pieces, and where its process is.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dariet_gateway::auth::{Authenticator, KeyRing, SigningKey, Tokens};
use dariet_gateway::config::{Algorithm, OnStale};
use dariet_gateway::domain::{Clock, ManualClock, ManualUptime, Timestamp};
use dariet_gateway::revocation::{
    Admission, Applier, Follower, FreshStore, Freshness, KeyUsage, Ledger, Pace, Recent,
};
use dariet_gateway::store::{Entry, ServerId, Store, StoreId};

use super::store::{Linked, Shared};

/// All times are shorter than in life, in one proportion, so that a run has more of everything.
pub(crate) const BOUND: Duration = Duration::from_millis(400);
const PACE: Pace = Pace {
    beat: Duration::from_millis(100),
    unsure: BOUND,
};

/// When all runs begin, by the right clock.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) static TOKENS: LazyLock<Arc<Tokens>> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let issuer = "https://gateway.example";
    let lifetime = Duration::from_secs(3600);
    Arc::new(Tokens::new(
        KeyRing::single(key).unwrap(),
        issuer,
        issuer,
        lifetime,
    ))
});

pub(crate) struct Node {
    /// Counts its processes: what belongs to an older one is forgotten.
    pub(crate) process: u64,
    pub(crate) follower: Follower,
    pub(crate) applier: Applier,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) linked: Shared,
    pub(crate) clock: Arc<dyn Clock>,
    /// Which server it is connected to, and by which of its connections.
    pub(crate) session: Option<(usize, u64)>,
    pub(crate) is_open: bool,
    /// Which server, of which history, spoke last.
    pub(crate) follows: Option<ServerId>,
    /// The last change that it applied, and that a beat promised; kept to break a rule.
    pub(crate) applied: u64,
    pub(crate) promised: u64,
    /// The store that answered last, and the first that it believed.
    pub(crate) heard_of: Option<StoreId>,
    pub(crate) store: Option<StoreId>,
    /// Counts the steps of the link: what answers an older one is too late.
    pub(crate) attempt: u64,
    /// The revocations it has heard of or made.
    pub(crate) knows: Vec<Entry>,
    pub(crate) is_replaced: bool,
    /// What connections remember, and what is in flight, each with its credential.
    pub(crate) connections: Vec<(usize, Arc<Admission>)>,
    pub(crate) exchanges: Vec<(usize, Arc<Admission>)>,
    pub(crate) side: bool,
    pub(crate) paused_until: u64,
    pub(crate) cut_until: u64,
    pub(crate) slow_until: u64,
}

impl Node {
    pub(crate) fn start(process: u64, skew: Duration, uptime: &Arc<ManualUptime>) -> Self {
        let linked = Shared::default();
        let store: Arc<dyn Store> = Arc::<Linked>::clone(&linked);
        let freshness = Freshness::bounded(BOUND, OnStale::Keep, uptime.clone());
        let ledger = Arc::new(Ledger::new(Arc::<KeyUsage>::default()));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(START.after(skew)));
        let guarded = Arc::new(FreshStore::new(store, Arc::clone(&freshness)));
        let authenticator = Authenticator::new(
            guarded,
            Arc::clone(&ledger),
            Arc::clone(&TOKENS),
            Arc::clone(&clock),
        );
        Self {
            process,
            follower: Follower::new(PACE),
            authenticator: Arc::new(authenticator.bounded_by(Arc::clone(&freshness))),
            applier: Applier {
                ledger,
                recent: Recent::new(uptime.clone()),
                freshness,
            },
            linked,
            clock,
            session: None,
            is_open: false,
            follows: None,
            applied: 0,
            promised: 0,
            heard_of: None,
            store: None,
            attempt: 0,
            knows: Vec::new(),
            is_replaced: false,
            connections: Vec::new(),
            exchanges: Vec::new(),
            side: true,
            paused_until: 0,
            cut_until: 0,
            slow_until: 0,
        }
    }

    /// An authenticator that looks at no freshness, for rules that are broken on purpose.
    pub(crate) fn careless(&self) -> Arc<Authenticator> {
        let store: Arc<dyn Store> = Arc::<Linked>::clone(&self.linked);
        Arc::new(Authenticator::new(
            store,
            Arc::clone(&self.applier.ledger),
            Arc::clone(&TOKENS),
            Arc::clone(&self.clock),
        ))
    }
}
