use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::dialer::Dialer;
use super::fault::Fault;
use super::keys::Keys;
use super::limits::Limits;
use super::link::new_store;
use super::primary::Finder;
use super::scripts::FOUND;
use super::sentinels::SwitchWatch;
use super::session::{Session, unavailable};
use super::trouble::Trouble;
use super::{Redis, resend};
use crate::domain::Clock;
use crate::store::{Answer, Beat, Entry, Feed, StoreError};

impl Feed for Redis {
    /// Cancel safe: what was made is closed.
    fn connect(&self) -> Answer<'_, Beat> {
        Box::pin(async move {
            self.close();
            *self.session.lock() = None;
            let session = self.dialled().await?;
            self.found(&session).await?;
            let beat = self.policy.beat(&session).await?;
            if beat.store.is_some() {
                self.has_seen_store.store(true, Ordering::Relaxed);
            }
            *self.session.lock() = Some(session);
            Ok(beat)
        })
    }

    fn beat(&self) -> Answer<'_, Beat> {
        Box::pin(async move {
            let session = self.connected()?;
            self.policy.beat(&session).await
        })
    }

    fn entries(&self, after: u64, wait: Duration) -> Answer<'_, Vec<Entry>> {
        Box::pin(async move {
            let session = self.connected()?;
            self.policy.entries(&session, after, wait).await
        })
    }

    fn send_again<'a>(&'a self, entry: &'a Entry) -> Answer<'a, ()> {
        Box::pin(async move {
            let session = self.connected()?;
            resend::send_again(&session, entry).await
        })
    }

    fn open(&self) {
        if let Some(session) = self.session.lock().as_ref() {
            session.is_open.store(true, Ordering::Release);
        }
    }

    fn close(&self) {
        if let Some(session) = self.session.lock().as_ref() {
            session.is_open.store(false, Ordering::Release);
        }
    }
}

impl Redis {
    /// Connections to the primary. They are made on the runtime of the store, so that they outlive the
    /// one that asked.
    pub(super) async fn dialled(&self) -> Result<Arc<Session>, StoreError> {
        let plan = Plan {
            finder: self.finder.clone(),
            dialer: self.dialer.clone(),
            keys: self.keys.clone(),
            clock: Arc::clone(&self.clock),
            patience: self.policy.patience,
        };
        let task = self.runtime.spawn(plan.carry_out());
        let _abort = AbortOnDrop(task.abort_handle());
        match task.await {
            Ok(session) => session.map(Arc::new).map_err(Fault::of_read),
            Err(_) => Err(unavailable("the gateway is shutting down")),
        }
    }

    /// Gives an empty store an identity, unless this process knows one: then it was another store.
    async fn found(&self, session: &Session) -> Result<(), StoreError> {
        if self.has_seen_store.load(Ordering::Relaxed) {
            return Ok(());
        }
        let id = new_store();
        let found = session.data.run::<Option<String>>(
            &FOUND,
            |call| {
                let others = self.keys.of_any_store();
                call.arg(1 + others.len())
                    .arg(self.keys.id())
                    .arg(&others)
                    .arg(&id);
            },
            session.patience,
        );
        match found.await {
            Ok(_) => Ok(()),
            // A server that takes no writes now says so in its beat.
            Err(Fault::Refused {
                is_wrong_server: false,
                ..
            }) => Ok(()),
            Err(fault) => Err(fault.of_read()),
        }
    }
}

/// All that it takes to connect.
struct Plan {
    finder: Arc<Finder>,
    dialer: Dialer,
    keys: Keys,
    clock: Arc<dyn Clock>,
    patience: Duration,
}

impl Plan {
    async fn carry_out(self) -> Result<Session, Fault> {
        let trouble = Arc::<Trouble>::default();
        let primary = self.finder.find(&trouble).await?;
        let dial = || self.dialer.dial(&primary.address, &trouble);
        let (data, changes, limits) = tokio::try_join!(dial(), dial(), dial())?;
        let switches = SwitchWatch::start(&self.finder, &primary.address, &trouble);
        Ok(Session {
            limits: Limits::new(limits, &primary.address, primary.slots, &self.dialer),
            keys: self.keys,
            clock: self.clock,
            address: primary.address,
            info: primary.info,
            link: primary.connection,
            data,
            changes,
            trouble,
            patience: self.patience,
            has_replicas: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
            _switches: switches,
        })
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
