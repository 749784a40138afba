use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::chance::Chance;
use super::check::{Question, Unwell};
use super::server::Server;
use super::upstream::{Upstream, host_of};
use crate::config::HealthCheck;

/// The servers that are asked, each by a task of its own.
type Asked = Vec<(Arc<Server>, tokio::task::AbortHandle)>;

/// Asks every server of an upstream how it is, for ever, as servers come and go.
pub(super) async fn attend(upstream: Arc<Upstream>) {
    let mut changes = upstream.changes();
    let mut asking = JoinSet::new();
    let mut asked: Asked = Vec::new();
    loop {
        changes.borrow_and_update();
        let servers = upstream.servers();
        asked.retain(|(server, task)| {
            let stays = servers.iter().any(|other| Arc::ptr_eq(server, other));
            if !stays {
                task.abort();
            }
            stays
        });
        for server in servers.iter() {
            if !asked.iter().any(|(other, _)| Arc::ptr_eq(server, other)) {
                let task = keep_asking(Arc::clone(&upstream), Arc::clone(server));
                asked.push((Arc::clone(server), asking.spawn(task)));
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
        // The ends of those that were aborted.
        while asking.try_join_next().is_some() {}
    }
}

async fn keep_asking(upstream: Arc<Upstream>, server: Arc<Server>) {
    let Some(config) = &upstream.config.health_check else {
        return;
    };
    let servers = upstream.config.servers.first();
    let question = Question::new(config, &host_of(servers.map(|server| &server.address)));
    let mut verdict = Verdict::default();
    loop {
        let answer = question.ask(&server.target, &upstream.config, config).await;
        if !answer.as_ref().is_err_and(Unwell::is_ours) {
            if answer.is_err() {
                server.standing.count_failed_check();
            }
            if let Some(is_well) = verdict.after(answer.is_ok(), config) {
                server.standing.set_down(!is_well, upstream.now());
                tell(&upstream, &server, answer.err());
            }
        }
        tokio::time::sleep(pause(config.interval)).await;
    }
}

/// Jittered, lest the nodes of a fleet all ask at once.
fn pause(interval: Duration) -> Duration {
    Chance::new().about(interval)
}

fn tell(upstream: &Upstream, server: &Server, unwell: Option<Unwell>) {
    let (upstream, server) = (upstream.config.name.as_str(), server.name());
    match unwell {
        None => tracing::info!(upstream, server, "upstream server is well again"),
        Some(unwell) => {
            let error = &unwell as &dyn std::error::Error;
            tracing::warn!(error, upstream, server, "upstream server is not well");
        }
    }
}

/// What the answers so far say. A server counts as well until the first one, which decides alone.
#[derive(Debug, Default)]
struct Verdict {
    is_down: bool,
    was_asked: bool,
    /// Answers in a row that say otherwise.
    against: u32,
}

impl Verdict {
    /// Whether the server is well from now on; nothing when that is as it was.
    fn after(&mut self, is_good: bool, config: &HealthCheck) -> Option<bool> {
        let is_first = !std::mem::replace(&mut self.was_asked, true);
        if is_good != self.is_down {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        let enough = match self.is_down {
            _ if is_first => 1,
            true => config.healthy_after,
            false => config.unhealthy_after,
        };
        if self.against < enough {
            return None;
        }
        self.against = 0;
        self.is_down = !self.is_down;
        Some(is_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_so_many_answers_in_a_row_and_the_first_decides_alone() {
        let config = HealthCheck {
            path: http::uri::PathAndQuery::from_static("/"),
            status: 200..=299,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 2,
            unhealthy_after: 3,
            host: None,
        };
        let told = |answers: &str| -> Vec<Option<bool>> {
            let mut verdict = Verdict::default();
            let answers = answers.chars().map(|c| c == '+');
            answers.map(|good| verdict.after(good, &config)).collect()
        };
        assert_eq!(told("-")[0], Some(false));
        assert_eq!(told("--++")[3], Some(true));
        assert_eq!(told("+--+--")[..], [None; 6]);
        assert_eq!(told("+---")[3], Some(false));
        assert_eq!(told("+---+-++").iter().flatten().count(), 2);
    }
}
