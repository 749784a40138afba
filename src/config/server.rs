use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::Rate;
use super::listen::{Listen, ProxyProtocol, Taken};
use super::section::Section;
use super::tls::Tls;
use super::value::Value;

/// `[server]`: the listeners and their bounds.
#[derive(Debug, Clone)]
pub struct Server {
    /// `listen = ["0.0.0.0:8443", "http://127.0.0.1:8080"]`: TLS unless the address says `http://`.
    pub listen: Vec<Listen>,
    /// `[server.tls]`; without it a self-signed certificate for localhost is made.
    pub tls: Option<Tls>,
    /// `trusted_proxies`: whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` count.
    pub trusted_proxies: Vec<IpNet>,
    /// `rate_limit_headers`: whether answers say what is left of the limits (false).
    pub rate_limit_headers: bool,
    /// `workers`: threads that serve requests; by default one a core.
    pub workers: usize,
    /// `max_connections` of clients at once, over all listeners (10000).
    pub max_connections: usize,
    /// `max_connections_per_address` of one client, or IPv6 /64; `trusted_proxies` have no bound (5000).
    pub max_connections_per_address: usize,
    /// `handshake_timeout` from accept to the end of the TLS handshake (10s).
    pub handshake_timeout: Duration,
    /// `head_timeout` from the first byte of a head to its last, and from connecting to the first byte (10s).
    pub head_timeout: Duration,
    /// `idle_timeout` of a kept connection without a request (75s).
    pub idle_timeout: Duration,
    /// `body_timeout` between two reads of a request body (30s).
    pub body_timeout: Duration,
    /// `write_timeout` while a client takes nothing of an answer (30s).
    pub write_timeout: Duration,
    /// `min_rate`: bytes a second that a client sends of a body or takes of an answer; 0 is no bound (240B).
    pub min_rate: u32,
    /// `min_rate_grace`: how long it is waited for, all in all, before it must keep up with that (1m).
    pub min_rate_grace: Duration,
    /// `max_head`: bytes of a request's head (64KiB).
    pub max_head: usize,
    /// `drain_delay`: after SIGTERM, how long the node says "not ready" and goes on accepting (0s).
    pub drain_delay: Duration,
    /// `drain_timeout`: how long exchanges in flight may take to end after that (30s).
    pub drain_timeout: Duration,
    /// `[server.http2]`
    pub http2: Http2,
}

/// `[server.http2]`: bounds of an HTTP/2 connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// `max_streams` at once on a connection (128).
    pub max_streams: u32,
    /// `max_pending_resets`: streams that were reset before we took them (20).
    pub max_pending_resets: usize,
    /// `max_resets`: streams that the client reset, beyond those that ended otherwise (256 per 1m).
    pub max_resets: Rate,
    /// `max_local_resets`: streams we reset for their errors, before the connection is closed (1024).
    pub max_local_resets: usize,
    /// `stream_window`: bytes of a request body that may wait, per stream (256KiB).
    pub stream_window: u32,
    /// `connection_window`: the same over all streams of a connection (1MiB).
    pub connection_window: u32,
    /// `send_buffer`: bytes of answers that may wait in a connection (64KiB).
    pub send_buffer: usize,
}

impl Server {
    pub(super) fn read(section: &mut Section<'_>, taken: &mut Taken) -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        let seconds = Duration::from_secs;
        let wait = Duration::from_millis(1)..=HOUR;
        let server = Self {
            listen: Listen::read(section, taken),
            trusted_proxies: networks(section),
            rate_limit_headers: section.flag("rate_limit_headers", false),
            workers: section.count("workers", cores(), 1..=1024),
            max_connections: section.count("max_connections", 10_000, 1..=10_000_000),
            max_connections_per_address: section.count(
                "max_connections_per_address",
                5000,
                1..=10_000_000,
            ),
            handshake_timeout: section.duration("handshake_timeout", seconds(10), wait.clone()),
            head_timeout: section.duration("head_timeout", seconds(10), wait.clone()),
            idle_timeout: section.duration("idle_timeout", seconds(75), wait.clone()),
            body_timeout: section.duration("body_timeout", seconds(30), wait.clone()),
            write_timeout: section.duration("write_timeout", seconds(30), wait.clone()),
            min_rate: narrow(section.size("min_rate", 240, 0..=1 << 20)),
            min_rate_grace: section.duration("min_rate_grace", seconds(60), wait.clone()),
            // hyper takes no smaller buffer than 8 KiB.
            max_head: section.size("max_head", 64 << 10, 8 << 10..=1 << 20),
            drain_delay: section.duration("drain_delay", Duration::ZERO, Duration::ZERO..=HOUR),
            drain_timeout: section.duration("drain_timeout", seconds(30), wait),
            tls: section.optional_section("tls", Tls::read).flatten(),
            http2: section.section("http2", Http2::read),
        };
        let is_proxied = |listen: &Listen| listen.proxy_protocol == ProxyProtocol::Required;
        if server.trusted_proxies.is_empty() && server.listen.iter().any(is_proxied) {
            section.wrong_key(
                "listen",
                "a listener takes the PROXY protocol, but there is no proxy to take it from",
                "add trusted_proxies = [\"10.0.0.7\"] with the addresses of the load balancer",
            );
        }
        server
    }
}

impl Http2 {
    fn read(section: &mut Section<'_>) -> Self {
        // RFC 9113 §6.9.2: windows begin at 65,535 bytes; a smaller one only costs round trips.
        let window = 64 << 10..=1 << 30;
        Self {
            max_streams: section.count("max_streams", 128, 1..=100_000),
            max_pending_resets: section.count("max_pending_resets", 20, 1..=100_000),
            max_resets: section.rate("max_resets", 256, Duration::from_secs(60)),
            max_local_resets: section.count("max_local_resets", 1024, 1..=1_000_000),
            stream_window: narrow(section.size("stream_window", 256 << 10, window.clone())),
            connection_window: narrow(section.size("connection_window", 1 << 20, window)),
            send_buffer: section.size("send_buffer", 64 << 10, 4 << 10..=64 << 20),
        }
    }
}

/// How many threads can run at once; one when the system does not say.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn networks(section: &mut Section<'_>) -> Vec<IpNet> {
    let elements = section.list("trusted_proxies").unwrap_or_default();
    elements.iter().filter_map(network).collect()
}

fn network(element: &Value<'_>) -> Option<IpNet> {
    let text = element.text()?;
    let network = text
        .as_str()
        .parse::<IpNet>()
        .or_else(|_| text.as_str().parse::<IpAddr>().map(IpNet::from));
    let Ok(network) = network else {
        text.wrong(
            "is not a network",
            r#"write an address or a network, such as "10.0.0.7" or "10.0.0.0/8""#,
        );
        return None;
    };
    if network.addr() != network.network() {
        text.wrong(
            "has bits set behind its prefix",
            format!(
                "write \"{}\" for the network, or the address alone",
                network.trunc()
            ),
        );
    }
    Some(network)
}

/// Windows are bounded far below this.
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
