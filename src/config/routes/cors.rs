//! Which web pages of other origins may call.

use std::time::Duration;

use http::{HeaderName, Method, Uri, header};

use super::methods;
use crate::config::section::Section;
use crate::config::text::Text;
use crate::config::value::Value;

/// `cors = { origins = ["https://app.example.com"], … }`: what browsers are told of other origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// `origins`
    pub origins: Origins,
    /// `methods` that pages may use; by default the route's, else GET, HEAD and POST.
    pub methods: Vec<Method>,
    /// `headers` that pages may send; by default those that a client of the gateway needs.
    pub headers: Vec<HeaderName>,
    /// `expose`: headers of answers that pages may read.
    pub expose: Vec<HeaderName>,
    /// `credentials`: whether browsers send cookies and client certificates.
    pub credentials: bool,
    /// `max_age`: how long browsers may remember this (10m).
    pub max_age: Duration,
}

/// The origins of web pages that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// `["*"]`
    Any,
    /// As browsers write them: `https://app.example.com`, with a port where it is not the usual one.
    Listed(Vec<String>),
}

const USUAL_HEADERS: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("x-api-key"),
];

impl Cors {
    /// Reads it, for a route that takes `of_route`.
    pub(in crate::config) fn read(
        section: &mut Section<'_>,
        of_route: Option<&[Method]>,
    ) -> Option<Self> {
        const DAY: Duration = Duration::from_secs(86_400);
        let origins = section.required("origins", "[\"https://app.example.com\"]");
        let methods = section.value("methods").and_then(|value| methods(&value));
        let headers = names(section, "headers");
        let expose = names(section, "expose");
        let credentials = section.flag("credentials", false);
        let max_age = Duration::from_secs(600);
        let max_age = section.duration("max_age", max_age, Duration::ZERO..=DAY);
        let origins = self::origins(&origins?)?;
        if credentials && matches!(origins, Origins::Any) {
            section.wrong_key(
                "credentials",
                "credentials would let every web page act as the user; browsers refuse it beside \"*\"",
                "list the origins, or remove credentials",
            );
        }
        let usual = || {
            let usual = [Method::GET, Method::HEAD, Method::POST];
            of_route.map_or_else(|| usual.to_vec(), <[Method]>::to_vec)
        };
        Some(Self {
            origins,
            methods: methods.unwrap_or_else(usual),
            headers: headers.unwrap_or_else(|| USUAL_HEADERS.to_vec()),
            expose: expose.unwrap_or_default(),
            credentials,
            max_age,
        })
    }
}

fn origins(value: &Value<'_>) -> Option<Origins> {
    let elements = value.list()?;
    let texts: Vec<Text<'_>> = elements.iter().filter_map(Value::text).collect();
    if let [text] = texts.as_slice()
        && text.as_str() == "*"
    {
        return Some(Origins::Any);
    }
    if elements.is_empty() {
        value.wrong(
            "is an empty list: no page could call",
            "remove cors, or write [\"https://app.example.com\"]",
        );
    }
    let origins = texts.iter().filter_map(origin);
    Some(Origins::Listed(origins.collect()))
}

/// An origin as browsers send it (RFC 6454 §6.2): scheme, host and port, nothing else.
fn origin(text: &Text<'_>) -> Option<String> {
    let written = text.as_str();
    if written.contains('*') {
        text.wrong(
            "holds \"*\"",
            "write each origin, or [\"*\"] alone for every one",
        );
        return None;
    }
    let Some(origin) = serialised(written) else {
        text.wrong(
            "is not an origin",
            "write scheme and host, such as \"https://app.example.com\"",
        );
        return None;
    };
    if origin != written {
        text.wrong(
            "is not written as browsers send it",
            format!("write \"{origin}\""),
        );
    }
    Some(origin)
}

fn serialised(written: &str) -> Option<String> {
    let url: Uri = written.parse().ok()?;
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let usual_port = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority = url.authority()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host();
    let host = if host.starts_with('[') {
        host.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_strict(host).ok()?
    };
    Some(match authority.port_u16() {
        Some(port) if port != usual_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

fn names(section: &mut Section<'_>, key: &'static str) -> Option<Vec<HeaderName>> {
    let elements = section.list(key)?;
    Some(elements.iter().filter_map(name).collect())
}

fn name(element: &Value<'_>) -> Option<HeaderName> {
    let text = element.text()?;
    let name = HeaderName::from_bytes(text.as_str().as_bytes()).ok();
    // `*` would be a name, but means nothing for `Authorization`, and nothing beside credentials.
    let name = name.filter(|name| name.as_str() != "*");
    if name.is_none() {
        text.wrong(
            "is not the name of a header",
            "write letters, digits and dashes, such as \"Content-Type\"",
        );
    }
    name
}
