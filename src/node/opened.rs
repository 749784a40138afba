use std::sync::Arc;

use tokio::runtime::Handle;

use super::{NodeError, Shared};
use crate::auth::Authenticator;
use crate::config::{RedisStore, StoreUrl};
use crate::domain::SharedClock;
use crate::revocation::Changes;
use crate::store::{Embedded, Redis, Store};

/// The store that a configuration names.
pub(super) struct Opened {
    /// As everybody but the link has it.
    pub(super) store: Arc<dyn Store>,
    /// Where it is a file of this node.
    pub(super) embedded: Option<Arc<Embedded>>,
    /// Where several nodes share it.
    pub(super) redis: Option<(Arc<Redis>, Shared)>,
}

impl Opened {
    /// Opens a file; of a store that is shared nothing is connected yet.
    pub(super) fn open(
        url: &StoreUrl,
        clock: &Arc<SharedClock>,
        runtime: &Handle,
    ) -> Result<Self, NodeError> {
        match url {
            StoreUrl::Embedded(file) => {
                let embedded = Embedded::open(file)?;
                Ok(Self {
                    store: Arc::<Embedded>::clone(&embedded),
                    embedded: Some(embedded),
                    redis: None,
                })
            }
            StoreUrl::Redis(settings) => Self::shared(settings, clock, runtime),
        }
    }

    /// Has what changes and admits keep to what this node knows, where the store is shared.
    pub(super) fn bound(
        &self,
        changes: Changes,
        authenticator: Authenticator,
    ) -> (Changes, Authenticator) {
        match &self.redis {
            Some((_, shared)) => shared.bound(changes, authenticator),
            None => (changes, authenticator),
        }
    }

    fn shared(
        settings: &RedisStore,
        clock: &Arc<SharedClock>,
        runtime: &Handle,
    ) -> Result<Self, NodeError> {
        let redis = Redis::new(settings, Arc::<SharedClock>::clone(clock), runtime.clone())?;
        let shared = Shared::new(
            Arc::<Redis>::clone(&redis),
            Arc::<Redis>::clone(&redis),
            Arc::clone(clock),
            settings.max_staleness,
            settings.on_stale,
        )
        .with_key_roll(Arc::<Redis>::clone(&redis));
        Ok(Self {
            store: shared.guarded(),
            embedded: None,
            redis: Some((redis, shared)),
        })
    }
}
