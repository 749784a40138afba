use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::section::Section;
use super::text::Text;

/// `[dns]`: how the names of servers are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// `servers = ["10.0.0.2:53"]`; none means those of the system.
    pub servers: Vec<SocketAddr>,
    /// `timeout` of one question to one of them (2s).
    pub timeout: Duration,
    /// `min_ttl`: an answer holds for this long at least (1s).
    pub min_ttl: Duration,
    /// `max_ttl`: an answer holds for this long at the most (5m).
    pub max_ttl: Duration,
}

const PORT: u16 = 53;

impl Dns {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let seconds = Duration::from_secs;
        let servers = section.list("servers").unwrap_or_default();
        let texts = servers.iter().filter_map(super::value::Value::text);
        let servers = texts.filter_map(|text| server(&text)).collect();
        let wait = Duration::from_millis(100)..=seconds(60);
        let ttl = Duration::from_millis(100)..=seconds(86_400);
        let dns = Self {
            servers,
            timeout: section.duration("timeout", seconds(2), wait),
            min_ttl: section.duration("min_ttl", seconds(1), ttl.clone()),
            max_ttl: section.duration("max_ttl", seconds(300), ttl),
        };
        if dns.min_ttl > dns.max_ttl {
            section.wrong_key(
                "min_ttl",
                "min_ttl is longer than max_ttl",
                "write a shorter one",
            );
        }
        dns
    }
}

/// An address with or without its port.
fn server(text: &Text<'_>) -> Option<SocketAddr> {
    let written = text.as_str();
    let bare = || written.parse::<IpAddr>().ok();
    let address = written.parse().ok();
    let address = address.or_else(|| bare().map(|ip| SocketAddr::new(ip, PORT)));
    if address.is_none() {
        text.wrong(
            "is not the address of a name server",
            "write an IP address, such as \"10.0.0.2\" or \"10.0.0.2:53\"",
        );
    }
    address
}
