use std::fmt::Write;

use super::passwords::ADVISED_MEMORY;
use super::quantity::Bytes;
use super::sessions::web_url;
use super::{
    Access, Config, Listen, Mail, MailTransport, ProxyProtocol, Route, Rule, Scheme, StoreUrl,
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

    /// The routes in the order in which they match: those for one host first, the longest path first.
    #[must_use]
    pub fn routes_as_matched(&self) -> Vec<&Route> {
        let mut routes: Vec<&Route> = self.routes.iter().collect();
        routes.sort_by(|one, other| {
            let order = |route: &Route| (route.host.is_none(), route.host.clone());
            order(one)
                .cmp(&order(other))
                .then_with(|| other.path.len().cmp(&one.path.len()))
                .then_with(|| one.path.cmp(&other.path))
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
        let head = ["HOST", "PATH", "WHO", "UPSTREAM"].map(str::to_owned);
        let routes = self.routes_as_matched();
        let rows = routes.iter().map(|route| self.row(route));
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        table(&rows)
    }

    fn row(&self, route: &Route) -> [String; 4] {
        let upstream = self
            .upstreams
            .get(route.upstream)
            .map_or_else(String::new, |upstream| {
                let servers: Vec<String> =
                    upstream.servers.iter().map(ToString::to_string).collect();
                format!("{} ({})", upstream.name, servers.join(", "))
            });
        [
            route.host.clone().unwrap_or_else(|| "any".to_owned()),
            if route.path.is_empty() {
                "/".to_owned()
            } else {
                route.path.clone()
            },
            route.access.summary(),
            upstream,
        ]
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
        let methods: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
        format!("{} ({})", self.role, methods.join(" "))
    }
}

fn no_mail() -> String {
    "no [mail]: no reset mails are sent".to_owned()
}

/// Columns as wide as their widest cell, two spaces apart.
fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let mut table = String::new();
    for [host, path, who, upstream] in rows {
        let [a, b, c] = widths;
        // Writing to a String cannot fail.
        let _ = writeln!(table, "{host:<a$}  {path:<b$}  {who:<c$}  {upstream}");
    }
    table
}
