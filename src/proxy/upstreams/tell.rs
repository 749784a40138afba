use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::Upstreams;
use super::server::Server;
use super::upstream::{Again, Upstream};
use crate::telemetry::{Metrics, Sample};

/// Where the upstreams of the newest configuration are found.
type Current = watch::Receiver<Arc<Upstreams>>;

impl Upstreams {
    /// Adds what is measured of upstreams and their servers, those of the newest configuration each time.
    pub fn measure(current: &Current, metrics: &mut Metrics) {
        Self::measure_servers(current, metrics);
        Self::measure_upstreams(current, metrics);
        let upstreams = current.clone();
        let help = "Exchanges in flight with upstreams";
        metrics.gauge("upstream_exchanges", help, move || {
            count(upstreams.borrow().in_flight())
        });
    }

    fn measure_servers(current: &Current, metrics: &mut Metrics) {
        let help = "Whether an upstream's server takes requests: 1, or 0 while it is not well or left alone";
        let samples = Self::by_server(current.clone(), |upstream, server| {
            u64::from(!server.standing.is_out(upstream.now()))
        });
        metrics.gauges("upstream_server_healthy", help, samples);
        let help = "Requests in flight with an upstream's server";
        let samples = Self::by_server(current.clone(), |_, server| count(server.in_flight()));
        metrics.gauges("upstream_server_requests_in_flight", help, samples);
        let help = "How often an upstream's server was left alone because it failed";
        let samples = Self::by_server(current.clone(), |_, server| server.standing.ejections());
        metrics.counters("upstream_server_ejections", help, samples);
        let help = "Health checks that an upstream's server failed";
        let samples = Self::by_server(current.clone(), |_, server| server.standing.failed_checks());
        metrics.counters("upstream_server_health_checks_failed", help, samples);
    }

    fn measure_upstreams(current: &Current, metrics: &mut Metrics) {
        let help = "Servers that an upstream has, by address";
        let samples =
            Self::by_upstream(current.clone(), |upstream| count(upstream.servers().len()));
        metrics.gauges("upstream_servers", help, samples);
        let help = "Requests in flight with an upstream";
        let samples = Self::by_upstream(current.clone(), |upstream| count(upstream.in_flight()));
        metrics.gauges("upstream_requests_in_flight", help, samples);
        let help = "Requests that wait for a place with an upstream";
        let samples =
            Self::by_upstream(current.clone(), |upstream| count(upstream.queue.waiting()));
        metrics.gauges("upstream_requests_waiting", help, samples);
        let help = "Requests that were not sent again because the budget was spent";
        let samples = Self::by_upstream(current.clone(), |upstream| {
            upstream.over_budget.load(Ordering::Relaxed)
        });
        metrics.counters("upstream_retries_over_budget", help, samples);
        let help = "Look-ups of the names of an upstream's servers that failed";
        let samples = Self::by_upstream(current.clone(), |upstream| {
            upstream.failed_lookups.load(Ordering::Relaxed)
        });
        metrics.counters("upstream_lookups_failed", help, samples);
        let help = "Requests that were sent again, by reason";
        metrics.counters("upstream_retries", help, Self::retries(current.clone()));
    }

    fn by_server(
        current: Current,
        value: impl Fn(&Upstream, &Server) -> u64 + Send + Sync + 'static,
    ) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        move || {
            let all = Arc::clone(&current.borrow());
            let mut samples = Vec::new();
            for upstream in &all.upstreams {
                for server in upstream.servers().iter() {
                    samples.push(Sample {
                        labels: vec![
                            ("upstream", upstream.config.name.clone()),
                            ("server", server.name().to_owned()),
                        ],
                        value: value(upstream, server),
                    });
                }
            }
            samples
        }
    }

    fn by_upstream(
        current: Current,
        value: impl Fn(&Upstream) -> u64 + Send + Sync + 'static,
    ) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        move || {
            let all = Arc::clone(&current.borrow());
            let sample = |upstream: &Arc<Upstream>| Sample {
                labels: vec![("upstream", upstream.config.name.clone())],
                value: value(upstream),
            };
            all.upstreams.iter().map(sample).collect()
        }
    }

    fn retries(current: Current) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        move || {
            let all = Arc::clone(&current.borrow());
            let upstreams = all.upstreams.iter();
            let samples = upstreams.flat_map(|upstream| {
                Again::ALL.map(|why| Sample {
                    labels: vec![
                        ("upstream", upstream.config.name.clone()),
                        ("reason", why.as_str().to_owned()),
                    ],
                    value: upstream.sent_again(why),
                })
            });
            samples.collect()
        }
    }
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
