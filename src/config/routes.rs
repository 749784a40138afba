use http::{HeaderName, Method};
use toml::de::DeTable;

use super::deadlines::RouteDeadlines;
use super::identity::{IdentityHeaders, kept};
use super::pattern;
use super::section::Section;
use super::suggest::{did_you_mean, nearest};
use super::text::quoted;
use super::upstreams::Upstream;
use super::value::Value;
use crate::domain::Role;

/// One of `[[routes]]`.
#[derive(Debug, Clone)]
pub struct Route {
    /// `host`: only requests to it, in lower case without port; left out, every host.
    pub host: Option<String>,
    /// `path`: a prefix by whole segments, in normal form without a slash at the end (`/` is empty).
    pub path: String,
    /// `upstream`, as its index in [`Config::upstreams`](super::Config::upstreams).
    pub upstream: usize,
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
    /// What differs from the deadlines of the upstream.
    pub deadlines: RouteDeadlines,
}

/// Who may use a route.
#[derive(Debug, Clone)]
pub enum Access {
    /// `public = true`: anyone; no credential is looked at.
    Public,
    /// Any principal.
    SignedIn,
    /// `allow = [{ role = "viewer", methods = ["GET"] }]`: whom one of the rules fits.
    Allow(Vec<Rule>),
}

/// One rule of `allow`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `role`
    pub role: Role,
    /// `methods`; left out, every method.
    pub methods: Option<Vec<Method>>,
}

/// The methods that a slip of the pen is measured against; others are taken in capitals.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];

impl Route {
    /// Reads every `[[routes]]`.
    pub(super) fn read_all(
        root: &mut Section<'_>,
        upstreams: &[Upstream],
        identity: &IdentityHeaders,
    ) -> Vec<Self> {
        let mut taken = Vec::new();
        let routes = root.tables("routes", title, |section| {
            let place = Self::place(section, &mut taken);
            let upstream = upstream(section, upstreams);
            let access = Access::read(section);
            let keep = [("refuse", false), ("keep", true)];
            let keep_path_parameters = section.choice("path_parameters", false, &keep);
            let keep_encoded_slash = section.choice("encoded_slash", false, &keep);
            let pass = [("remove", false), ("pass", true)];
            let pass_credential = section.choice("credential", false, &pass);
            let keep_headers = section.list("keep_headers").unwrap_or_default();
            let keep_headers = keep_headers.iter().filter_map(|name| kept(name, identity));
            let keep_headers = keep_headers.collect();
            let deadlines = RouteDeadlines::read(section);
            let (host, path) = place?;
            Some(Self {
                host,
                path,
                upstream: upstream?,
                access,
                keep_path_parameters,
                keep_encoded_slash,
                keep_headers,
                pass_credential,
                deadlines,
            })
        });
        routes.into_iter().flatten().collect()
    }

    /// The host and the path, which no other route may have.
    fn place(
        section: &mut Section<'_>,
        taken: &mut Vec<(Option<String>, String)>,
    ) -> Option<(Option<String>, String)> {
        let host = section.value("host");
        let path = section.required("path", "\"/reports\"");
        let host = match host {
            Some(value) => Some(pattern::host(&value.text()?)?),
            None => None,
        };
        let text = path?.text()?;
        let place = (host, pattern::path(&text)?);
        if taken.contains(&place) {
            let host = place.0.as_deref().map_or_else(
                || "without a host".to_owned(),
                |host| format!("for the host \"{host}\""),
            );
            text.wrong(
                format!("has another route already {host}"),
                "remove one of the two, or give it another path or host",
            );
        }
        taken.push(place.clone());
        Some(place)
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

    fn read(section: &mut Section<'_>) -> Self {
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
        let rules = section.elements(elements, "allow", "{ role = \"viewer\" }", Rule::read);
        Self::Allow(rules.into_iter().flatten().collect())
    }
}

impl Rule {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let role = section.required("role", "\"viewer\"");
        let methods = section.value("methods");
        let methods = methods.and_then(|value| self::methods(&value));
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
    match (word("path"), word("host")) {
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
