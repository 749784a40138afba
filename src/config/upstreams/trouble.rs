use std::time::Duration;

use crate::config::section::Section;

/// `[upstreams.NAME.ejection]`: a server that fails is left alone for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// `failures` in a row after which it is; a refused connection is reason enough (5).
    pub failures: u32,
    /// `statuses` that count as failures.
    pub statuses: Vec<u16>,
    /// `time` of the first one, twice as long each time after (1s).
    pub time: Duration,
    /// `max_time` of one (30s).
    pub max_time: Duration,
    /// `max_share` of the servers that may be left alone while others work, in thousandths (0.5).
    pub max_share: u32,
}

/// `[upstreams.NAME.retries]`: which requests are sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// `attempts` at a request, the first included (3).
    pub attempts: u32,
    /// `budget`: requests sent again for each request, in thousandths (0.2).
    pub budget: u32,
    /// `min_per_second`: so many may be sent again however few there are (10).
    pub min_per_second: u32,
    /// `statuses` of answers that are not passed on while the request may be sent again.
    pub statuses: Vec<u16>,
}

impl Ejection {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let span = Duration::from_millis(10)..=Duration::from_secs(3_600);
        let ejection = Self {
            failures: section.count("failures", 5, 1..=1_000),
            statuses: statuses(section),
            time: section.duration("time", Duration::from_secs(1), span.clone()),
            max_time: section.duration("max_time", Duration::from_secs(30), span),
            max_share: section.share("max_share", 500),
        };
        if ejection.time > ejection.max_time {
            section.wrong_key(
                "time",
                "time is longer than max_time",
                "write a shorter one, or a longer max_time",
            );
        }
        ejection
    }
}

impl Retries {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            attempts: section.count("attempts", 3, 1..=10),
            budget: section.share("budget", 200),
            min_per_second: section.count("min_per_second", 10, 0..=100_000),
            statuses: statuses(section),
        }
    }
}

fn statuses(section: &mut Section<'_>) -> Vec<u16> {
    let elements = section.list("statuses").unwrap_or_default();
    let status = |element: &crate::config::value::Value<'_>| element.count(&(500..=599));
    elements.iter().filter_map(status).collect()
}
