use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::Shared;
use super::core::Core;
use crate::domain::Timestamp;
use crate::gateway;
use crate::proxy::Upstreams;
use crate::revocation::{DROPS, Doubt};
use crate::server::EdgeTls;
use crate::telemetry::{AccessLog, Metrics, Sample, WorkerMetrics};

/// Everything that is measured on a node.
pub(super) fn metrics(
    workers: Vec<Arc<WorkerMetrics>>,
    core: &Core,
    upstreams: &watch::Receiver<Arc<Upstreams>>,
    access: &AccessLog,
) -> Metrics {
    let mut metrics = Metrics::new(gateway::Shared::codes(), workers);
    let ledger = Arc::clone(&core.ledger);
    let help = "Admissions that the ledger knows";
    metrics.gauge("admissions_live", help, move || count(ledger.live()));
    let authenticator = Arc::clone(&core.authenticator);
    let help = "Admissions in the cache, about";
    metrics.gauge("admissions_cached", help, move || authenticator.cached());
    Upstreams::measure(upstreams, &mut metrics);
    let dropped = access.clone();
    let help = "Buffers of access lines that nobody took in time";
    metrics.counter("access_buffers_dropped", help, move || dropped.dropped());
    if let Some(store) = core.embedded.clone() {
        let help = "Size of the store's file";
        metrics.gauge("store_file_bytes", help, move || {
            store.file_bytes().unwrap_or(0)
        });
    }
    admission_metrics(&mut metrics, core);
    if let Some(core) = &core.shared {
        link_metrics(&mut metrics, &core.shared);
    }
    if let Some(mail) = &core.mail {
        let outbox = mail.outbox.clone();
        let help = "Mails that wait or are being sent";
        metrics.gauge("mails_queued", help, move || count(outbox.stats().queued));
        let outbox = mail.outbox.clone();
        metrics.counter("mails_sent", "Mails sent", move || outbox.stats().sent);
        let outbox = mail.outbox.clone();
        let help = "Mails given up";
        metrics.counter("mails_given_up", help, move || outbox.stats().given_up);
    }
    metrics
}

/// Adds until when certificates are valid.
pub(super) fn measure_certificates(metrics: &mut Metrics, tls: &EdgeTls) {
    let tls = tls.clone();
    let name = "tls_certificate_expiry_timestamp_seconds";
    let help = "Until when each certificate of the listeners is valid";
    metrics.gauges(name, help, move || {
        let expiries = tls.expiries().into_iter();
        let expiry = |(path, end): (PathBuf, Timestamp)| Sample {
            labels: vec![("certificate", path.display().to_string())],
            value: u64::try_from(end.as_secs()).unwrap_or(0),
        };
        expiries.map(expiry).collect()
    });
}

fn admission_metrics(metrics: &mut Metrics, core: &Core) {
    let authenticator = Arc::clone(&core.authenticator);
    let help = "Credentials that were found in the cache of admissions";
    metrics.counter("admission_cache_hits", help, move || authenticator.hits());
    let authenticator = Arc::clone(&core.authenticator);
    let help = "Credentials that were checked with the store";
    let misses = move || authenticator.misses();
    metrics.counter("admission_cache_misses", help, misses);
    let ledger = Arc::clone(&core.ledger);
    let help = "Live admissions that stopped admitting, by why";
    let dropped = move |reason| ledger.dropped(reason);
    metrics.counters_by_word(
        "admissions_dropped",
        help,
        ("reason", DROPS.to_vec()),
        dropped,
    );
}

/// How this node keeps up with the others.
fn link_metrics(metrics: &mut Metrics, shared: &Shared) {
    let freshness = Arc::clone(shared.freshness());
    let help = "How old this node's knowledge of the store's changes is";
    metrics.span("store_knowledge_age", help, move || freshness.age());
    let freshness = Arc::clone(shared.freshness());
    let help = "Whether this node's knowledge is fresh enough to admit anything (1) or not (0)";
    let fresh = move || u64::from(freshness.check().is_ok());
    metrics.gauge("store_knowledge_fresh", help, fresh);
    let clock = Arc::clone(shared.clock());
    let help = "How far this machine's clock is from the store's, where they differ";
    metrics.span("store_clock_difference", help, move || Some(clock.apart()));
    let state = Arc::clone(shared.state());
    let help = "Whether the link to the store is up (1) or not (0)";
    metrics.gauge("store_link_up", help, move || state.up());
    let state = Arc::clone(shared.state());
    let help = "Times that the link to the store was made";
    metrics.counter("store_link_connects", help, move || state.connects());
    let state = Arc::clone(shared.state());
    let help = "Times that the link to the store was lost";
    metrics.counter("store_link_losses", help, move || state.losses());
    let state = Arc::clone(shared.state());
    let help = "Changes that came through the log of the store";
    metrics.counter("store_changes_applied", help, move || state.applied());
    let state = Arc::clone(shared.state());
    let help = "Revocations sent again to a server that may have lost them";
    let sent_again = move || state.sent_again();
    metrics.counter("store_revocations_sent_again", help, sent_again);
    let state = Arc::clone(shared.state());
    let help = "Times that everything was checked again, by why";
    let words = Doubt::ALL.map(Doubt::as_str).to_vec();
    metrics.counters_by_word("store_doubts", help, ("reason", words), move |doubt| {
        state.doubts(doubt)
    });
    let help = "From when a change of this node was recorded until it came back through the log";
    let spans = Arc::clone(shared.recent().round_trips());
    metrics.spans("store_change_round_trip", help, spans);
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
