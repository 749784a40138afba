use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::listen::{Taken, address_in};
use super::redis::RedisStore;
use super::section::Section;
use super::text::Text;

/// `[store] url`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `embedded:data/gateway.db`
    Embedded(PathBuf),
    /// `redis://`, `rediss://` and their kin.
    Redis(Box<RedisStore>),
}

/// `[admin]`: for operators, not for clients.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `listen` for `/livez`, `/readyz`, `/metrics` (127.0.0.1:9090).
    pub listen: SocketAddr,
    /// `socket`: the Unix socket the command line speaks to a running node over; by default `admin.sock` beside the store.
    pub socket: PathBuf,
}

/// The longest path that the address of a Unix socket holds (`sun_path`, with its closing zero).
pub(super) const MAX_SOCKET_PATH: usize = 107;

impl StoreUrl {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = || Self::Embedded(section.context.base.join("data/gateway.db"));
        let Some(text) = section.text("url") else {
            if !section.has("url") {
                RedisStore::refuse_keys(section);
            }
            return default();
        };
        if RedisStore::is_meant_by(text.as_str()) {
            let redis = RedisStore::read(section, &text);
            return redis.map_or_else(default, |redis| Self::Redis(Box::new(redis)));
        }
        RedisStore::refuse_keys(section);
        Self::parse(&text, section.context.base).unwrap_or_else(default)
    }

    fn parse(text: &Text<'_>, base: &Path) -> Option<Self> {
        const WAY_OUT: &str =
            r#"write "embedded:FILE", such as "embedded:data/gateway.db", or "redis://HOST""#;
        let Some(file) = text.as_str().strip_prefix("embedded:") else {
            text.wrong_unquoted("is not the URL of a store", WAY_OUT);
            return None;
        };
        if file.is_empty() || file.ends_with(['/', '.']) || file.contains('\0') {
            text.wrong("names no file", WAY_OUT);
            return None;
        }
        Some(Self::Embedded(base.join(file)))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(file) => write!(f, "embedded:{}", file.display()),
            Self::Redis(redis) => redis.fmt(f),
        }
    }
}

impl Admin {
    pub(super) fn read(section: &mut Section<'_>, store: &StoreUrl, taken: &mut Taken) -> Self {
        Self {
            listen: listen(section, taken),
            socket: socket(section).unwrap_or_else(|| match store {
                StoreUrl::Embedded(file) => file.with_file_name("admin.sock"),
                StoreUrl::Redis(_) => section.context.base.join("data/admin.sock"),
            }),
        }
    }
}

fn listen(section: &mut Section<'_>, taken: &mut Taken) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 9090));
    if let Some(text) = section.text("listen") {
        let address = address_in(&text, text.as_str());
        return address
            .filter(|address| taken.take(&text, *address))
            .unwrap_or(default);
    }
    if let Some((_, place)) = taken.clash(default) {
        section.wrong_at(
            place.clone(),
            &format!("listen is {default} by default, which is taken by this listener"),
            "write another port, or give [admin] listen one",
        );
    }
    default
}

fn socket(section: &mut Section<'_>) -> Option<PathBuf> {
    let text = section.text("socket")?;
    let path = text.path()?;
    let bytes = path.as_os_str().len();
    if bytes > MAX_SOCKET_PATH {
        text.wrong(
            format!("has {bytes} bytes; the path of a Unix socket has at most {MAX_SOCKET_PATH}"),
            "write a shorter path, such as \"/run/dariet/admin.sock\"",
        );
    }
    Some(path)
}
