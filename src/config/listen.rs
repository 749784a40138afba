use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

use super::section::Section;
use super::text::Text;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// What is spoken there.
    pub scheme: Scheme,
    /// `proxy_protocol` (false)
    pub proxy_protocol: ProxyProtocol,
    /// `redirect = "https"`: every request is sent on to this port (`redirect_port`, 443).
    pub redirect: Option<u16>,
}

/// Whether connections begin with the address of their client, as load balancers write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They do not.
    Off,
    /// They do, and only `trusted_proxies` may connect.
    Required,
}

/// What is spoken on a connection beneath HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// TLS 1.2 or 1.3.
    Https,
    /// Nothing.
    Http,
}

/// How to write an address.
const ADDRESS: &str = r#"write an IP address and a port, such as "0.0.0.0:8443" or "[::]:8443""#;

/// The addresses of the file so far and where they stand, to find two that clash.
#[derive(Debug, Default)]
pub(super) struct Taken(Vec<(SocketAddr, Range<usize>)>);

impl Listen {
    /// `[server] listen`; by default the TLS port of this machine alone.
    pub(super) fn read(section: &mut Section<'_>, taken: &mut Taken) -> Vec<Self> {
        let default = Self::plainly(SocketAddr::from(([127, 0, 0, 1], 8443)), Scheme::Https);
        let Some(value) = section.value("listen") else {
            return vec![default];
        };
        let elements = value.list().unwrap_or_default();
        if elements.is_empty() && value.value.is_array() {
            value.wrong(
                "is an empty list",
                "list at least one address, or remove the key",
            );
        }
        let mut listeners = Vec::new();
        for element in elements {
            if element.value.is_table() {
                let table = |section: &mut Section<'_>| Self::table(section, taken);
                let read = section.elements(vec![element], "listen", "", table);
                listeners.extend(read.into_iter().flatten());
            } else {
                let text = element.text();
                listeners.extend(text.and_then(|text| Self::parse(&text, Scheme::Https, taken)));
            }
        }
        listeners
    }

    /// A listener that takes connections as they come, and serves them.
    #[must_use]
    pub const fn plainly(address: SocketAddr, scheme: Scheme) -> Self {
        Self {
            address,
            scheme,
            proxy_protocol: ProxyProtocol::Off,
            redirect: None,
        }
    }

    /// `{ address = "0.0.0.0:80", redirect = "https" }`
    fn table(section: &mut Section<'_>, taken: &mut Taken) -> Option<Self> {
        let address = section.required("address", "\"0.0.0.0:8443\"");
        let proxy_protocol = section.flag("proxy_protocol", false);
        let redirect = section.choice("redirect", false, &[("https", true)]);
        let port = section.count("redirect_port", 443, 1..=u16::MAX);
        if section.has("redirect_port") && !section.has("redirect") {
            section.wrong_key(
                "redirect_port",
                "redirect_port has no use without redirect",
                "add redirect = \"https\", or remove it",
            );
        }
        let text = address?.text()?;
        let unsaid = if redirect {
            Scheme::Http
        } else {
            Scheme::Https
        };
        let listen = Self::parse(&text, unsaid, taken)?;
        if redirect && listen.scheme == Scheme::Https {
            section.wrong_key(
                "redirect",
                "redirect leads from plain HTTP to TLS, but this listener has TLS already",
                "write http:// before its address, or remove redirect",
            );
        }
        Some(Self {
            proxy_protocol: if proxy_protocol {
                ProxyProtocol::Required
            } else {
                ProxyProtocol::Off
            },
            redirect: redirect.then_some(port),
            ..listen
        })
    }

    /// Reads an address; one without a scheme speaks `unsaid`.
    fn parse(text: &Text<'_>, unsaid: Scheme, taken: &mut Taken) -> Option<Self> {
        let written = text.as_str();
        let (scheme, address) = match written.split_once("://") {
            Some(("http", address)) => (Scheme::Http, address),
            Some(("https", address)) => (Scheme::Https, address),
            Some(_) => {
                text.wrong(
                    "has an unknown scheme",
                    "write http:// for plain HTTP, nothing for TLS",
                );
                return None;
            }
            None => (unsaid, written),
        };
        let address = address_in(text, address)?;
        taken
            .take(text, address)
            .then(|| Self::plainly(address, scheme))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.address)
    }
}

impl Scheme {
    /// The scheme of a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

impl Taken {
    /// Takes an address, or reports that it cannot be bound beside another one.
    pub(super) fn take(&mut self, text: &Text<'_>, address: SocketAddr) -> bool {
        if let Some((other, _)) = self.clash(address) {
            text.wrong(
                format!("is taken already by the listener {other}"),
                "write another port",
            );
            return false;
        }
        self.0.push((address, text.place()));
        true
    }

    /// The address that cannot be bound beside this one.
    pub(super) fn clash(&self, address: SocketAddr) -> Option<&(SocketAddr, Range<usize>)> {
        self.0.iter().find(|(other, _)| clash(*other, address))
    }
}

/// Reads an IP address with a port, or reports what it is instead.
pub(super) fn address_in(text: &Text<'_>, address: &str) -> Option<SocketAddr> {
    let parsed = address.parse::<SocketAddr>();
    match parsed {
        Ok(address) => return Some(address),
        Err(_) => text.wrong("is not an address to listen on", way_out(address)),
    }
    None
}

fn way_out(address: &str) -> String {
    let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    match address.rsplit_once(':') {
        Some(("", digits)) if port(digits) => {
            format!("write \"0.0.0.0:{digits}\" for every address of this machine")
        }
        Some(("localhost", digits)) if port(digits) => format!("write \"127.0.0.1:{digits}\""),
        _ if port(address) => {
            format!("write \"0.0.0.0:{address}\" for every address of this machine")
        }
        _ => ADDRESS.to_owned(),
    }
}

/// `0.0.0.0` takes the port on every IPv4 address, `[::]` on every IPv6 address; port 0 stands for
/// any free one, each time another.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let same_family = one.is_ipv4() == other.is_ipv4();
    let overlap =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    same_family && overlap && one.port() == other.port() && one.port() != 0
}
