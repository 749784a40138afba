use std::cmp::Reverse;
use std::fmt::Write;

use super::passwords::ADVISED_MEMORY;
use super::quantity::Bytes;
use super::sessions::web_url;
use super::{
    Access, Config, Cors, HostPattern, Limit, Listen, Mail, MailTransport, Origins, Place,
    ProxyProtocol, Reach, Redirect, Route, Rule, Scheme, StoreUrl, Target,
};

impl Config {
    /// What the configuration means, for people: the listeners, where things are kept, and the routes in
    /// the order in which they match.
    #[must_use]
    pub fn summary(&self) -> String {
        let rows = [
            ("listen", self.listeners()),
            (
                "admin",
                format!(
                    "http://{}, {}",
                    self.admin.listen,
                    self.admin.socket.display()
                ),
            ),
            ("store", self.store.to_string()),
            ("issuer", self.sessions.issuer.clone()),
            (
                "mail",
                self.mail.as_ref().map_or_else(no_mail, Mail::summary),
            ),
        ];
        let mut summary: String = rows.map(|(what, is)| format!("{what:<8}{is}\n")).concat();
        summary.push('\n');
        summary.push_str(&self.route_table());
        summary
    }

    /// What is allowed, but may not be what the operator wants.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let tls = |listen: &&Listen| listen.scheme == Scheme::Https;
        if self.server.tls.is_none() && self.server.listen.iter().any(|listen| tls(&listen)) {
            warnings.push(
                "no [server.tls]: a self-signed certificate for localhost is used, which no client trusts"
                    .to_owned(),
            );
        }
        let open = self.server.listen.iter().filter(|listen| {
            listen.scheme == Scheme::Http
                && listen.redirect.is_none()
                && !listen.address.ip().is_loopback()
        });
        warnings.extend(open.map(|listen| {
            format!(
                "{listen} takes passwords and credentials without TLS; let only a proxy reach it"
            )
        }));
        if !self.admin.listen.ip().is_loopback() {
            warnings.push(format!(
                "[admin] listen {} can be reached from other machines and asks for no credential",
                self.admin.listen
            ));
        }
        if let StoreUrl::Redis(redis) = &self.store
            && redis.is_in_the_clear()
        {
            warnings.push(format!(
                "[store] {redis} is spoken to without TLS: whoever listens on the network learns its password; write rediss://"
            ));
        }
        if self.passwords.memory < ADVISED_MEMORY {
            warnings.push(format!(
                "[passwords] memory {} makes stolen hashes cheap to guess; use at least {}",
                Bytes(self.passwords.memory),
                Bytes(ADVISED_MEMORY)
            ));
        }
        match &self.mail {
            None => warnings.push(no_mail()),
            Some(mail) if mail.leads_to_plain_http() => warnings.push(format!(
                "reset links lead to {}, without TLS: whoever listens can take the account",
                mail.reset_link
            )),
            Some(_) => {}
        }
        if self.routes.is_empty() {
            warnings.push("no [[routes]]: nothing is forwarded".to_owned());
        }
        warnings
    }

    /// The routes in the order in which they match: those for one host first, then those for all hosts
    /// below a name, the longest first; exact paths before others, the longest path first; and those
    /// that list methods before the one that takes every other.
    #[must_use]
    pub fn routes_as_matched(&self) -> Vec<&Route> {
        let mut routes: Vec<&Route> = self.routes.iter().collect();
        routes.sort_by_cached_key(|route| {
            let place = &route.place;
            (
                host_order(place),
                place.reach == Reach::Below,
                Reverse(place.path.len()),
                place.path.clone(),
                place.methods.is_none(),
            )
        });
        routes
    }

    fn listeners(&self) -> String {
        let listeners: Vec<String> = self.server.listen.iter().map(listener).collect();
        listeners.join(", ")
    }

    fn route_table(&self) -> String {
        if self.routes.is_empty() {
            return "no [[routes]]: every path but the gateway's own is 404\n".to_owned();
        }
        let head = ["HOST", "METHODS", "PATH", "WHO", "UPSTREAM", "ALSO"].map(str::to_owned);
        let routes = self.routes_as_matched();
        let rows = routes.iter().map(|route| self.row(route));
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        table(&rows)
    }

    fn row(&self, route: &Route) -> [String; 6] {
        let hosts: Vec<String> = route.place.hosts.iter().map(ToString::to_string).collect();
        let methods = route.place.methods.as_deref().unwrap_or_default();
        [
            if hosts.is_empty() {
                "any".to_owned()
            } else {
                hosts.join(" ")
            },
            words(methods.iter().map(http::Method::as_str)),
            route.place.to_string(),
            route.access.summary(),
            self.target(&route.target),
            self.also(route),
        ]
    }

    fn target(&self, target: &Target) -> String {
        let index = match target {
            Target::Upstream(index) => *index,
            Target::Redirect(redirect) => return redirect.summary(),
        };
        let Some(upstream) = self.upstreams.get(index) else {
            return String::new();
        };
        let servers: Vec<String> = upstream.servers.iter().map(ToString::to_string).collect();
        format!("{} ({})", upstream.name, servers.join(", "))
    }

    /// What else a route does, in a few words.
    fn also(&self, route: &Route) -> String {
        let rewrite = &route.rewrite;
        let of =
            |what: &str, prefix: &str| (!prefix.is_empty()).then(|| format!("{what} {prefix}"));
        let limits = self.limits.iter().chain(&route.limits);
        let also = [
            of("strip", &rewrite.strip),
            of("add", &rewrite.add),
            route
                .request_headers
                .as_ref()
                .map(|_| "request headers".to_owned()),
            (!route.response_headers.is_empty()).then(|| "response headers".to_owned()),
            route.max_body.map(|max| {
                let max = usize::try_from(max).unwrap_or(usize::MAX);
                format!("bodies up to {}", Bytes(max))
            }),
            route.cors.as_ref().map(Cors::summary),
        ];
        let limits = limits.map(Limit::summary);
        let also: Vec<String> = also.into_iter().flatten().chain(limits).collect();
        also.join("; ")
    }
}

/// One host before all below a name, those before every host; a longer name first.
fn host_order(place: &Place) -> (u8, Reverse<usize>, String) {
    match place.hosts.first() {
        Some(HostPattern::Name(name)) => (0, Reverse(0), name.clone()),
        Some(HostPattern::Below(name)) => (1, Reverse(name.len()), name.clone()),
        None => (2, Reverse(0), String::new()),
    }
}

impl Redirect {
    fn summary(&self) -> String {
        let path = if self.keep_path { "/…" } else { "" };
        format!("{} to {}{path}", self.status.as_u16(), self.to)
    }
}

impl Cors {
    fn summary(&self) -> String {
        match &self.origins {
            Origins::Any => "cors for every origin".to_owned(),
            Origins::Listed(origins) => format!("cors for {}", origins.join(" ")),
        }
    }
}

impl Limit {
    pub(super) fn summary(&self) -> String {
        let burst = if self.burst == self.rate.count {
            String::new()
        } else {
            format!(", {} at once", self.burst)
        };
        format!("{}{burst}, per {}", self.rate, self.per.as_str())
    }
}

/// A listener, and what is special about it.
fn listener(listen: &Listen) -> String {
    let mut said = listen.to_string();
    if listen.proxy_protocol == ProxyProtocol::Required {
        said.push_str(" (PROXY protocol)");
    }
    if let Some(port) = listen.redirect {
        let _ = write!(said, " (redirects to https on port {port})");
    }
    said
}

impl Mail {
    fn leads_to_plain_http(&self) -> bool {
        web_url(&self.reset_link).is_some_and(|url| url.scheme == "http" && !url.is_loopback())
    }

    fn summary(&self) -> String {
        match &self.transport {
            MailTransport::Files(folder) => format!("files in {}", folder.display()),
            MailTransport::Smtp(server) => format!("{server}, from {}", self.from),
        }
    }
}

impl Access {
    fn summary(&self) -> String {
        match self {
            Self::Public => "anyone".to_owned(),
            Self::SignedIn => "signed in".to_owned(),
            Self::Allow(rules) => {
                let rules: Vec<String> = rules.iter().map(Rule::summary).collect();
                rules.join(", ")
            }
        }
    }
}

impl Rule {
    fn summary(&self) -> String {
        let Some(methods) = &self.methods else {
            return self.role.to_string();
        };
        let methods = words(methods.iter().map(http::Method::as_str));
        format!("{} ({methods})", self.role)
    }
}

fn no_mail() -> String {
    "no [mail]: no reset mails are sent".to_owned()
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

/// Columns as wide as their widest cell, two spaces apart; those without a cell below the head are left out.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = || rows.iter().filter_map(|row| row.get(column));
        let is_there = cells().skip(1).any(|cell| !cell.is_empty());
        let width = cells().map(|cell| cell.chars().count()).max();
        width.filter(|_| is_there)
    };
    let widths: [Option<usize>; N] = std::array::from_fn(width);
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            if let Some(width) = width {
                // Writing to a String cannot fail.
                let _ = write!(line, "{cell:<width$}  ");
            }
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}
