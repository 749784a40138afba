use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{Config, Route, Server, Target, Upstream};

/// What differs between the configuration of a running node and another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What a reload applies.
    pub live: Vec<Change>,
    /// The keys and sections that only a restart applies: a reload refuses them, and everything with them.
    pub fixed: Vec<&'static str>,
}

/// Something that another configuration has, has not or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key or section that it belongs to: never a name that the operator chose.
    pub section: &'static str,
    /// What it is, as the file calls it: a key, a section, or a route by its place.
    pub what: String,
    /// What becomes of it.
    pub how: Becomes,
}

/// What becomes of a part of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// It was not there.
    Added,
    /// It is another.
    Changed,
    /// It is gone.
    Removed,
}

/// The keys and sections of which a node learns at its start alone: sockets, threads, files and
/// connections that it holds for as long as it runs.
pub const FIXED: [&str; 19] = [
    "server.listen",
    "server.workers",
    "server.max_connections",
    "server.max_connections_per_address",
    "admin.listen",
    "admin.socket",
    "store",
    "sessions.issuer",
    "sessions.audience",
    "sessions.lifetime",
    "sessions.algorithm",
    "sessions.signing_keys",
    "passwords.min_length",
    "passwords.memory",
    "passwords.iterations",
    "passwords.threads",
    "mail",
    "logging.format",
    "logging.access",
];

impl Changes {
    /// What `new` changes in `old`. `names` tells the routes apart.
    #[must_use]
    pub fn between(old: &Config, new: &Config, names: impl Fn(&[Route]) -> Vec<String>) -> Self {
        // Taken apart, so that a new section does not compile before it is said what becomes of it.
        let Config {
            server,
            admin,
            store,
            sessions,
            api,
            api_keys,
            passwords,
            login,
            mail,
            identity_headers,
            logging,
            dns,
            upstreams,
            limits,
            routes: _,
        } = old;
        let mut all = Self::default();
        all.server(server, &new.server);
        all.fixed("admin.listen", admin.listen == new.admin.listen);
        all.fixed("admin.socket", admin.socket == new.admin.socket);
        all.fixed("store", *store == new.store);
        let to = &new.sessions;
        all.fixed("sessions.issuer", sessions.issuer == to.issuer);
        all.fixed("sessions.audience", sessions.audience == to.audience);
        all.fixed("sessions.lifetime", sessions.lifetime == to.lifetime);
        all.fixed("sessions.algorithm", sessions.algorithm == to.algorithm);
        let keys = sessions.signing_keys == to.signing_keys;
        all.fixed("sessions.signing_keys", keys);
        let to = &new.passwords;
        let length = passwords.min_length == to.min_length;
        all.fixed("passwords.min_length", length);
        all.fixed("passwords.memory", passwords.memory == to.memory);
        all.fixed(
            "passwords.iterations",
            passwords.iterations == to.iterations,
        );
        all.fixed("passwords.threads", passwords.threads == to.threads);
        all.fixed("mail", *mail == new.mail);
        all.fixed("logging.format", logging.format == new.logging.format);
        all.fixed("logging.access", logging.access == new.logging.access);
        all.live("logging.level", logging.level == new.logging.level);
        all.live("[api]", *api == new.api);
        all.live("[api_keys]", *api_keys == new.api_keys);
        all.live("[login]", *login == new.login);
        let identity = *identity_headers == new.identity_headers;
        all.live("[identity_headers]", identity);
        all.live("[dns]", *dns == new.dns);
        all.upstreams(upstreams, &new.upstreams);
        all.live("[[limits]]", *limits == new.limits);
        all.routes(old, new, names);
        all
    }

    /// Whether nothing differs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live.is_empty() && self.fixed.is_empty()
    }

    fn server(&mut self, old: &Server, new: &Server) {
        let Server {
            listen,
            tls,
            trusted_proxies,
            rate_limit_headers,
            workers,
            max_connections,
            max_connections_per_address,
            handshake_timeout,
            head_timeout,
            idle_timeout,
            body_timeout,
            write_timeout,
            min_rate,
            min_rate_grace,
            max_head,
            drain_delay,
            drain_timeout,
            http2,
        } = old;
        self.fixed("server.listen", *listen == new.listen);
        self.fixed("server.workers", *workers == new.workers);
        let room = *max_connections == new.max_connections;
        self.fixed("server.max_connections", room);
        let crowd = *max_connections_per_address == new.max_connections_per_address;
        self.fixed("server.max_connections_per_address", crowd);
        self.live("[server.tls]", *tls == new.tls);
        let trusted = *trusted_proxies == new.trusted_proxies;
        self.live("server.trusted_proxies", trusted);
        let fields = *rate_limit_headers == new.rate_limit_headers;
        self.live("server.rate_limit_headers", fields);
        for (key, old, new) in [
            (
                "server.handshake_timeout",
                handshake_timeout,
                &new.handshake_timeout,
            ),
            ("server.head_timeout", head_timeout, &new.head_timeout),
            ("server.idle_timeout", idle_timeout, &new.idle_timeout),
            ("server.body_timeout", body_timeout, &new.body_timeout),
            ("server.write_timeout", write_timeout, &new.write_timeout),
            ("server.min_rate_grace", min_rate_grace, &new.min_rate_grace),
            ("server.drain_delay", drain_delay, &new.drain_delay),
            ("server.drain_timeout", drain_timeout, &new.drain_timeout),
        ] {
            self.live(key, old == new);
        }
        self.live("server.min_rate", *min_rate == new.min_rate);
        self.live("server.max_head", *max_head == new.max_head);
        self.live("[server.http2]", *http2 == new.http2);
    }

    fn upstreams(&mut self, old: &[Upstream], new: &[Upstream]) {
        let names = |all: &[Upstream]| -> Vec<String> {
            let name = |one: &Upstream| format!("[upstreams.{}]", one.name);
            all.iter().map(name).collect()
        };
        self.named("upstreams", (names(old), names(new)), |at, to| {
            old.get(at) == new.get(to)
        });
    }

    fn routes(&mut self, old: &Config, new: &Config, names: impl Fn(&[Route]) -> Vec<String>) {
        let names = |routes: &[Route]| -> Vec<String> {
            let names = names(routes).into_iter();
            names.map(|name| format!("route {name:?}")).collect()
        };
        let both = (names(&old.routes), names(&new.routes));
        self.named("routes", both, |at, to| {
            let (one, other) = (old.routes.get(at), new.routes.get(to));
            one.zip(other)
                .is_some_and(|(one, other)| is_same_route((old, one), (new, other)))
        });
    }

    /// Compares what has names; `is_same` is asked of two that are called alike, by their places.
    fn named(
        &mut self,
        section: &'static str,
        (old, new): (Vec<String>, Vec<String>),
        is_same: impl Fn(usize, usize) -> bool,
    ) {
        let places: HashMap<&str, usize> = old
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str(), at))
            .collect();
        let mut stay = HashSet::new();
        for (to, name) in new.iter().enumerate() {
            let how = match places.get(name.as_str()) {
                None => Becomes::Added,
                Some(at) => {
                    stay.insert(*at);
                    if is_same(*at, to) {
                        continue;
                    }
                    Becomes::Changed
                }
            };
            let what = name.clone();
            self.live.push(Change { section, what, how });
        }
        let gone = old
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !stay.contains(at));
        self.live.extend(gone.map(|(_, what)| Change {
            section,
            what,
            how: Becomes::Removed,
        }));
    }

    fn live(&mut self, key: &'static str, is_same: bool) {
        if !is_same {
            self.live.push(Change {
                section: key,
                what: key.to_owned(),
                how: Becomes::Changed,
            });
        }
    }

    fn fixed(&mut self, key: &'static str, is_same: bool) {
        if !is_same {
            self.fixed.push(key);
        }
    }
}

/// An upstream is called by its place in the file's order of names, which others can shift.
fn is_same_route((old, one): (&Config, &Route), (new, other): (&Config, &Route)) -> bool {
    let mut moved = other.clone();
    if let (Target::Upstream(at), Target::Upstream(to)) = (&one.target, &other.target) {
        let name = |config: &Config, at: usize| config.upstreams.get(at).map(|it| it.name.clone());
        if name(old, *at) == name(new, *to) {
            moved.target = one.target.clone();
        } else {
            return false;
        }
    }
    *one == moved
}

impl Becomes {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.how.as_str())
    }
}
