mod health_check;
mod protocol;
mod servers;
mod trouble;

use std::time::Duration;

use super::deadlines::Deadlines;
use super::section::{Named, Section};
use super::text::quoted;
use super::upstream_tls::UpstreamTls;

pub use health_check::HealthCheck;
pub use protocol::{Protocol, UpstreamHttp2};
pub use servers::{ServerAddress, UpstreamServer};
pub use trouble::{Ejection, Retries};

/// `[upstreams.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// `servers = ["http://10.0.0.5:9000"]`; never empty.
    pub servers: Vec<UpstreamServer>,
    /// `protocol` (http1)
    pub protocol: Protocol,
    /// `[upstreams.NAME.http2]`
    pub http2: UpstreamHttp2,
    /// `[upstreams.NAME.tls]`
    pub tls: UpstreamTls,
    /// `balance` (least_busy)
    pub balance: Balance,
    /// `slow_start`: how long a server that has come back takes less than its share (10s).
    pub slow_start: Duration,
    /// What routes do not say otherwise.
    pub deadlines: Deadlines,
    /// `keep_alive`: how long an unused connection is kept (30s); keep it below the server's own.
    pub keep_alive: Duration,
    /// `max_idle`: unused connections kept per server and worker (256).
    pub max_idle: usize,
    /// `max_connections` in use at once with one server, on this node (10000).
    pub max_connections: usize,
    /// `max_in_flight`: exchanges at once on this node (10000).
    pub max_in_flight: usize,
    /// `max_waiting`: requests that wait where one of the bounds is reached; beyond it 503 (1000).
    pub max_waiting: usize,
    /// `waiting_timeout`: how long one waits before its 503 (1s).
    pub waiting_timeout: Duration,
    /// `[upstreams.NAME.health_check]`; without it nobody is asked.
    pub health_check: Option<HealthCheck>,
    /// `[upstreams.NAME.ejection]`
    pub ejection: Ejection,
    /// `[upstreams.NAME.retries]`
    pub retries: Retries,
}

/// How the server for a request is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The less busy of two that are drawn by weight.
    LeastBusy,
    /// In turn, by weight.
    RoundRobin,
}

impl Upstream {
    /// Reads every `[upstreams.NAME]`, in the order of their names. One with mistakes is there all the
    /// same, so that routes to it are not called wrong.
    pub(super) fn read_all(root: &mut Section<'_>) -> Vec<Self> {
        let named = root.named("upstreams");
        named
            .into_iter()
            .map(|named| Self::read_named(root, named))
            .collect()
    }

    fn read_named<'a>(root: &Section<'a>, named: Named<'a>) -> Self {
        let name = named.name.to_owned();
        if !is_name(&name) {
            root.wrong_at(
                named.key.clone(),
                &format!(
                    "upstream {} has a name that metrics cannot carry",
                    quoted(&name)
                ),
                "write up to 64 letters, digits, dashes and underscores",
            );
        }
        root.named_section("upstreams", named, |section| Self::read(section, name))
    }

    fn read(section: &mut Section<'_>, name: String) -> Self {
        let seconds = Duration::from_secs;
        let wait = Duration::from_millis(1)..=seconds(86_400);
        let balances = [
            ("least_busy", Balance::LeastBusy),
            ("round_robin", Balance::RoundRobin),
        ];
        let servers = UpstreamServer::read_all(section);
        Self {
            name,
            protocol: Protocol::read(section, &servers),
            servers,
            http2: section.section("http2", UpstreamHttp2::read),
            tls: section.section("tls", UpstreamTls::read),
            balance: section.choice("balance", Balance::LeastBusy, &balances),
            slow_start: section.duration("slow_start", seconds(10), Duration::ZERO..=seconds(3600)),
            deadlines: Deadlines::read(section),
            keep_alive: section.duration("keep_alive", seconds(30), wait.clone()),
            max_idle: section.count("max_idle", 256, 0..=100_000),
            max_connections: section.count("max_connections", 10_000, 1..=10_000_000),
            max_in_flight: section.count("max_in_flight", 10_000, 1..=10_000_000),
            max_waiting: section.count("max_waiting", 1_000, 0..=1_000_000),
            waiting_timeout: section.duration("waiting_timeout", seconds(1), wait),
            health_check: section
                .optional_section("health_check", HealthCheck::read)
                .flatten(),
            ejection: section.section("ejection", Ejection::read),
            retries: section.section("retries", Retries::read),
        }
    }
}

/// Metrics and log lines name upstreams.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
