use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::auth::Tokens;
use crate::domain::Clock;
use crate::store::{KeyRoll, StoreError};

/// Sees that this node has every key that another live node signs with: without it, it would refuse
/// good tokens.
#[derive(Debug)]
pub struct KeyWatch {
    tokens: Arc<Tokens>,
    clock: Arc<dyn Clock>,
    missing: Mutex<Option<String>>,
}

/// How often a node says which key it signs with.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// A node that has said nothing for so long signs nothing either.
const LIVE_WITHIN: Duration = Duration::from_secs(30);

impl KeyWatch {
    /// A watch that misses nothing yet.
    #[must_use]
    pub fn new(tokens: Arc<Tokens>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            tokens,
            clock,
            missing: Mutex::default(),
        })
    }

    /// A key that another node signs with and this one lacks.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        self.missing.lock().clone()
    }

    /// Says and looks for as long as the node runs.
    pub async fn run(self: Arc<Self>, roll: Arc<dyn KeyRoll>) {
        let mut every = tokio::time::interval(SAY_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Err(error) = self.look(roll.as_ref()).await {
                // While the store is away nothing is admitted anyway.
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "signing keys not compared");
            }
        }
    }

    /// Looks for the keys that others sign with, and says which this node signs with unless it lacks one of
    /// them: a newcomer with the wrong keys is not ready, and the others stay so.
    ///
    /// # Errors
    ///
    /// When the store could not be asked; what was known stands.
    pub async fn look(&self, roll: &dyn KeyRoll) -> Result<(), StoreError> {
        let now = self.clock.now();
        let ring = self.tokens.keyring();
        let seen = roll.seen_since(now.before(LIVE_WITHIN)).await?;
        let missing = seen.into_iter().find(|kid| !ring.has(kid));
        if missing.is_none()
            && let Some(key) = ring.signer(now)
        {
            roll.announce(key.kid(), now).await?;
        }
        let mut known = self.missing.lock();
        if *known != missing {
            match &missing {
                Some(kid) => tracing::error!(
                    kid,
                    "another node signs sessions with a key that this node lacks; add it to [sessions]"
                ),
                None => tracing::info!("this node has every key that other nodes sign with"),
            }
            *known = missing;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{KeyRing, SigningKey};
    use crate::config::Algorithm;
    use crate::domain::{ManualClock, Timestamp};
    use crate::store::Answer;

    /// A roll that keeps what was said, and when.
    #[derive(Debug, Default)]
    struct Said(Mutex<Vec<(String, Timestamp)>>);

    impl KeyRoll for Said {
        fn announce<'a>(&'a self, kid: &'a str, now: Timestamp) -> Answer<'a, ()> {
            self.0.lock().push((kid.to_owned(), now));
            Box::pin(async { Ok(()) })
        }

        fn seen_since(&self, since: Timestamp) -> Answer<'_, Vec<String>> {
            let said = self.0.lock();
            let seen = said.iter().filter(|(_, at)| *at >= since);
            let seen = seen.map(|(kid, _)| kid.clone()).collect();
            Box::pin(async move { Ok(seen) })
        }
    }

    fn tokens() -> Arc<Tokens> {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let ring = KeyRing::single(key).unwrap();
        Arc::new(Tokens::new(ring, "a", "a", Duration::from_secs(60)))
    }

    #[tokio::test]
    async fn a_key_that_a_live_node_signs_with_is_missed_until_that_node_is_gone() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let (first, second) = (tokens(), tokens());
        let said = Said::default();
        let settled = KeyWatch::new(Arc::clone(&first), clock.clone());
        let newcomer = KeyWatch::new(second, clock.clone());
        settled.look(&said).await.unwrap();
        assert_eq!(settled.missing(), None);

        newcomer.look(&said).await.unwrap();
        settled.look(&said).await.unwrap();
        let kid = first
            .keyring()
            .signer(clock.now())
            .unwrap()
            .kid()
            .to_owned();
        assert_eq!(newcomer.missing(), Some(kid));
        assert_eq!(settled.missing(), None, "the newcomer signs nothing");

        clock.advance(LIVE_WITHIN + Duration::from_secs(1));
        newcomer.look(&said).await.unwrap();
        assert_eq!(newcomer.missing(), None);
    }
}
