//! The headers that a route sets and removes.

use http::{HeaderName, HeaderValue, header};
use toml::de::DeValue;

use crate::config::identity::{IdentityHeaders, is_hop_by_hop};
use crate::config::section::Section;
use crate::config::text::{Text, quoted};
use crate::config::value::Value;

/// `request_headers` or `response_headers`: `{ set = { NAME = "value" }, add = { … }, remove = [ … ] }`,
/// done in the order remove, set, add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// `set`: in place of what was there.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// `add`: beside what was there.
    pub add: Vec<(HeaderName, HeaderValue)>,
    /// `remove`
    pub remove: Vec<HeaderName>,
}

/// Which way the headers go: what the gateway itself says there, no rule can change.
pub(super) enum Side<'a> {
    /// To the upstream.
    Request {
        identity: &'a IdentityHeaders,
        /// Whether the credential reaches the upstream.
        pass_credential: bool,
    },
    /// To the client.
    Response {
        /// Whether the gateway answers for other origins (`cors`).
        answered: bool,
    },
}

impl HeaderRules {
    pub(super) fn read(section: &mut Section<'_>, key: &'static str, side: &Side<'_>) -> Self {
        let rules = section.part(key, |section| {
            let set = pairs(section, "set", side);
            let add = pairs(section, "add", side);
            let list = section.list("remove").unwrap_or_default();
            let mut remove: Vec<HeaderName> = Vec::new();
            for text in list.iter().filter_map(Value::text) {
                let Some(name) = name(text.as_str(), side)
                    .map_err(|wrong| wrong.tell(&text))
                    .ok()
                else {
                    continue;
                };
                if remove.contains(&name) {
                    text.wrong("is there twice", "remove one of the two");
                } else if set.iter().any(|(set, _)| *set == name) {
                    text.wrong("is set too", "remove it from one of the two");
                }
                remove.push(name);
            }
            Self { set, add, remove }
        });
        rules.unwrap_or_default()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    /// Whether what was there of a header goes: also in a spelling that some backends read alike, which
    /// would else stand beside what is set, or in place of what is removed.
    #[must_use]
    pub fn takes(&self, name: &HeaderName) -> bool {
        let set = self.set.iter().map(|(set, _)| set);
        set.chain(&self.remove).any(|own| reads_alike(own, name))
    }

    /// What is there in its place, and what comes beside the rest.
    pub fn brings(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.set.iter().chain(&self.add)
    }
}

/// The names and values of a table.
fn pairs(
    section: &mut Section<'_>,
    key: &'static str,
    side: &Side<'_>,
) -> Vec<(HeaderName, HeaderValue)> {
    let Some(value) = section.value(key) else {
        return Vec::new();
    };
    let DeValue::Table(table) = value.value else {
        value.not::<()>("a table", "write { \"X-Name\" = \"value\" }");
        return Vec::new();
    };
    let mut pairs: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (key, element) in table {
        let written = key.get_ref().as_ref();
        let place = key.span();
        let subject = format!("{} {}", value.subject, quoted(written));
        let told = |wrong: &Wrong| {
            section.context.report_wrong(
                place.clone(),
                format!("{subject} {}", wrong.predicate),
                wrong.way_out,
            );
        };
        let name = name(written, side).map_err(|wrong| told(&wrong)).ok();
        let text = Value::new(section.context, subject.clone(), element).text();
        let (Some(name), Some(text)) = (name, text) else {
            continue;
        };
        if pairs.iter().any(|(other, _)| *other == name) {
            told(&Wrong::new("is there twice", "remove one of the two"));
        }
        if let Some(value) = header_value(&name, &text) {
            pairs.push((name, value));
        }
    }
    pairs
}

/// What is wrong with the name of a header, and the way out.
struct Wrong {
    predicate: &'static str,
    way_out: &'static str,
}

impl Wrong {
    const fn new(predicate: &'static str, way_out: &'static str) -> Self {
        Self { predicate, way_out }
    }

    fn tell(&self, text: &Text<'_>) {
        text.wrong(self.predicate, self.way_out);
    }
}

fn name(written: &str, side: &Side<'_>) -> Result<HeaderName, Wrong> {
    let name = HeaderName::from_bytes(written.as_bytes()).map_err(|_| {
        Wrong::new(
            "is not the name of a header",
            "write letters, digits and dashes, such as \"X-Frame-Options\"",
        )
    })?;
    if is_hop_by_hop(&name) || OF_ONE_CONNECTION.contains(&folded(&name).as_str()) {
        return Err(Wrong::new(
            "frames or addresses the message, or belongs to one connection",
            "remove it",
        ));
    }
    if name.as_str().starts_with("sec-websocket-") {
        return Err(Wrong::new("is part of how a WebSocket begins", "remove it"));
    }
    match side {
        Side::Request {
            identity,
            pass_credential,
        } => of_request(&name, identity, *pass_credential)?,
        Side::Response { answered } => {
            if *answered && name.as_str().starts_with("access-control-") {
                return Err(Wrong::new(
                    "is what cors says",
                    "write it in cors, or remove cors",
                ));
            }
        }
    }
    Ok(name)
}

fn of_request(
    name: &HeaderName,
    identity: &IdentityHeaders,
    pass_credential: bool,
) -> Result<(), Wrong> {
    if identity.covers(name) {
        return Err(Wrong::new(
            "is an identity header; it says who is asking",
            "write another name, or change the identity header's in [identity_headers]",
        ));
    }
    let folded = folded(name);
    if FORWARDING.contains(&folded.as_str()) || folded.starts_with("x-forwarded-") {
        return Err(Wrong::new(
            "is what the gateway says of the client and the request",
            "write another name",
        ));
    }
    let is_credential = *name == header::AUTHORIZATION || folded == "x-api-key";
    if is_credential && pass_credential {
        return Err(Wrong::new(
            "carries the credential, which credential = \"pass\" passes on",
            "remove it, or credential",
        ));
    }
    Ok(())
}

fn header_value(name: &HeaderName, text: &Text<'_>) -> Option<HeaderValue> {
    let value = text.as_str();
    let is_plain = value.is_ascii() && value.trim() == value;
    let Some(mut parsed) = HeaderValue::from_str(value).ok().filter(|_| is_plain) else {
        text.wrong_unquoted(
            "is not the value of a header",
            "write visible ASCII, without spaces around it",
        );
        return None;
    };
    // What comes from the environment or opens a door is not shown.
    if text.is_substituted() || matches!(name.as_str(), "authorization" | "cookie" | "x-api-key") {
        parsed.set_sensitive(true);
    }
    Some(parsed)
}

/// Beside the usual ones: what is removed from every message, so that no rule could set it.
const OF_ONE_CONNECTION: [&str; 3] = ["http2-settings", "proxy", "proxy-authentication-info"];

const FORWARDING: [&str; 5] = [
    "forwarded",
    "true-client-ip",
    "via",
    "x-real-ip",
    "x-request-id",
];

/// Whether some backend reads both names alike: lighttpd takes every sign in one for a `_`.
fn reads_alike(one: &HeaderName, other: &HeaderName) -> bool {
    let (one, other) = (one.as_str().as_bytes(), other.as_str().as_bytes());
    let is_sign = |byte: &u8| !byte.is_ascii_alphanumeric();
    let alike = |(one, other): (&u8, &u8)| one == other || (is_sign(one) && is_sign(other));
    one.len() == other.len() && one.iter().zip(other).all(alike)
}

/// Some backends read `_` and `.` as `-`.
fn folded(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}
