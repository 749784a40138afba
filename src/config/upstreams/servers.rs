use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::ServerName;

use crate::config::listen::Scheme;
use crate::config::section::Section;
use crate::config::store::MAX_SOCKET_PATH;
use crate::config::text::Text;
use crate::config::url::Url;
use crate::config::value::Value;

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Where it is.
    pub address: ServerAddress,
    /// `weight`: how much of the load it takes beside the others (1).
    pub weight: u32,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// `http://HOST:PORT` or `https://HOST:PORT`
    Tcp {
        /// What is spoken beneath HTTP.
        scheme: Scheme,
        /// A name or an address in lower case; an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/run/app.sock`
    Unix(PathBuf),
}

impl UpstreamServer {
    /// Reads `servers`: URLs, and tables where there is more to say.
    pub(super) fn read_all(section: &mut Section<'_>) -> Vec<Self> {
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
        let mut servers: Vec<Self> = Vec::new();
        for element in elements {
            let Some((server, text)) = Self::read(section, element) else {
                continue;
            };
            if servers.iter().any(|other| other.address == server.address) {
                text.wrong("is listed twice", "remove one of them");
            }
            servers.push(server);
        }
        servers
    }

    fn read<'a>(section: &Section<'a>, element: Value<'a>) -> Option<(Self, Text<'a>)> {
        if !element.value.is_table() {
            let text = element.text()?;
            return Some((Self::of(&text, 1)?, text));
        }
        const EXAMPLE: &str = "{ url = \"http://10.0.0.5:9000\", weight = 2 }";
        let read = section.elements(vec![element], "servers", EXAMPLE, |section| {
            let url = section.required("url", "\"http://10.0.0.5:9000\"");
            let weight = section.count("weight", 1, 1..=1_000);
            let text = url?.text()?;
            Some((Self::of(&text, weight)?, text))
        });
        read.into_iter().flatten().next()
    }

    fn of(text: &Text<'_>, weight: u32) -> Option<Self> {
        let address = ServerAddress::read(text)?;
        Some(Self { address, weight })
    }
}

impl ServerAddress {
    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(
            self,
            Self::Tcp {
                scheme: Scheme::Https,
                ..
            }
        )
    }

    fn read(text: &Text<'_>) -> Option<Self> {
        match text.as_str().strip_prefix("unix:") {
            Some(path) => unix(text, path),
            None => tcp(text),
        }
    }
}

impl fmt::Display for UpstreamServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        match self.weight {
            1 => Ok(()),
            weight => write!(f, " ×{weight}"),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { scheme, host, port } => {
                let scheme = scheme.as_str();
                if host.contains(':') {
                    return write!(f, "{scheme}://[{host}]:{port}");
                }
                write!(f, "{scheme}://{host}:{port}")
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

const WAY_OUT: &str = r#"write "http://HOST:PORT", such as "http://10.0.0.5:9000""#;

/// `unix:/run/app.sock`, and `unix:///run/app.sock` as others write it.
fn unix(text: &Text<'_>, path: &str) -> Option<ServerAddress> {
    const EXAMPLE: &str = "write \"unix:FILE\", such as \"unix:/run/app.sock\"";
    let path = match path.strip_prefix("//") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    };
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        text.wrong("names no socket", EXAMPLE);
        return None;
    }
    let path = text.relative_to_file(Path::new(path));
    let bytes = path.as_os_str().len();
    if bytes > MAX_SOCKET_PATH {
        text.wrong(
            format!("has {bytes} bytes; the path of a Unix socket has at most {MAX_SOCKET_PATH}"),
            EXAMPLE,
        );
    }
    Some(ServerAddress::Unix(path))
}

fn tcp(text: &Text<'_>) -> Option<ServerAddress> {
    let Some(url) = Url::parse(text.as_str()) else {
        let way_out = match Url::parse(&format!("http://{}", text.written())) {
            Some(_) => format!("write \"http://{}\"", text.written()),
            None => WAY_OUT.to_owned(),
        };
        text.wrong("is not the URL of a server", way_out);
        return None;
    };
    let (scheme, usual_port) = match url.scheme {
        "http" => (Scheme::Http, 80),
        "https" => (Scheme::Https, 443),
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
    if scheme == Scheme::Https && ServerName::try_from(url.host).is_err() {
        text.wrong(
            "has a host that no certificate could be for",
            r#"write its name or address, such as "https://reports.internal:9000""#,
        );
        return None;
    }
    Some(ServerAddress::Tcp {
        scheme,
        host: url.host.to_ascii_lowercase(),
        port: url.port.unwrap_or(usual_port),
    })
}
