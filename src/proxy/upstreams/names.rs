use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::resolver::Resolver;
use super::upstream::Upstream;

/// How long to wait after a look-up that failed, the first time and at the most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Looks a name up again whenever the last answer has expired. Where that fails, what was known stays.
///
/// `unknown` counts the names that were never looked up.
pub(super) async fn keep_resolved(
    (resolver, unknown): (Arc<Resolver>, Arc<watch::Sender<usize>>),
    upstream: Arc<Upstream>,
    (index, name, port): (usize, String, u16),
) {
    let mut pause = FIRST_PAUSE;
    let mut is_failing = false;
    let mut is_first = true;
    loop {
        let found = resolver.look_up(&name, port).await;
        let holds = match found {
            Ok(found) => {
                if upstream.found(index, found.addresses.clone()) {
                    tell(&upstream, &name, &found.addresses);
                }
                pause = FIRST_PAUSE;
                is_failing = false;
                found.holds
            }
            Err(error) => {
                upstream.failed_lookups.fetch_add(1, Ordering::Relaxed);
                // A name that stays unknown is told of once.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        upstream = upstream.config.name,
                        name,
                        "name of upstream servers not found; those known stay"
                    );
                }
                let now = pause;
                pause = pause.saturating_mul(2).min(MAX_PAUSE);
                now
            }
        };
        if std::mem::take(&mut is_first) {
            unknown.send_modify(|unknown| *unknown = unknown.saturating_sub(1));
        }
        tokio::time::sleep(holds).await;
    }
}

fn tell(upstream: &Upstream, name: &str, addresses: &[std::net::SocketAddr]) {
    let mut servers: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    servers.sort();
    tracing::info!(
        upstream = upstream.config.name,
        name,
        servers = servers.join(" "),
        "addresses of upstream servers have changed"
    );
}
