use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::config::Dns;

/// Looks names up, with how long the answer holds.
#[derive(Debug)]
pub(super) struct Resolver {
    config: Dns,
}

/// What a name stands for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) addresses: Vec<SocketAddr>,
    /// How long that holds, within the bounds of the configuration.
    pub(super) holds: Duration,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotFound {
    /// The name servers did not say, or said that there is no such name.
    #[error("the name could not be looked up")]
    Failed(#[from] NetError),
    /// They answered too late.
    #[error("the name servers did not answer in time")]
    Late,
}

/// How often a name server is asked before it counts as silent.
const ATTEMPTS: usize = 2;

impl Resolver {
    pub(super) fn new(config: &Dns) -> Self {
        Self {
            config: config.clone(),
        }
    }

    /// Whether it asks as this configuration says.
    pub(super) fn is_of(&self, config: &Dns) -> bool {
        self.config == *config
    }

    /// Looks a name up: `/etc/hosts` first, then the name servers, for IPv4 and IPv6.
    pub(super) async fn look_up(&self, name: &str, port: u16) -> Result<Found, NotFound> {
        // Made anew each time, so that the system's files are read as they are now. There is no cache.
        let resolver = self.resolver()?;
        let most = self.config.timeout.saturating_mul(8);
        let found = tokio::time::timeout(most, resolver.lookup_ip(name)).await;
        let found = found.map_err(|_| NotFound::Late)??;
        let ttl = found
            .valid_until()
            .saturating_duration_since(Instant::now());
        // The nearest second: a moment has passed since the answer came.
        let ttl = Duration::from_secs((ttl + Duration::from_millis(500)).as_secs());
        let address = |ip: IpAddr| SocketAddr::new(ip, port);
        Ok(Found {
            addresses: found.iter().map(address).collect(),
            holds: ttl.clamp(self.config.min_ttl, self.config.max_ttl),
        })
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = if self.config.servers.is_empty() {
            // Without /etc/resolv.conf there are still /etc/hosts and localhost.
            TokioResolver::builder_tokio().unwrap_or_else(|_| {
                let nobody = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
                TokioResolver::builder_with_config(nobody, provider)
            })
        } else {
            let servers = self.config.servers.iter().copied().map(name_server);
            let servers = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            TokioResolver::builder_with_config(servers, provider)
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Always;
        options.timeout = self.config.timeout;
        options.attempts = ATTEMPTS;
        builder.build()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let connections = connections.map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
