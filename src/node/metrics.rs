use std::path::PathBuf;
use std::sync::Arc;

use super::core::Core;
use crate::domain::Timestamp;
use crate::proxy::Upstreams;
use crate::server::EdgeTls;
use crate::telemetry::{AccessLog, Labels, Metrics, WorkerMetrics};

/// Everything that is measured on a node.
pub(super) fn metrics(
    labels: Labels,
    workers: Vec<Arc<WorkerMetrics>>,
    core: &Core,
    upstreams: Arc<Upstreams>,
    access: &AccessLog,
) -> Metrics {
    let mut metrics = Metrics::new(labels, workers);
    let ledger = Arc::clone(&core.ledger);
    let help = "Admissions that the ledger knows";
    metrics.gauge("admissions_live", help, move || count(ledger.live()));
    let authenticator = Arc::clone(&core.authenticator);
    let help = "Admissions in the cache, about";
    metrics.gauge("admissions_cached", help, move || authenticator.cached());
    let help = "Exchanges in flight with upstreams";
    metrics.gauge("upstream_exchanges", help, move || {
        count(upstreams.in_flight())
    });
    let dropped = access.clone();
    let help = "Buffers of access lines that nobody took in time";
    metrics.counter("access_buffers_dropped", help, move || dropped.dropped());
    let store = Arc::clone(&core.embedded);
    let help = "Size of the store's file";
    metrics.gauge("store_file_bytes", help, move || {
        store.file_bytes().unwrap_or(0)
    });
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
    metrics.gauges(name, help, "certificate", move || {
        let expiries = tls.expiries().into_iter();
        let expiry =
            |(path, end): (PathBuf, Timestamp)| (path.display().to_string(), end.as_secs());
        expiries.map(expiry).collect()
    });
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
