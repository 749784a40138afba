use std::time::Duration;

use super::UpstreamServer;
use crate::config::section::Section;

/// What is spoken to the servers of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 without TLS, which a server must be known to speak.
    H2c,
    /// HTTP/2 with those that choose it over TLS, else HTTP/1.1.
    Auto,
}

/// `[upstreams.NAME.http2]`: bounds of HTTP/2 connections to servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamHttp2 {
    /// `max_streams`: requests at once over one connection (100); a server may take fewer.
    pub max_streams: usize,
    /// `stream_window`: bytes of an answer that may wait, per request (128KiB).
    pub stream_window: u32,
    /// `ping_interval`: after how long without a word a server with requests in flight is asked whether
    /// it is there (6m). gRPC servers close connections that ask more often than every five minutes.
    pub ping_interval: Duration,
    /// `ping_timeout`: how long it may take for its answer (10s).
    pub ping_timeout: Duration,
}

impl Protocol {
    /// Reads `protocol`, which must go with how the servers are written.
    pub(super) fn read(section: &mut Section<'_>, servers: &[UpstreamServer]) -> Self {
        let choices = [
            ("http1", Self::Http1),
            ("h2", Self::H2),
            ("h2c", Self::H2c),
            ("auto", Self::Auto),
        ];
        let protocol = section.choice("protocol", Self::Http1, &choices);
        let tls = |server: &&UpstreamServer| server.address.is_tls();
        let odd = match protocol {
            Self::H2 => servers.iter().find(|server| !tls(server)),
            Self::H2c => servers.iter().find(tls),
            Self::Http1 | Self::Auto => None,
        };
        if let Some(odd) = odd {
            let server = &odd.address;
            let (message, way_out) = match protocol {
                Self::H2c => (
                    format!("protocol \"h2c\" is without TLS, but {server} is with it"),
                    "write protocol = \"h2\"",
                ),
                _ => (
                    format!("protocol \"h2\" is over TLS, but {server} is without it"),
                    "write protocol = \"h2c\"",
                ),
            };
            section.wrong_key("protocol", &message, way_out);
        }
        protocol
    }
}

impl UpstreamHttp2 {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let seconds = Duration::from_secs;
        let wait = seconds(1)..=seconds(86_400);
        // RFC 9113 §6.9.2: windows begin at 65,535 bytes; a smaller one only costs round trips.
        let window = section.size("stream_window", 128 << 10, 64 << 10..=16 << 20);
        Self {
            max_streams: section.count("max_streams", 100, 1..=1_000),
            stream_window: u32::try_from(window).unwrap_or(u32::MAX),
            ping_interval: section.duration("ping_interval", seconds(360), wait.clone()),
            ping_timeout: section.duration("ping_timeout", seconds(10), wait),
        }
    }
}
