use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Upstreams;
use super::server::Server;
use super::upstream::{Again, Upstream};
use crate::telemetry::{Metrics, Sample};

impl Upstreams {
    /// Adds what is measured of upstreams and their servers.
    pub fn measure(self: &Arc<Self>, metrics: &mut Metrics) {
        self.measure_servers(metrics);
        self.measure_upstreams(metrics);
    }

    fn measure_servers(self: &Arc<Self>, metrics: &mut Metrics) {
        let help = "Whether an upstream's server takes requests: 1, or 0 while it is not well or left alone";
        let samples =
            self.by_server(|upstream, server| u64::from(!server.standing.is_out(upstream.now())));
        metrics.gauges("upstream_server_healthy", help, samples);
        let help = "Requests in flight with an upstream's server";
        let samples = self.by_server(|_, server| count(server.in_flight()));
        metrics.gauges("upstream_server_requests_in_flight", help, samples);
        let help = "How often an upstream's server was left alone because it failed";
        let samples = self.by_server(|_, server| server.standing.ejections());
        metrics.counters("upstream_server_ejections", help, samples);
        let help = "Health checks that an upstream's server failed";
        let samples = self.by_server(|_, server| server.standing.failed_checks());
        metrics.counters("upstream_server_health_checks_failed", help, samples);
    }

    fn measure_upstreams(self: &Arc<Self>, metrics: &mut Metrics) {
        let help = "Servers that an upstream has, by address";
        let samples = self.by_upstream(|upstream| count(upstream.servers().len()));
        metrics.gauges("upstream_servers", help, samples);
        let help = "Requests in flight with an upstream";
        let samples = self.by_upstream(|upstream| count(upstream.in_flight()));
        metrics.gauges("upstream_requests_in_flight", help, samples);
        let help = "Requests that wait for a place with an upstream";
        let samples = self.by_upstream(|upstream| count(upstream.queue.waiting()));
        metrics.gauges("upstream_requests_waiting", help, samples);
        let help = "Requests that were not sent again because the budget was spent";
        let samples = self.by_upstream(|upstream| upstream.over_budget.load(Ordering::Relaxed));
        metrics.counters("upstream_retries_over_budget", help, samples);
        let help = "Look-ups of the names of an upstream's servers that failed";
        let samples = self.by_upstream(|upstream| upstream.failed_lookups.load(Ordering::Relaxed));
        metrics.counters("upstream_lookups_failed", help, samples);
        let help = "Requests that were sent again, by reason";
        metrics.counters("upstream_retries", help, self.retries());
    }

    fn by_server(
        self: &Arc<Self>,
        value: impl Fn(&Upstream, &Server) -> u64 + Send + Sync + 'static,
    ) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        let all = Arc::clone(self);
        move || {
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
        self: &Arc<Self>,
        value: impl Fn(&Upstream) -> u64 + Send + Sync + 'static,
    ) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        let all = Arc::clone(self);
        move || {
            let sample = |upstream: &Arc<Upstream>| Sample {
                labels: vec![("upstream", upstream.config.name.clone())],
                value: value(upstream),
            };
            all.upstreams.iter().map(sample).collect()
        }
    }

    fn retries(self: &Arc<Self>) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        let all = Arc::clone(self);
        move || {
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
