use http::HeaderName;

use super::section::Section;
use super::text::Text;
use super::value::Value;

/// `[identity_headers]`: what the headers are called that tell an upstream of the principal, and
/// of the client's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// `user_id` (`X-Auth-User-Id`)
    pub user_id: HeaderName,
    /// `user_email` (`X-Auth-User-Email`)
    pub user_email: HeaderName,
    /// `user_name` (`X-Auth-User-Name`)
    pub user_name: HeaderName,
    /// `user_role` (`X-Auth-User-Role`)
    pub user_role: HeaderName,
    /// `method` (`X-Auth-Method`)
    pub method: HeaderName,
    /// `key_id` (`X-Auth-Key-Id`)
    pub key_id: HeaderName,
    /// `client_cert_subject` (`X-Client-Cert-Subject`)
    pub client_cert_subject: HeaderName,
    /// `client_cert_issuer` (`X-Client-Cert-Issuer`)
    pub client_cert_issuer: HeaderName,
    /// `client_cert_names` (`X-Client-Cert-Names`)
    pub client_cert_names: HeaderName,
    /// `client_cert_fingerprint` (`X-Client-Cert-Fingerprint`)
    pub client_cert_fingerprint: HeaderName,
}

/// Headers of one connection (RFC 9110 §7.6.1) or of the framing of a message.
const HOP_BY_HOP: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What HTTP, credentials or the gateway itself need under its own name.
const RESERVED: [&str; 32] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "cookie",
    "date",
    "forwarded",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "range",
    "referer",
    "set-cookie",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "www-authenticate",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// Families of such headers.
const RESERVED_FAMILIES: [&str; 2] = ["access-control-", "sec-"];

impl IdentityHeaders {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut taken = Vec::new();
        let mut name = |key, default| header(section, &mut taken, key, default);
        Self {
            user_id: name("user_id", "x-auth-user-id"),
            user_email: name("user_email", "x-auth-user-email"),
            user_name: name("user_name", "x-auth-user-name"),
            user_role: name("user_role", "x-auth-user-role"),
            method: name("method", "x-auth-method"),
            key_id: name("key_id", "x-auth-key-id"),
            client_cert_subject: name("client_cert_subject", "x-client-cert-subject"),
            client_cert_issuer: name("client_cert_issuer", "x-client-cert-issuer"),
            client_cert_names: name("client_cert_names", "x-client-cert-names"),
            client_cert_fingerprint: name("client_cert_fingerprint", "x-client-cert-fingerprint"),
        }
    }

    /// Every name.
    #[must_use]
    pub const fn all(&self) -> [&HeaderName; 10] {
        [
            &self.user_id,
            &self.user_email,
            &self.user_name,
            &self.user_role,
            &self.method,
            &self.key_id,
            &self.client_cert_subject,
            &self.client_cert_issuer,
            &self.client_cert_names,
            &self.client_cert_fingerprint,
        ]
    }

    /// Whether an identity header may have this name: nothing else has a meaning for it.
    #[must_use]
    pub fn may_be(name: &HeaderName) -> bool {
        !is_hop_by_hop(name) && !is_reserved(name.as_str())
    }

    /// Whether an upstream could take `name` for an identity header: some read `_` and `.` as `-`.
    #[must_use]
    pub fn covers(&self, name: &HeaderName) -> bool {
        self.all()
            .into_iter()
            .any(|own| folded(own.as_str()) == folded(name.as_str()))
    }
}

fn header(
    section: &mut Section<'_>,
    taken: &mut Vec<(String, &'static str)>,
    key: &'static str,
    default: &'static str,
) -> HeaderName {
    let name = identity_name(section, key);
    let chosen = name.unwrap_or(HeaderName::from_static(default));
    let spelling = folded(chosen.as_str());
    let other = taken.iter().find(|(name, _)| *name == spelling);
    if let Some((_, other)) = other {
        let written = if section.has(key) { key } else { *other };
        let message = format!("{other} and {key} are both \"{chosen}\"");
        section.wrong_key(written, &message, "write a name of its own for each");
    }
    taken.push((spelling, key));
    chosen
}

fn identity_name(section: &mut Section<'_>, key: &'static str) -> Option<HeaderName> {
    let text = section.text(key)?;
    let name = header_name(&text)?;
    if !IdentityHeaders::may_be(&name) {
        text.wrong(
            "is a header with a meaning of its own",
            "write another name, such as \"X-Auth-User-Id\"",
        );
        return None;
    }
    Some(name)
}

/// Reads `keep_headers`: the headers that a route passes on although they are removed by default.
pub(super) fn kept(element: &Value<'_>, identity: &IdentityHeaders) -> Option<HeaderName> {
    let text = element.text()?;
    let name = header_name(&text)?;
    if identity.covers(&name) {
        text.wrong(
            "is an identity header; clients could forge it",
            "remove it from the list",
        );
        return None;
    }
    if is_hop_by_hop(&name) {
        text.wrong(
            "belongs to one connection and is never passed on",
            "remove it from the list",
        );
        return None;
    }
    if matches!(name.as_str(), "authorization" | "x-api-key") {
        text.wrong(
            "carries the credential",
            "write credential = \"pass\" to pass it on",
        );
        return None;
    }
    Some(name)
}

fn header_name(text: &Text<'_>) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(text.as_str().as_bytes());
    if name.is_err() {
        text.wrong(
            "is not the name of a header",
            "write letters, digits and dashes, such as \"X-Auth-User-Id\"",
        );
    }
    name.ok()
}

pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&folded(name.as_str()).as_str())
}

fn is_reserved(name: &str) -> bool {
    let name = folded(name);
    RESERVED.contains(&name.as_str())
        || RESERVED_FAMILIES
            .iter()
            .any(|family| name.starts_with(family))
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}
