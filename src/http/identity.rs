//! The headers that tell an upstream of the principal, and those a client may forge.

#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::header::{is_disguise, reads_as, remove_all};
use super::hop_by_hop::stays_with_upstream;
use super::{ClientCertificate, forwarded, octet};
use crate::config::{self, HeaderRules};
use crate::domain::{CredentialId, Principal};

/// The names of the identity headers, and everything a client might send in their place.
#[derive(Debug)]
pub struct IdentityHeaders {
    names: config::IdentityHeaders,
    /// Tells these names from others that there were or will be.
    naming: u64,
    /// The names as a backend that reads every sign as `-` sees them.
    identity: [Box<[u8]>; 10],
    /// Bit `n`: some name that is stripped has `n` bytes. Most headers of a request end here.
    lengths: u64,
}

/// What the identity headers say of a principal, made once.
#[derive(Debug, Clone)]
pub struct IdentityValues {
    user_id: Box<str>,
    user_email: Box<str>,
    user_name: Box<str>,
    user_role: &'static str,
    method: &'static str,
    key_id: Option<Box<str>>,
    /// The lines under the names they were first written under: mostly there are no others.
    lines: OnceLock<Lines>,
}

/// Whole lines of a head, and the names they are under.
#[derive(Debug, Clone)]
struct Lines {
    naming: u64,
    text: Box<[u8]>,
}

impl IdentityHeaders {
    /// The headers under the names of the configuration.
    #[must_use]
    pub fn new(names: &config::IdentityHeaders) -> Self {
        let identity = names.all().map(folded);
        let stripped = identity.iter().map(|name| &**name).chain(ALWAYS_STRIPPED);
        let lengths = stripped.fold(0, |lengths, name| lengths | length_bit(name));
        Self {
            names: names.clone(),
            naming: NAMINGS.fetch_add(1, Ordering::Relaxed),
            identity,
            lengths,
        }
    }

    /// Whether they have the names of this configuration.
    #[must_use]
    pub fn is_of(&self, names: &config::IdentityHeaders) -> bool {
        self.names == *names
    }

    /// Removes from trailers what a client may forge, what its route sets or removes by `rules`, and what
    /// RFC 9110 §6.5.1 does not want there: fields that frame, route, authenticate or describe the
    /// message. A backend that merges trailers into the head would else take them for ours.
    pub fn strip_trailers(&self, trailers: &mut HeaderMap, rules: Option<&HeaderRules>) {
        remove_all(trailers, |name| {
            self.is_stripped(name, &[])
                || forwarded::reads_as_forwarding(name.as_str().as_bytes())
                || is_one_of(name, &NEVER_TRAILERS)
                || rules.is_some_and(|rules| rules.takes(name))
        });
    }

    /// Removes from the trailers of an answer what [`Self::strip_trailers`] removes from a request's, and what
    /// concerns the upstream's connection: a client that merges them into the head would else take them for
    /// what the gateway has checked there, and HTTP/2 forbids some of them.
    pub fn strip_answer_trailers(&self, trailers: &mut HeaderMap, rules: Option<&HeaderRules>) {
        self.strip_trailers(trailers, rules);
        remove_all(trailers, stays_with_upstream);
    }

    /// Writes who the principal is.
    pub fn write(&self, lines: &mut Vec<u8>, values: &IdentityValues) {
        let known = values.lines.get_or_init(|| Lines {
            naming: self.naming,
            text: self.lines(values).into(),
        });
        if known.naming == self.naming {
            lines.extend_from_slice(&known.text);
        } else {
            lines.extend_from_slice(&self.lines(values));
        }
    }

    fn lines(&self, values: &IdentityValues) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut line = |name: &HeaderName, value: &str| {
            for part in [name.as_str(), ": ", value, "\r\n"] {
                lines.extend_from_slice(part.as_bytes());
            }
        };
        line(&self.names.user_id, &values.user_id);
        line(&self.names.user_email, &values.user_email);
        line(&self.names.user_name, &values.user_name);
        line(&self.names.user_role, values.user_role);
        line(&self.names.method, values.method);
        if let Some(key_id) = &values.key_id {
            line(&self.names.key_id, key_id);
        }
        lines
    }

    /// What tells of the certificate that the client has shown. What it sent under these names must be
    /// gone already.
    #[must_use]
    pub const fn of_client_certificate<'c>(
        &'c self,
        client: &'c ClientCertificate,
    ) -> [(&'c HeaderName, &'c HeaderValue); 4] {
        [
            (&self.names.client_cert_subject, &client.subject),
            (&self.names.client_cert_issuer, &client.issuer),
            (&self.names.client_cert_names, &client.names),
            (&self.names.client_cert_fingerprint, &client.fingerprint),
        ]
    }

    /// Whether a client may not send this header: an identity header, or one that backends take for
    /// another path, method or user, in any spelling; but for the route's exceptions `keep`, exactly as
    /// they are spelt. An identity header is never an exception.
    pub(super) fn is_stripped(&self, name: &HeaderName, keep: &[HeaderName]) -> bool {
        let bytes = name.as_str().as_bytes();
        if self.lengths & length_bit(bytes) != 0 {
            if self.identity.iter().any(|other| reads_as(bytes, other)) {
                return true;
            }
            if is_one_of(name, &ALWAYS_STRIPPED) {
                return !keep.contains(name);
            }
        }
        bytes.iter().any(|byte| is_disguise(*byte)) && is_one_of(name, &NEVER_DISGUISED)
    }
}

impl IdentityValues {
    /// The user's id.
    #[must_use]
    pub const fn user_id(&self) -> &str {
        &self.user_id
    }

    /// What the headers say of `principal`. Every byte outside 0x21–0x7E, and `%`, is
    /// percent-encoded, so that decoding is always right.
    #[must_use]
    pub fn of(principal: &Principal) -> Self {
        let key_id = match principal.credential {
            CredentialId::Key(id) => Some(encoded(&id.to_string())),
            CredentialId::Session(_) => None,
        };
        Self {
            user_id: encoded(&principal.user.to_string()),
            user_email: encoded(principal.email.as_str()),
            user_name: encoded(principal.name.as_str()),
            user_role: principal.role.as_str(),
            method: principal.method().as_str(),
            key_id,
            lines: OnceLock::new(),
        }
    }
}

fn encoded(text: &str) -> Box<str> {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        push_identity(&mut encoded, byte);
    }
    encoded.into()
}

/// Writes a byte of what an identity header says.
pub(super) fn push_identity(text: &mut String, byte: u8) {
    if matches!(byte, 0x21..=0x7e) && byte != b'%' {
        text.push(char::from(byte));
    } else {
        octet::push_encoded(text, byte);
    }
}

/// The name as a backend that reads every sign as `-` sees it.
fn folded(name: &HeaderName) -> Box<[u8]> {
    let fold = |byte| if is_disguise(byte) { b'-' } else { byte };
    name.as_str().bytes().map(fold).collect()
}

fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

fn is_one_of(name: &HeaderName, others: &[&[u8]]) -> bool {
    let name = name.as_str().as_bytes();
    others.iter().any(|other| reads_as(name, other))
}

static NAMINGS: AtomicU64 = AtomicU64::new(0);

/// Backends take them for another path, method or user than the gateway decided on.
const ALWAYS_STRIPPED: [&[u8]; 7] = [
    b"x-original-url",
    b"x-rewrite-url",
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"remote-user",
    b"x-forwarded-user",
];

/// The gateway reads or sets them, so that another spelling could only contradict it.
const NEVER_DISGUISED: [&[u8]; 5] = [
    b"content-length",
    b"transfer-encoding",
    b"proxy-authorization",
    b"x-api-key",
    b"x-request-id",
];

const NEVER_TRAILERS: [&[u8]; 31] = [
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"host",
    b"http2-settings",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"keep-alive",
    b"max-forwards",
    b"pragma",
    b"proxy",
    b"proxy-authorization",
    b"proxy-connection",
    b"range",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"via",
    b"x-api-key",
    b"x-request-id",
];
