mod cors;
mod header_rules;
mod place;
mod redirect;
mod rewrite;

pub use cors::{Cors, Origins};
pub use header_rules::HeaderRules;
pub use place::{HostPattern, Place, Reach};
pub use redirect::Redirect;
pub use rewrite::Rewrite;

use std::sync::Arc;

use http::{HeaderName, Method};
use toml::de::DeTable;

use self::header_rules::Side;
use self::place::Taken;
use super::deadlines::RouteDeadlines;
use super::identity::{IdentityHeaders, kept};
use super::limits::{Limit, Subjects};
use super::section::Section;
use super::suggest::{did_you_mean, nearest};
use super::text::quoted;
use super::upstreams::Upstream;
use super::value::Value;
use crate::domain::Role;

/// One of `[[routes]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `host` or `hosts`, `path` or `exact`, and `methods`: which requests it takes.
    pub place: Place,
    /// `upstream` or `redirect`: where they go.
    pub target: Target,
    /// `public` or `allow`
    pub access: Access,
    /// `path_parameters = "keep"`: a `;` in a path is passed on.
    pub keep_path_parameters: bool,
    /// `encoded_slash = "keep"`: `%2f` in a path is passed on.
    pub keep_encoded_slash: bool,
    /// `keep_headers`: headers passed on that are removed by default; never an identity header.
    pub keep_headers: Vec<HeaderName>,
    /// `credential = "pass"`: the credential itself reaches the upstream.
    pub pass_credential: bool,
    /// `strip_prefix` and `add_prefix`
    pub rewrite: Rewrite,
    /// `request_headers`: what is set and removed on the way to the upstream, if anything is. Every request
    /// carries it.
    pub request_headers: Option<Arc<HeaderRules>>,
    /// `response_headers`: what is set and removed in the upstream's answer.
    pub response_headers: HeaderRules,
    /// `max_body`: the most bytes of a request's body; left out, any number.
    pub max_body: Option<u64>,
    /// `cors`: which web pages of other origins may call; left out, the upstream says.
    pub cors: Option<Cors>,
    /// `limits` of this route alone.
    pub limits: Vec<Limit>,
    /// What differs from the deadlines of the upstream.
    pub deadlines: RouteDeadlines,
}

/// Where the requests of a route go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `upstream`, as its index in [`Config::upstreams`](super::Config::upstreams).
    Upstream(usize),
    /// `redirect`: the client is sent elsewhere, whoever it is.
    Redirect(Redirect),
}

/// Who may use a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// `public = true`: anyone; no credential is looked at.
    Public,
    /// Any principal.
    SignedIn,
    /// `allow = [{ role = "viewer", methods = ["GET"] }]`: whom one of the rules fits.
    Allow(Vec<Rule>),
}

/// One rule of `allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `role`
    pub role: Role,
    /// `methods`; left out, every method.
    pub methods: Option<Vec<Method>>,
}

/// The methods that a slip of the pen is measured against; others are taken in capitals.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The keys that say nothing of a request that is sent elsewhere. The first three are read nowhere else
/// then.
const NOT_OF_A_REDIRECT: [&str; 12] = [
    "upstream",
    "public",
    "allow",
    "credential",
    "keep_headers",
    "request_headers",
    "response_headers",
    "max_body",
    "connect_timeout",
    "response_timeout",
    "idle_timeout",
    "timeout",
];

impl Route {
    /// Reads every `[[routes]]`.
    pub(super) fn read_all(
        root: &mut Section<'_>,
        upstreams: &[Upstream],
        identity: &IdentityHeaders,
    ) -> Vec<Self> {
        let mut taken = Taken::default();
        let routes = root.tables("routes", title, |section| {
            Self::read(section, &mut taken, upstreams, identity)
        });
        routes.into_iter().flatten().collect()
    }

    fn read(
        section: &mut Section<'_>,
        taken: &mut Taken,
        upstreams: &[Upstream],
        identity: &IdentityHeaders,
    ) -> Option<Self> {
        let place = Place::read(section, taken);
        let target = Target::read(section, upstreams);
        let methods = place.as_ref().and_then(|place| place.methods.as_deref());
        let access = match &target {
            Some(Target::Redirect(_)) => Access::Public,
            _ => Access::read(section, methods),
        };
        let keep = [("refuse", false), ("keep", true)];
        let keep_path_parameters = section.choice("path_parameters", false, &keep);
        let keep_encoded_slash = section.choice("encoded_slash", false, &keep);
        let pass = [("remove", false), ("pass", true)];
        let pass_credential = section.choice("credential", false, &pass);
        let keep_headers = section.list("keep_headers").unwrap_or_default();
        let keep_headers = keep_headers.iter().filter_map(|name| kept(name, identity));
        let keep_headers = keep_headers.collect();
        let prefix = place.as_ref().map(|place| place.path.as_str());
        let rewrite = Rewrite::read(section, prefix);
        let request = Side::Request {
            identity,
            pass_credential,
        };
        let request_headers = HeaderRules::read(section, "request_headers", &request);
        let request_headers = (!request_headers.is_empty()).then(|| Arc::new(request_headers));
        let answered = section.has("cors");
        let response = Side::Response { answered };
        let response_headers = HeaderRules::read(section, "response_headers", &response);
        let max_body = section.value("max_body");
        let max_body = max_body.and_then(|value| value.size(0..=1 << 40));
        let cors = section.part("cors", |cors| Cors::read(cors, methods));
        let subjects = if matches!(access, Access::Public) {
            Subjects::WithoutPrincipal
        } else {
            Subjects::All
        };
        let limits = Limit::read_list(section, subjects);
        let deadlines = RouteDeadlines::read(section);
        Some(Self {
            target: target?,
            access,
            keep_path_parameters,
            keep_encoded_slash,
            keep_headers,
            pass_credential,
            rewrite,
            request_headers,
            response_headers,
            max_body: max_body.map(|bytes| bytes as u64),
            cors: cors.flatten(),
            limits,
            deadlines,
            place: place?,
        })
    }
}

impl Target {
    fn read(section: &mut Section<'_>, upstreams: &[Upstream]) -> Option<Self> {
        let redirect = section.part("redirect", Redirect::read);
        let Some(redirect) = redirect else {
            return upstream(section, upstreams).map(Self::Upstream);
        };
        for key in NOT_OF_A_REDIRECT.into_iter().take(3) {
            section.value(key);
        }
        for key in NOT_OF_A_REDIRECT {
            if section.has(key) {
                section.wrong_key(
                    key,
                    &format!("{key} says nothing of a redirect, which is answered to everybody"),
                    &format!("remove {key} or redirect"),
                );
            }
        }
        redirect.map(Self::Redirect)
    }
}

impl Access {
    /// Whether a principal of this role may use this method.
    #[must_use]
    pub fn admits(&self, role: Role, method: &Method) -> bool {
        match self {
            Self::Public | Self::SignedIn => true,
            Self::Allow(rules) => rules.iter().any(|rule| {
                rule.role == role
                    && rule
                        .methods
                        .as_ref()
                        .is_none_or(|methods| methods.contains(method))
            }),
        }
    }

    /// Reads `public` and `allow` of a route that takes `methods`.
    fn read(section: &mut Section<'_>, methods: Option<&[Method]>) -> Self {
        let public = section.flag("public", false);
        let Some(allow) = section.value("allow") else {
            return if public { Self::Public } else { Self::SignedIn };
        };
        if public {
            section.wrong_key(
                "public",
                "public lets everybody pass, allow does not",
                "remove public or allow",
            );
        }
        let elements = allow.list().unwrap_or_default();
        if elements.is_empty() && allow.value.is_array() {
            allow.wrong(
                "is an empty list: nobody could pass",
                "remove it for every signed-in user, or write { role = \"admin\" }",
            );
        }
        let rules = section.elements(elements, "allow", "{ role = \"viewer\" }", |rule| {
            Rule::read(rule, methods)
        });
        Self::Allow(rules.into_iter().flatten().collect())
    }
}

impl Rule {
    fn read(section: &mut Section<'_>, of_route: Option<&[Method]>) -> Option<Self> {
        let role = section.required("role", "\"viewer\"");
        let value = section.value("methods");
        let methods = value.as_ref().and_then(methods);
        if let (Some(value), Some(methods), Some(of_route)) = (&value, &methods, of_route)
            && !methods.is_empty()
            && !methods.iter().any(|method| of_route.contains(method))
        {
            value.wrong(
                "has none of the methods that the route takes, so the rule can never fit",
                "remove the rule, or add its methods to those of the route",
            );
        }
        let choices = Role::ALL.map(|role| (role.as_str(), role));
        Some(Self {
            role: role?.choice(&choices)?,
            methods,
        })
    }
}

/// What messages call a route: by its path as it is written, else by its number.
fn title(index: usize, table: &DeTable<'_>) -> String {
    let word = |key| table.get(key).and_then(|value| value.get_ref().as_str());
    match (word("path").or_else(|| word("exact")), word("host")) {
        (Some(path), Some(host)) => format!("route {} of {}", quoted(path), quoted(host)),
        (Some(path), None) => format!("route {}", quoted(path)),
        (None, _) => format!("route {}", index + 1),
    }
}

/// The upstream's place among all.
fn upstream(section: &mut Section<'_>, upstreams: &[Upstream]) -> Option<usize> {
    let text = section.required("upstream", "\"NAME\"")?.text()?;
    let found = upstreams
        .iter()
        .position(|upstream| upstream.name == text.as_str());
    if found.is_none() {
        let names = || upstreams.iter().map(|upstream| upstream.name.as_str());
        let meant = did_you_mean(text.written(), names());
        let way_out = if meant.is_empty() {
            format!("add [upstreams.{}] with its servers", text.written())
        } else {
            String::new()
        };
        text.missing(format!("is not defined{meant}"), way_out);
    }
    found
}

fn methods(value: &Value<'_>) -> Option<Vec<Method>> {
    let elements = value.list()?;
    if elements.is_empty() {
        value.wrong(
            "is an empty list: nothing would be allowed",
            "remove it for every method, or write [\"GET\", \"HEAD\"]",
        );
    }
    Some(elements.iter().filter_map(method).collect())
}

fn method(element: &Value<'_>) -> Option<Method> {
    let text = element.text()?;
    let name = text.as_str();
    let known = METHODS.contains(&name);
    let meant = nearest(name, METHODS).filter(|_| !known);
    let capitals = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if meant.is_none()
        && capitals
        && name != "CONNECT"
        && let Ok(method) = Method::from_bytes(name.as_bytes())
    {
        return Some(method);
    }
    let meant = did_you_mean(text.written(), METHODS);
    text.wrong(
        format!("is not a method{meant}"),
        format!("write such as {}, in capitals", METHODS.join(", ")),
    );
    None
}
