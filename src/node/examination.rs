use std::sync::Arc;
use std::time::Duration;

use super::{LinkState, NodeError};
use crate::store::{Finding, Redis, Severity, StoreError};

/// Looks at how the servers of a shared store are set up, and tells what its operator should know: when
/// the node begins, and whenever the link has found a server.
#[derive(Debug)]
pub(super) struct Examination {
    redis: Arc<Redis>,
    /// What was told already.
    told: Vec<Finding>,
}

/// What a server may take to be looked at.
const PATIENCE: Duration = Duration::from_secs(10);
/// A link that comes and goes must not have its servers looked at all the time.
const PAUSE: Duration = Duration::from_secs(5);

impl Examination {
    /// Looks for the first time. A store that cannot be reached now is looked at when the link is up.
    ///
    /// # Errors
    ///
    /// [`NodeError::UnfitRedis`] when a node must not run on this server.
    pub(super) async fn begin(redis: Arc<Redis>) -> Result<Self, NodeError> {
        let mut this = Self {
            redis,
            told: Vec::new(),
        };
        match examine(&this.redis).await {
            Ok(findings) => {
                let findings = fit(findings)?;
                this.tell(findings);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "store cannot be reached; until it is, what needs it is refused"
                );
            }
        }
        Ok(this)
    }

    /// Looks again for as long as the node runs.
    pub(super) async fn go_on(mut self, state: Arc<LinkState>) {
        let mut connects = state.watch_connects();
        while connects.changed().await.is_ok() {
            match examine(&self.redis).await {
                Ok(findings) => self.tell(findings),
                // The link says what is wrong.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "store server not examined");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells what was not told before.
    fn tell(&mut self, findings: Vec<Finding>) {
        for finding in findings.iter().filter(|it| !self.told.contains(it)) {
            let text = finding.message.as_str();
            match finding.severity {
                Severity::Error => tracing::error!(finding = text, "store server is unfit"),
                Severity::Warning => tracing::warn!(finding = text, "store server is unsafe"),
                Severity::Note => tracing::info!(finding = text, "store server examined"),
            }
        }
        self.told = findings;
    }
}

/// What there is to say about the server of `redis`, when a node may run on it.
///
/// # Errors
///
/// [`NodeError::UnfitRedis`] when it must not, [`NodeError::StoreAway`] when it cannot be asked.
pub(super) async fn must_be_fit(redis: &Redis) -> Result<Vec<Finding>, NodeError> {
    let findings = examine(redis).await;
    fit(findings.map_err(NodeError::StoreAway)?)
}

async fn examine(redis: &Redis) -> Result<Vec<Finding>, StoreError> {
    let examined = tokio::time::timeout(PATIENCE, redis.examine()).await;
    examined.unwrap_or_else(|late| Err(StoreError::unavailable("redis does not answer", late)))
}

fn fit(findings: Vec<Finding>) -> Result<Vec<Finding>, NodeError> {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let errors: Vec<_> = findings.iter().filter(is_error).collect();
    if errors.is_empty() {
        return Ok(findings);
    }
    let errors: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    Err(NodeError::UnfitRedis(errors.join("; ")))
}
