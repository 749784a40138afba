use std::fmt;
use std::path::PathBuf;

use super::RedisLogin;
use crate::config::section::Section;
use crate::config::smtp::unescaped;
use crate::config::text::Text;
use crate::config::url::Url;
use crate::domain::Password;

/// Which servers a store is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisServers {
    /// `redis://`, `redis+unix:`: one server.
    One(RedisAddress),
    /// `redis+sentinel://`: the one that Sentinels name.
    Sentinel {
        /// Where they are.
        sentinels: Vec<RedisHost>,
        /// What they call it.
        primary: String,
        /// `sentinel_user` and `sentinel_password_file`: who we are to them.
        login: Option<RedisLogin>,
    },
    /// `redis+cluster://`: some nodes of a Redis Cluster, who name the others.
    Cluster(Vec<RedisHost>),
}

/// Where one server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// On the network.
    Host(RedisHost),
    /// A Unix socket.
    Socket(PathBuf),
}

/// A server on the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisHost {
    /// A name or an IP address.
    pub host: String,
    /// Its port; by default 6379, and 26379 for Sentinels.
    pub port: u16,
}

/// What a URL says.
pub(super) struct Location {
    pub(super) servers: RedisServers,
    pub(super) database: u32,
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) is_secure: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    Sentinel,
    Cluster,
}

const WAY_OUT: &str = r#"write "redis://HOST", "rediss://HOST" with TLS, "redis+unix:FILE", "redis+sentinel://HOST,HOST/NAME" or "redis+cluster://HOST,HOST""#;

/// The most databases that anybody configures.
const MAX_DATABASE: u32 = 65_535;

impl Location {
    pub(super) fn parse(text: &Text<'_>) -> Option<Self> {
        let url = text.as_str();
        if let Some(rest) = url
            .strip_prefix("redis+unix:")
            .or_else(|| url.strip_prefix("unix:"))
        {
            return Self::socket(text, rest);
        }
        let form = url.split_once("://").and_then(|(scheme, rest)| {
            let (form, is_secure) = Form::of(scheme)?;
            Some((form, is_secure, rest))
        });
        let Some((form, is_secure, rest)) = form else {
            text.wrong_unquoted("is not the URL of a Redis", WAY_OUT);
            return None;
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (account, hosts) = match authority.rsplit_once('@') {
            Some((account, hosts)) => (account, hosts),
            None => ("", authority),
        };
        let (user, password) = account.split_once(':').unwrap_or((account, ""));
        if !password.is_empty() && !text.is_substituted() {
            text.wrong_unquoted("holds a password", super::USE_A_FILE);
            return None;
        }
        let (name, database) = path_of(text, form, path)?;
        Some(Self {
            servers: form.servers(hosts_of(text, form, hosts)?, name),
            database,
            user: (!user.is_empty()).then(|| unescaped(user)),
            password: (!password.is_empty()).then(|| Password::new(unescaped(password))),
            is_secure,
        })
    }

    /// Sentinels have accounts of their own.
    pub(super) fn take_sentinel_login(
        &mut self,
        section: &Section<'_>,
        account: Option<RedisLogin>,
    ) {
        if let RedisServers::Sentinel { login, .. } = &mut self.servers {
            *login = account;
            return;
        }
        for key in [
            "sentinel_user",
            "sentinel_password_file",
            "sentinel_password",
        ] {
            if section.has(key) {
                let message = format!("{key} has no use without Sentinels");
                section.wrong_key(key, &message, "remove it, or write a redis+sentinel:// URL");
            }
        }
    }

    fn socket(text: &Text<'_>, rest: &str) -> Option<Self> {
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let database = match query.split_once('=') {
            None if query.is_empty() => Some(0),
            Some(("db", database)) => database_of(text, database),
            _ => {
                text.wrong_unquoted("says more than a file and ?db=", WAY_OUT);
                None
            }
        };
        if path.is_empty() || path.contains('\0') {
            text.wrong_unquoted(
                "names no file",
                "write \"redis+unix:/run/redis/redis.sock\"",
            );
            return None;
        }
        Some(Self {
            servers: RedisServers::One(RedisAddress::Socket(text.base().join(path))),
            database: database?,
            user: None,
            password: None,
            is_secure: false,
        })
    }
}

impl Form {
    fn of(scheme: &str) -> Option<(Self, bool)> {
        Some(match scheme {
            "redis" | "valkey" => (Self::One, false),
            "rediss" | "valkeys" => (Self::One, true),
            "redis+sentinel" => (Self::Sentinel, false),
            "rediss+sentinel" => (Self::Sentinel, true),
            "redis+cluster" => (Self::Cluster, false),
            "rediss+cluster" => (Self::Cluster, true),
            _ => return None,
        })
    }

    fn servers(self, mut hosts: Vec<RedisHost>, primary: String) -> RedisServers {
        match self {
            Self::One if !hosts.is_empty() => {
                RedisServers::One(RedisAddress::Host(hosts.swap_remove(0)))
            }
            Self::One | Self::Cluster => RedisServers::Cluster(hosts),
            Self::Sentinel => RedisServers::Sentinel {
                sentinels: hosts,
                primary,
                login: None,
            },
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Sentinel => 26_379,
            Self::One | Self::Cluster => 6379,
        }
    }
}

impl RedisServers {
    pub(super) fn is_this_machine(&self) -> bool {
        match self {
            Self::One(RedisAddress::Socket(_)) => true,
            Self::One(RedisAddress::Host(host)) => host.is_loopback(),
            Self::Sentinel {
                sentinels: hosts, ..
            }
            | Self::Cluster(hosts) => hosts.iter().all(RedisHost::is_loopback),
        }
    }

    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, scheme: &str) -> fmt::Result {
        match self {
            Self::One(RedisAddress::Host(host)) => write!(f, "{scheme}://{host}"),
            Self::One(RedisAddress::Socket(path)) => write!(f, "redis+unix:{}", path.display()),
            Self::Sentinel {
                sentinels, primary, ..
            } => write!(f, "{scheme}+sentinel://{}/{primary}", joined(sentinels)),
            Self::Cluster(nodes) => write!(f, "{scheme}+cluster://{}", joined(nodes)),
        }
    }
}

impl RedisHost {
    fn is_loopback(&self) -> bool {
        let url = self.to_string();
        Url::parse(&format!("redis://{url}")).is_some_and(|url| url.is_loopback())
    }
}

impl fmt::Display for RedisHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

fn joined(hosts: &[RedisHost]) -> String {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    hosts.join(",")
}

fn hosts_of(text: &Text<'_>, form: Form, hosts: &str) -> Option<Vec<RedisHost>> {
    let parsed = hosts.split(',').map(|host| {
        let url = format!("redis://{host}");
        let url = Url::parse(&url).filter(|url| url.is_bare() && url.user.is_none())?;
        Some(RedisHost {
            host: url.host.to_owned(),
            port: url.port.unwrap_or(form.port()),
        })
    });
    let Some(parsed) = parsed.collect::<Option<Vec<_>>>() else {
        text.wrong_unquoted("names no host", WAY_OUT);
        return None;
    };
    if form == Form::One && parsed.len() > 1 {
        text.wrong_unquoted(
            "names several hosts",
            "write redis+sentinel:// for Sentinels, or redis+cluster:// for a Cluster",
        );
        return None;
    }
    Some(parsed)
}

/// The name of the primary, where Sentinels need one, and the database.
fn path_of(text: &Text<'_>, form: Form, path: &str) -> Option<(String, u32)> {
    if path.contains(['?', '#']) {
        text.wrong_unquoted("says more than servers and a database", WAY_OUT);
        return None;
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    let (name, database) = match form {
        Form::Sentinel => path.split_once('/').unwrap_or((path, "")),
        Form::One | Form::Cluster => ("", path),
    };
    if form == Form::Sentinel && name.is_empty() {
        text.wrong_unquoted(
            "does not say what the Sentinels call the primary",
            "write the name behind the hosts, such as \"redis+sentinel://s1,s2,s3/mymaster\"",
        );
        return None;
    }
    let database = database_of(text, database)?;
    if form == Form::Cluster && database > 0 {
        text.wrong_unquoted(
            "names a database, of which a Redis Cluster has only one",
            "remove the number, and give key_prefix a name of its own instead",
        );
        return None;
    }
    Some((name.to_owned(), database))
}

fn database_of(text: &Text<'_>, database: &str) -> Option<u32> {
    if database.is_empty() {
        return Some(0);
    }
    let is_number = database.bytes().all(|digit| digit.is_ascii_digit());
    let number = database
        .parse()
        .ok()
        .filter(|number| is_number && *number <= MAX_DATABASE);
    if number.is_none() {
        text.wrong_unquoted(
            "does not end in the number of a database",
            "write the number, such as \"redis://HOST/1\"",
        );
    }
    number
}
