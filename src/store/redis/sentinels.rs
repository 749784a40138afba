use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::AbortHandle;

use super::dialer::Dialer;
use super::fault::Fault;
use super::primary::Finder;
use super::trouble::Trouble;
use crate::config::{RedisAddress, RedisHost};

/// Listens to every Sentinel for a switch to another primary, so that a failover is noticed when it
/// happens and not when beats fail. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct SwitchWatch(Vec<AbortHandle>);

/// How long it takes until a Sentinel that went away is asked again.
const PAUSE: Duration = Duration::from_secs(1);

impl SwitchWatch {
    pub(super) fn start(finder: &Finder, at: &RedisAddress, trouble: &Arc<Trouble>) -> Self {
        let Some((sentinels, primary, dialer)) = finder.sentinels() else {
            return Self(Vec::new());
        };
        let tasks = sentinels.iter().map(|sentinel| {
            let watch = Watch {
                sentinel: RedisAddress::Host(sentinel.clone()),
                primary: primary.to_owned(),
                at: at.clone(),
                dialer: dialer.clone(),
                trouble: Arc::clone(trouble),
            };
            tokio::spawn(watch.run()).abort_handle()
        });
        Self(tasks.collect())
    }
}

impl Drop for SwitchWatch {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

struct Watch {
    sentinel: RedisAddress,
    primary: String,
    at: RedisAddress,
    dialer: Dialer,
    trouble: Arc<Trouble>,
}

impl Watch {
    async fn run(self) {
        while self.trouble.reason().is_none() {
            if let Err(fault) = self.listen().await {
                tracing::debug!(sentinel = %self.sentinel, reason = %fault.of_read(), "sentinel not heard");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn listen(&self) -> Result<(), Fault> {
        let mut heard = self.dialer.listen(&self.sentinel).await?;
        heard.subscribe("+switch-master").await?;
        let mut messages = heard.on_message();
        while let Some(message) = messages.next().await {
            let text: String = message.get_payload().unwrap_or_default();
            if let Some(host) = switched(&text, &self.primary)
                && self.at != RedisAddress::Host(host.clone())
            {
                self.trouble
                    .report(format!("the Sentinels made redis at {host} the primary"));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Where the primary `name` is now, of `<name> <old host> <old port> <new host> <new port>`.
fn switched(message: &str, name: &str) -> Option<RedisHost> {
    let mut words = message.split(' ');
    if words.next() != Some(name) {
        return None;
    }
    Some(RedisHost {
        host: words.nth(2)?.to_owned(),
        port: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_switch_of_our_own_primary_counts() {
        let message = "mymaster 10.0.0.1 6379 10.0.0.2 6380";
        let host = switched(message, "mymaster").unwrap();
        assert_eq!(host.to_string(), "10.0.0.2:6380");
        assert!(switched(message, "other").is_none());
        assert!(switched("mymaster", "mymaster").is_none());
    }
}
