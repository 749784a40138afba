//! The store of several nodes: one Redis, with or without replicas, Sentinels or a Cluster.
//!
//! A node speaks to one primary at a time, over connections that its link makes and closes
//! ([`Feed`](super::Feed)): no read and no change goes to a server that the log does not come from.
//! Each change is one Lua script, which compares the very records that the node decided on, writes
//! records and indexes, and appends to the log of changes.

mod api_keys;
mod connection;
mod dialer;
mod due;
mod entry;
mod examine;
mod export;
mod fault;
mod feed;
mod import;
mod info;
mod keys;
mod limits;
mod link;
mod port;
mod primary;
mod records;
mod resend;
mod rights;
mod scripts;
mod sentinels;
mod session;
mod signing_keys;
mod slots;
mod tls;
mod traces;
mod trouble;
mod users;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;

pub use examine::{Finding, Severity};
pub use tls::RedisSetupError;

use self::dialer::Dialer;
use self::keys::Keys;
use self::link::LinkPolicy;
use self::primary::Finder;
use self::session::{Session, unavailable};
use super::{Answer, MemoryLimits, StoreError};
use crate::config::RedisStore;
use crate::domain::Clock;

/// How many rate limits this node keeps itself, for the time when Redis is away: about 20 MB when all
/// are in use.
const MAX_LIMITS: usize = 100_000;

/// The store of several nodes, in Redis.
pub struct Redis {
    settings: RedisStore,
    keys: Keys,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    dialer: Dialer,
    finder: Arc<Finder>,
    policy: LinkPolicy,
    session: Mutex<Option<Arc<Session>>>,
    /// Whether this process ever saw the identity of a store: it makes no other then.
    has_seen_store: AtomicBool,
    /// Used all the time, and decides when Redis does not.
    limits: MemoryLimits,
}

impl Redis {
    /// The store that `settings` name. Nothing is connected yet; connections live on `runtime`.
    ///
    /// # Errors
    ///
    /// [`RedisSetupError`] when a certificate cannot be used.
    pub fn new(
        settings: &RedisStore,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Result<Arc<Self>, RedisSetupError> {
        let patience = patience(settings.max_staleness);
        let keys = Keys::new(&settings.key_prefix);
        let dialer = Dialer::new(settings, patience)?;
        let finder = Finder::new(&settings.servers, dialer.clone(), &keys.id(), patience);
        Ok(Arc::new(Self {
            settings: settings.clone(),
            keys,
            clock,
            runtime,
            dialer,
            finder: Arc::new(finder),
            policy: LinkPolicy::new(patience, settings.require_replica),
            session: Mutex::default(),
            has_seen_store: AtomicBool::new(false),
            limits: MemoryLimits::new(MAX_LIMITS),
        }))
    }

    /// The session that was connected, open or not.
    fn connected(&self) -> Result<Arc<Session>, StoreError> {
        let session = self.session.lock().clone();
        session.ok_or_else(|| unavailable("the link to redis is down"))
    }

    /// The session, when reads and changes may go to it.
    fn opened(&self) -> Result<Arc<Session>, StoreError> {
        let session = self.connected()?;
        if let Some(reason) = session.trouble.reason() {
            return Err(unavailable(reason));
        }
        must_be_open(&session)?;
        Ok(session)
    }

    /// Reads; dropping the future abandons it.
    fn read<'a, T, Work>(
        &'a self,
        look: impl FnOnce(Arc<Session>) -> Work + Send + 'a,
    ) -> Answer<'a, T>
    where
        T: Send + 'a,
        Work: Future<Output = Result<T, StoreError>> + Send + 'a,
    {
        Box::pin(async move {
            let session = self.opened()?;
            let answer = look(Arc::clone(&session)).await?;
            // Another server may have taken over while this one was asked.
            must_be_open(&session)?;
            Ok(answer)
        })
    }

    /// Changes something. From its first poll on it goes on by itself, whatever becomes of the future.
    fn change<'a, T, Work>(
        &'a self,
        make: impl FnOnce(Arc<Session>) -> Work + Send + 'a,
    ) -> Answer<'a, T>
    where
        T: Send + 'static,
        Work: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Box::pin(async move {
            let work = make(self.opened()?);
            match self.runtime.spawn(work).await {
                Ok(answer) => answer,
                // The runtime is being shut down.
                Err(_) => Err(StoreError::OutcomeUnknown),
            }
        })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("url", &format_args!("{}", self.settings))
            .finish_non_exhaustive()
    }
}

fn must_be_open(session: &Session) -> Result<(), StoreError> {
    if session.is_open.load(Ordering::Acquire) {
        return Ok(());
    }
    Err(unavailable("the link to redis is down"))
}

/// How long a server may take to answer: a node hears of a lost answer before it is stale.
fn patience(max_staleness: Duration) -> Duration {
    (max_staleness / 2).clamp(Duration::from_millis(250), Duration::from_secs(5))
}
