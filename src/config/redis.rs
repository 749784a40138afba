mod servers;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use servers::{RedisAddress, RedisHost, RedisServers};

use self::servers::Location;
use super::secret::{USE_A_FILE, password};
use super::section::Section;
use super::text::Text;
use crate::domain::Password;

/// `[store]` with a Redis URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisStore {
    /// `url`: which servers.
    pub servers: RedisServers,
    /// `url`: the number of the database (0).
    pub database: u32,
    /// `user` and `password_file` or `password`; without a user it is the server's `default`.
    pub login: Option<RedisLogin>,
    /// `rediss`: how the connections are secured, to Sentinels too.
    pub tls: Option<RedisTls>,
    /// `key_prefix` (dk): keys are `{dk}:…`.
    pub key_prefix: String,
    /// `max_staleness` (2s): how long a node goes on without having heard from the store.
    pub max_staleness: Duration,
    /// `on_stale` (keep): what becomes of exchanges in flight then.
    pub on_stale: OnStale,
    /// `require_replica` (true): whether a primary that has replicas must reach one to be believed.
    pub require_replica: bool,
    /// `allow_eviction` (false): whether the server may forget records when its memory is full.
    pub allow_eviction: bool,
}

/// `on_stale`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStale {
    /// Exchanges go on, and are checked again when the store is back.
    Keep,
    /// Exchanges are cut.
    Cut,
}

/// Who we are to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisLogin {
    /// The ACL user; nothing for `default`.
    pub user: Option<String>,
    /// Their password.
    pub password: Password,
}

/// What a connection with TLS trusts, and shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTls {
    /// `ca`: PEM of the authority to trust instead of the public ones.
    pub ca: Option<PathBuf>,
    /// `client_certificate` and `client_key`.
    pub client: Option<RedisClientCertificate>,
}

/// What we show to a server that asks who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisClientCertificate {
    /// `client_certificate`: PEM, with its chain.
    pub certificate: PathBuf,
    /// `client_key`: PEM.
    pub key: PathBuf,
}

/// The keys of `[store]` that say something about Redis alone.
const KEYS: [&str; 14] = [
    "user",
    "password_file",
    "password",
    "key_prefix",
    "ca",
    "client_certificate",
    "client_key",
    "sentinel_user",
    "sentinel_password_file",
    "sentinel_password",
    "max_staleness",
    "on_stale",
    "require_replica",
    "allow_eviction",
];

impl RedisStore {
    /// Whether a URL means Redis.
    pub(super) fn is_meant_by(url: &str) -> bool {
        url.starts_with("redis") || url.starts_with("unix:") || url.starts_with("valkey")
    }

    pub(super) fn read(section: &mut Section<'_>, url: &Text<'_>) -> Option<Self> {
        let location = Location::parse(url);
        let login = login(section, url, location.as_ref());
        let sentinel = account(
            section,
            "sentinel_user",
            ["sentinel_password_file", "sentinel_password"],
        );
        let tls = tls(section, location.as_ref());
        let store = Self {
            servers: RedisServers::Cluster(Vec::new()),
            database: 0,
            login,
            tls,
            key_prefix: key_prefix(section).unwrap_or_else(|| "dk".to_owned()),
            max_staleness: section.duration(
                "max_staleness",
                Duration::from_secs(2),
                Duration::from_millis(500)..=Duration::from_mins(1),
            ),
            on_stale: section.choice(
                "on_stale",
                OnStale::Keep,
                &[("keep", OnStale::Keep), ("cut", OnStale::Cut)],
            ),
            require_replica: section.flag("require_replica", true),
            allow_eviction: section.flag("allow_eviction", false),
        };
        let mut location = location?;
        location.take_sentinel_login(section, sentinel);
        Some(Self {
            servers: location.servers,
            database: location.database,
            ..store
        })
    }

    /// The embedded store needs none of these.
    pub(super) fn refuse_keys(section: &mut Section<'_>) {
        for key in KEYS {
            if section.value(key).is_some() {
                let message = format!("{key} has no use with the embedded store");
                section.wrong_key(key, &message, "remove it, or write a redis:// URL");
            }
        }
    }

    /// Whether passwords and records cross a network that others may listen on.
    pub(super) fn is_in_the_clear(&self) -> bool {
        self.tls.is_none() && !self.servers.is_this_machine()
    }
}

/// The store as a URL, without the account.
impl fmt::Display for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        self.servers.write(f, scheme)?;
        match (&self.servers, self.database) {
            (_, 0) => Ok(()),
            (RedisServers::One(RedisAddress::Socket(_)), database) => write!(f, "?db={database}"),
            (_, database) => write!(f, "/{database}"),
        }
    }
}

/// The account of the URL or of `user`, with its password.
fn login(
    section: &mut Section<'_>,
    url: &Text<'_>,
    location: Option<&Location>,
) -> Option<RedisLogin> {
    let in_url = location.and_then(|location| location.user.clone());
    if in_url.is_some() && section.has("user") {
        section.wrong_key(
            "user",
            "user is there, and the url names an account too",
            "remove one of them",
        );
    }
    if let Some(password) = location.and_then(|location| location.password.clone()) {
        for key in ["password_file", "password"] {
            if section.has(key) {
                let message = format!("{key} is there, and the url holds a password too");
                section.wrong_key(key, &message, "remove one of them");
            }
        }
        account(section, "user", ["password_file", "password"]);
        return Some(RedisLogin {
            user: in_url,
            password,
        });
    }
    if in_url.is_some() && !section.has("password") && !section.has("password_file") {
        url.missing("names an account, but there is no password", USE_A_FILE);
    }
    let login = account(section, "user", ["password_file", "password"])?;
    Some(RedisLogin {
        user: login.user.or(in_url),
        ..login
    })
}

fn account(
    section: &mut Section<'_>,
    user: &'static str,
    passwords: [&'static str; 2],
) -> Option<RedisLogin> {
    let name = section.text(user);
    let password = password(section, passwords);
    if let Some(name) = &name
        && !passwords.iter().any(|key| section.has(key))
    {
        let [file, plain] = passwords;
        let way_out = format!(
            r#"write {file} = "FILE", or {plain} = "${{NAME}}" with a variable of the environment"#
        );
        name.missing("has no password", way_out);
    }
    Some(RedisLogin {
        user: name.map(|name| name.as_str().to_owned()),
        password: password?,
    })
}

fn tls(section: &mut Section<'_>, location: Option<&Location>) -> Option<RedisTls> {
    const IN_THE_CLEAR: &str = "write rediss:// as the URL's scheme, or remove it";
    let keys = ["ca", "client_certificate", "client_key"];
    let [ca, certificate, key] = keys.map(|key| section.text(key).and_then(|text| text.path()));
    if location.is_some_and(|location| !location.is_secure) {
        for key in keys.into_iter().filter(|key| section.has(key)) {
            let message = format!("{key} has no use without TLS");
            section.wrong_key(key, &message, IN_THE_CLEAR);
        }
        return None;
    }
    for (there, other) in [
        ("client_certificate", "client_key"),
        ("client_key", "client_certificate"),
    ] {
        if section.has(there) && !section.has(other) {
            let message = format!("{other} is missing: {there} is there");
            section.wrong_key(there, &message, &format!("add {other} = \"FILE\""));
        }
    }
    let client = certificate.zip(key);
    Some(RedisTls {
        ca,
        client: client.map(|(certificate, key)| RedisClientCertificate { certificate, key }),
    })
}

/// What stands between the braces decides the Cluster's slot, so it must hold none itself.
fn key_prefix(section: &mut Section<'_>) -> Option<String> {
    let text = section.text("key_prefix")?;
    let prefix = text.as_str();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !(1..=64).contains(&prefix.len()) || !prefix.chars().all(is_plain) {
        text.wrong(
            "is no prefix of keys",
            "write 1 to 64 of A-Z, a-z, 0-9, '-', '_', '.', ':', such as \"dk\"",
        );
        return None;
    }
    Some(prefix.to_owned())
}
