use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::collectors::{Asked, ByWord, Sample, Sampled, Samples, Span, Spans, SpansNamed, Value};
use super::requests::{CLASSES, Requests, RouteCounts};

/// What `/metrics` shows: the sum over the workers, and values that others are asked for.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

/// What one worker counts. Only it writes, so an addition is never contended.
#[derive(Debug)]
pub struct WorkerMetrics {
    requests: Requests,
    /// By code.
    refusals: Vec<AtomicU64>,
    /// How many requests took up to each of [`BUCKETS`], and how many longer.
    durations: [AtomicU64; BUCKETS.len() + 1],
    duration_micros: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections open.
    pub open: AtomicU64,
    /// TLS handshakes that failed or came too late.
    pub handshakes_failed: AtomicU64,
    /// Connections refused because their address had too many.
    pub crowded_out: AtomicU64,
    /// Connections refused because they did not begin as the PROXY protocol has it.
    pub proxy_headers_refused: AtomicU64,
    /// Exchanges cut by a revocation.
    pub cut: AtomicU64,
    /// Connections made to upstreams.
    pub upstream_connects: AtomicU64,
    /// Interim answers of upstreams that were not passed on.
    pub interim_dropped: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The status of the answer.
    pub status: u16,
    /// Index into the codes, when it was refused.
    pub code: Option<usize>,
    /// From the head of the request to the end of the answer, in microseconds.
    pub micros: u64,
    /// Bytes of the request's body.
    pub received_bytes: u64,
    /// Bytes of the answer's body.
    pub sent_bytes: u64,
}

/// Upper bounds in microseconds.
pub(super) const BUCKETS: [u64; 12] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// Counters of a worker that need no label: name, help, and where they are.
type Plain = (&'static str, &'static str, fn(&WorkerMetrics) -> &AtomicU64);
const COUNTERS: [Plain; 9] = [
    ("connections_accepted", "Connections accepted", |worker| {
        &worker.accepted
    }),
    (
        "tls_handshakes_failed",
        "TLS handshakes that failed or came too late",
        |worker| &worker.handshakes_failed,
    ),
    (
        "connections_crowded_out",
        "Connections refused because their address had too many",
        |worker| &worker.crowded_out,
    ),
    (
        "proxy_headers_refused",
        "Connections refused because they did not begin as the PROXY protocol has it",
        |worker| &worker.proxy_headers_refused,
    ),
    (
        "exchanges_cut",
        "Exchanges cut because their credential was revoked",
        |worker| &worker.cut,
    ),
    (
        "upstream_connects",
        "Connections made to upstreams",
        |worker| &worker.upstream_connects,
    ),
    (
        "upstream_interim_dropped",
        "Interim answers of upstreams that were not passed on",
        |worker| &worker.interim_dropped,
    ),
    ("request_body_bytes", "Bytes of request bodies", |worker| {
        &worker.received_bytes
    }),
    (
        "response_body_bytes",
        "Bytes of response bodies",
        |worker| &worker.sent_bytes,
    ),
];

impl Metrics {
    /// Metrics over these workers, all made for `codes`.
    #[must_use]
    pub fn new(codes: Vec<&'static str>, workers: Vec<Arc<WorkerMetrics>>) -> Self {
        let mut registry = Registry::with_prefix("dariet");
        registry.register_collector(Box::new(Workers { codes, workers }));
        Self { registry }
    }

    /// Adds a value that is asked for at each scrape and can go up and down.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.asked(name, help, MetricType::Gauge, Box::new(value));
    }

    /// Adds a value that is asked for at each scrape and only goes up.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.asked(name, help, MetricType::Counter, Box::new(value));
    }

    /// Adds values with labels that are asked for at each scrape and can go up and down.
    pub fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.sampled(name, help, MetricType::Gauge, Box::new(samples));
    }

    /// Adds values with labels that are asked for at each scrape and only go up.
    pub fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.sampled(name, help, MetricType::Counter, Box::new(samples));
    }

    /// Adds a counter with one label, whose words are `words`; `value` is asked by their index.
    pub fn counters_by_word(
        &mut self,
        name: &'static str,
        help: &'static str,
        (label, words): (&'static str, Vec<&'static str>),
        value: impl Fn(usize) -> u64 + Send + Sync + 'static,
    ) {
        self.registry.register_collector(Box::new(ByWord {
            name,
            help,
            label,
            words,
            value: Box::new(value),
        }));
    }

    /// Adds a span of time that is asked for at each scrape, where there is one.
    pub fn span(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> Option<Duration> + Send + Sync + 'static,
    ) {
        self.registry.register_collector(Box::new(Span {
            name,
            help,
            value: Box::new(value),
        }));
    }

    /// Adds a histogram of spans of time.
    pub fn spans(&mut self, name: &'static str, help: &'static str, spans: Arc<Spans>) {
        let collector = SpansNamed { name, help, spans };
        self.registry.register_collector(Box::new(collector));
    }

    /// Everything, in the OpenMetrics text format.
    ///
    /// # Errors
    ///
    /// When a value cannot be written, which a correct program does not see.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn sampled(&mut self, name: &'static str, help: &'static str, kind: MetricType, of: Samples) {
        self.registry.register_collector(Box::new(Sampled {
            name,
            help,
            kind,
            samples: of,
        }));
    }

    fn asked(&mut self, name: &'static str, help: &'static str, kind: MetricType, value: Value) {
        self.registry.register_collector(Box::new(Asked {
            name,
            help,
            kind,
            value,
        }));
    }
}

impl WorkerMetrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(codes: &[&'static str]) -> Self {
        Self {
            requests: Requests::default(),
            refusals: codes.iter().map(|_| AtomicU64::new(0)).collect(),
            durations: Default::default(),
            duration_micros: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            crowded_out: AtomicU64::new(0),
            proxy_headers_refused: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            upstream_connects: AtomicU64::new(0),
            interim_dropped: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// Where the requests of the routes with these names are counted from now on. Names that are there
    /// again go on; one that is gone is shown until the next call.
    #[must_use]
    pub fn routes(&self, names: &[String]) -> Vec<Arc<RouteCounts>> {
        self.requests.of(names)
    }

    /// Counts a request that has ended.
    pub fn count(&self, route: Option<&RouteCounts>, outcome: &Outcome) {
        let class = usize::from(outcome.status / 100).saturating_sub(1);
        if let Some(requests) = route.and_then(|route| route.of(class)) {
            add(requests, 1);
        }
        if let Some(refusals) = outcome.code.and_then(|code| self.refusals.get(code)) {
            add(refusals, 1);
        }
        let bucket = BUCKETS.partition_point(|&bound| bound < outcome.micros);
        if let Some(duration) = self.durations.get(bucket) {
            add(duration, 1);
        }
        add(&self.duration_micros, outcome.micros);
        add(&self.received_bytes, outcome.received_bytes);
        add(&self.sent_bytes, outcome.sent_bytes);
    }
}

/// A plain load and store where there is one writer; a locked addition costs twenty times that.
fn add(counter: &AtomicU64, more: u64) {
    let now = counter.load(Ordering::Relaxed);
    counter.store(now.wrapping_add(more), Ordering::Relaxed);
}

#[derive(Debug)]
struct Workers {
    codes: Vec<&'static str>,
    workers: Vec<Arc<WorkerMetrics>>,
}

impl Workers {
    fn sum(&self, counter: impl Fn(&WorkerMetrics) -> Option<&AtomicU64>) -> u64 {
        let counters = self.workers.iter().filter_map(|worker| counter(worker));
        counters.map(|one| one.load(Ordering::Relaxed)).sum()
    }

    fn requests(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut routes = BTreeMap::<String, [u64; CLASSES.len()]>::new();
        for worker in &self.workers {
            worker.requests.add_to(&mut routes);
        }
        for (name, counts) in &routes {
            for (status, count) in CLASSES.iter().zip(counts) {
                if *count > 0 {
                    let labels = [("route", name.as_str()), ("status", status)];
                    counter(&mut encoder.encode_family(&labels)?, *count)?;
                }
            }
        }
        Ok(())
    }

    fn refusals(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (index, name) in self.codes.iter().enumerate() {
            let count = self.sum(|worker| worker.refusals.get(index));
            if count > 0 {
                counter(&mut encoder.encode_family(&[("code", *name)])?, count)?;
            }
        }
        Ok(())
    }

    fn durations(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(BUCKETS.len() + 1);
        let bounds = BUCKETS.iter().map(|&micros| seconds(micros));
        for (index, bound) in bounds.chain([f64::INFINITY]).enumerate() {
            let count = self.sum(|worker| worker.durations.get(index));
            total += count;
            buckets.push((bound, count));
        }
        let sum = self.sum(|worker| Some(&worker.duration_micros));
        encoder.encode_histogram::<NoLabelSet>(seconds(sum), total, &buckets, None)
    }
}

impl Collector for Workers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = MetricType::Counter;
        let help = "Requests answered, by route and class of status";
        self.requests(encoder.encode_descriptor("requests", help, None, counts)?)?;
        let help = "Requests refused or failed, by code";
        self.refusals(encoder.encode_descriptor("refusals", help, None, counts)?)?;
        let help = "From the head of a request to the end of its answer";
        let (unit, histogram) = (Unit::Seconds, MetricType::Histogram);
        let name = "request_duration";
        self.durations(encoder.encode_descriptor(name, help, Some(&unit), histogram)?)?;
        for (name, help, of) in COUNTERS {
            let count = self.sum(|worker| Some(of(worker)));
            counter(
                &mut encoder.encode_descriptor(name, help, None, counts)?,
                count,
            )?;
        }
        let open = self.sum(|worker| Some(&worker.open));
        let help = "Connections open";
        encoder
            .encode_descriptor("connections_open", help, None, MetricType::Gauge)?
            .encode_gauge(&open)
    }
}

pub(super) fn counter(encoder: &mut MetricEncoder<'_>, value: u64) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, u64, f64>(&value, None)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sum of seconds is shown, not counted with"
)]
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
