use std::fmt;
use std::time::Duration;

use super::listen::Scheme;
use super::section::{Named, Section};
use super::text::{Text, quoted};
use super::upstream_tls::UpstreamTls;
use super::url::Url;

/// `[upstreams.NAME]`
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// `servers = ["http://10.0.0.5:9000"]`; never empty.
    pub servers: Vec<UpstreamServer>,
    /// `[upstreams.NAME.tls]`
    pub tls: UpstreamTls,
    /// `connect_timeout` (5s)
    pub connect_timeout: Duration,
    /// `response_timeout` from the request sent to the head of the answer (60s).
    pub response_timeout: Duration,
    /// `idle_timeout` between two bytes of a body, either way (60s); WebSockets and event streams are exempt.
    pub idle_timeout: Duration,
    /// `keep_alive`: how long an unused connection is kept (30s); keep it below the server's own.
    pub keep_alive: Duration,
    /// `max_idle`: unused connections kept per server and worker (256).
    pub max_idle: usize,
    /// `max_in_flight`: exchanges at once on this node; beyond it 503 (10000).
    pub max_in_flight: usize,
}

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// What is spoken beneath HTTP.
    pub scheme: Scheme,
    /// Its host, a name or an address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
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
        Self {
            name,
            servers: servers(section),
            tls: section.section("tls", UpstreamTls::read),
            connect_timeout: section.duration("connect_timeout", seconds(5), wait.clone()),
            response_timeout: section.duration("response_timeout", seconds(60), wait.clone()),
            idle_timeout: section.duration("idle_timeout", seconds(60), wait.clone()),
            keep_alive: section.duration("keep_alive", seconds(30), wait),
            max_idle: section.count("max_idle", 256, 0..=100_000),
            max_in_flight: section.count("max_in_flight", 10_000, 1..=10_000_000),
        }
    }
}

impl fmt::Display for UpstreamServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        if self.host.contains(':') {
            return write!(f, "{scheme}://[{}]:{}", self.host, self.port);
        }
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Metrics and log lines name upstreams.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn servers(section: &mut Section<'_>) -> Vec<UpstreamServer> {
    let Some(value) = section.required("servers", "[\"http://10.0.0.5:9000\"]") else {
        return Vec::new();
    };
    let elements = value.list().unwrap_or_default();
    if elements.is_empty() && value.value.is_array() {
        value.wrong(
            "is an empty list",
            "list at least one server, such as \"http://10.0.0.5:9000\"",
        );
    }
    let mut servers = Vec::new();
    for text in elements.iter().filter_map(super::value::Value::text) {
        let Some(server) = server(&text) else {
            continue;
        };
        if servers.contains(&server) {
            text.wrong("is listed twice", "remove one of them");
        }
        servers.push(server);
    }
    servers
}

fn server(text: &Text<'_>) -> Option<UpstreamServer> {
    const WAY_OUT: &str = r#"write "http://HOST:PORT", such as "http://10.0.0.5:9000""#;
    let Some(url) = Url::parse(text.as_str()) else {
        let way_out = match Url::parse(&format!("http://{}", text.written())) {
            Some(_) => format!("write \"http://{}\"", text.written()),
            None => WAY_OUT.to_owned(),
        };
        text.wrong("is not the URL of a server", way_out);
        return None;
    };
    let scheme = match url.scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => {
            text.wrong("has an unknown scheme", WAY_OUT);
            return None;
        }
    };
    let plain = match url.port {
        Some(port) => format!("write \"{}://{}:{port}\"", url.scheme, url.host),
        None => format!("write \"{}://{}\"", url.scheme, url.host),
    };
    if url.user.is_some() {
        text.wrong("has a user; the gateway does not log in to servers", plain);
        return None;
    }
    if !url.is_bare() {
        text.wrong(
            "has a path; the path of the request goes on as it is",
            plain,
        );
        return None;
    }
    let usual = match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    Some(UpstreamServer {
        scheme,
        host: url.host.to_ascii_lowercase(),
        port: url.port.unwrap_or(usual),
    })
}
