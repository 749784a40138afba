use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metrics::{BUCKETS, counter, seconds};

/// How long something took, counted by whoever saw it.
#[derive(Debug, Default)]
pub struct Spans {
    /// How many took up to each of [`BUCKETS`], and how many longer.
    counts: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Spans {
    /// Counts one.
    pub fn count(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counts = self.counts.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

#[derive(Debug)]
pub(super) struct SpansNamed {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) spans: Arc<Spans>,
}

impl Collector for SpansNamed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let bounds = BUCKETS.iter().map(|&micros| seconds(micros));
        let counts = self.spans.counts.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        let total = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.spans.micros.load(Ordering::Relaxed));
        let (unit, kind) = (Unit::Seconds, MetricType::Histogram);
        encoder
            .encode_descriptor(self.name, self.help, Some(&unit), kind)?
            .encode_histogram::<NoLabelSet>(sum, total, &buckets, None)
    }
}

/// A span of time that is asked for.
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) value: Box<dyn Fn() -> Option<Duration> + Send + Sync>,
}

impl Collector for Span {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(span) = (self.value)() else {
            return Ok(());
        };
        let (unit, kind) = (Unit::Seconds, MetricType::Gauge);
        encoder
            .encode_descriptor(self.name, self.help, Some(&unit), kind)?
            .encode_gauge(&span.as_secs_f64())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A counter with one label, asked for by the index of its word.
pub(super) struct ByWord {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) label: &'static str,
    pub(super) words: Vec<&'static str>,
    pub(super) value: Box<dyn Fn(usize) -> u64 + Send + Sync>,
}

impl Collector for ByWord {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let kind = MetricType::Counter;
        let mut encoder = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        for (index, word) in self.words.iter().enumerate() {
            let labels = [(self.label, *word)];
            counter(&mut encoder.encode_family(&labels)?, (self.value)(index))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ByWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByWord")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

pub(super) type Value = Box<dyn Fn() -> u64 + Send + Sync>;

/// A value that is asked for at each scrape.
pub(super) struct Asked {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricType,
    pub(super) value: Value,
}

impl Collector for Asked {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let value = (self.value)();
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        if matches!(self.kind, MetricType::Counter) {
            counter(&mut metric, value)
        } else {
            metric.encode_gauge(&value)
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// One value of a metric with labels.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What it is the value of.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: u64,
}

pub(super) type Samples = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// Values with labels that are asked for at each scrape.
pub(super) struct Sampled {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricType,
    pub(super) samples: Samples,
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for sample in (self.samples)() {
            let mut metric = metric.encode_family(&sample.labels)?;
            if matches!(self.kind, MetricType::Counter) {
                counter(&mut metric, sample.value)?;
            } else {
                metric.encode_gauge(&sample.value)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
