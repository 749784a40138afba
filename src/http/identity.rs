//! The headers that tell an upstream of the principal, and those a client may forge.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::header::{is_disguise, reads_as};
use super::{ClientCertificate, forwarded, octet};
use crate::config;
use crate::domain::{CredentialId, Principal};

/// The names of the identity headers, and everything a client might send in their place.
#[derive(Debug)]
pub struct IdentityHeaders {
    user_id: HeaderName,
    user_email: HeaderName,
    user_name: HeaderName,
    user_role: HeaderName,
    method: HeaderName,
    key_id: HeaderName,
    client_cert_subject: HeaderName,
    client_cert_issuer: HeaderName,
    client_cert_names: HeaderName,
    client_cert_fingerprint: HeaderName,
    /// The names as a backend that reads `_` and `.` as `-` sees them.
    identity: [Box<[u8]>; 10],
    /// Bit `n`: some name that is stripped has `n` bytes. Most headers of a request end here.
    lengths: u64,
}

/// What the identity headers say of a principal, made once and cheap to copy.
#[derive(Debug, Clone)]
pub struct IdentityValues {
    user_id: HeaderValue,
    user_email: HeaderValue,
    user_name: HeaderValue,
    user_role: HeaderValue,
    method: HeaderValue,
    key_id: Option<HeaderValue>,
}

impl IdentityHeaders {
    /// The headers under the names of the configuration.
    #[must_use]
    pub fn new(names: &config::IdentityHeaders) -> Self {
        let identity = names.all().map(folded);
        let stripped = identity.iter().map(|name| &**name).chain(ALWAYS_STRIPPED);
        let lengths = stripped.fold(0, |lengths, name| lengths | length_bit(name));
        Self {
            user_id: shared(&names.user_id),
            user_email: shared(&names.user_email),
            user_name: shared(&names.user_name),
            user_role: shared(&names.user_role),
            method: shared(&names.method),
            key_id: shared(&names.key_id),
            client_cert_subject: shared(&names.client_cert_subject),
            client_cert_issuer: shared(&names.client_cert_issuer),
            client_cert_names: shared(&names.client_cert_names),
            client_cert_fingerprint: shared(&names.client_cert_fingerprint),
            identity,
            lengths,
        }
    }

    /// Removes what a client may forge: the identity headers and those that backends take for
    /// another path, method or user, in any spelling.
    pub fn strip(&self, headers: &mut HeaderMap) {
        self.strip_except(headers, &[]);
    }

    /// Removes what a client may forge, but for the route's exceptions `keep`, exactly as they are
    /// spelt. An identity header is never an exception.
    pub fn strip_except(&self, headers: &mut HeaderMap, keep: &[HeaderName]) {
        remove_all(headers, |name| self.is_stripped(name, keep));
    }

    /// Removes from trailers what a client may forge, and what RFC 9110 §6.5.1 does not want there:
    /// fields that frame, route, authenticate or describe the message. A backend that merges trailers
    /// into the head would else take them for ours.
    pub fn strip_trailers(&self, trailers: &mut HeaderMap) {
        remove_all(trailers, |name| {
            self.is_stripped(name, &[])
                || forwarded::reads_as_forwarding(name.as_str().as_bytes())
                || is_one_of(name, &NEVER_TRAILERS)
        });
    }

    /// Says who the principal is, in place of whatever was there.
    pub fn set(&self, headers: &mut HeaderMap, values: &IdentityValues) {
        headers.insert(self.user_id.clone(), values.user_id.clone());
        headers.insert(self.user_email.clone(), values.user_email.clone());
        headers.insert(self.user_name.clone(), values.user_name.clone());
        headers.insert(self.user_role.clone(), values.user_role.clone());
        headers.insert(self.method.clone(), values.method.clone());
        match &values.key_id {
            Some(key_id) => headers.insert(self.key_id.clone(), key_id.clone()),
            None => headers.remove(&self.key_id),
        };
    }

    /// What tells of the certificate that the client has shown. What it sent under these names must be
    /// gone already.
    #[must_use]
    pub const fn of_client_certificate<'c>(
        &'c self,
        client: &'c ClientCertificate,
    ) -> [(&'c HeaderName, &'c HeaderValue); 4] {
        [
            (&self.client_cert_subject, &client.subject),
            (&self.client_cert_issuer, &client.issuer),
            (&self.client_cert_names, &client.names),
            (&self.client_cert_fingerprint, &client.fingerprint),
        ]
    }

    fn is_stripped(&self, name: &HeaderName, keep: &[HeaderName]) -> bool {
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
    pub fn user_id(&self) -> &str {
        self.user_id.to_str().unwrap_or_default()
    }

    /// What the headers say of `principal`. Every byte outside 0x21–0x7E, and `%`, is
    /// percent-encoded, so that decoding is always right.
    #[must_use]
    pub fn of(principal: &Principal) -> Self {
        let mut text = Parts::default();
        let user_id = text.push(&principal.user.to_string());
        let user_email = text.push(principal.email.as_str());
        let user_name = text.push(principal.name.as_str());
        let key_id = match principal.credential {
            CredentialId::Key(id) => Some(text.push(&id.to_string())),
            CredentialId::Session(_) => None,
        };
        // One allocation, and one reference count that all workers touch instead of four.
        let text = Bytes::from(text.0);
        Self {
            user_id: part(&text, user_id),
            user_email: part(&text, user_email),
            user_name: part(&text, user_name),
            user_role: HeaderValue::from_static(principal.role.as_str()),
            method: HeaderValue::from_static(principal.method().as_str()),
            key_id: key_id.map(|key_id| part(&text, key_id)),
        }
    }
}

/// Encoded texts in a row.
#[derive(Default)]
struct Parts(String);

impl Parts {
    fn push(&mut self, text: &str) -> std::ops::Range<usize> {
        let start = self.0.len();
        for byte in text.bytes() {
            push_identity(&mut self.0, byte);
        }
        start..self.0.len()
    }
}

/// Writes a byte of what an identity header says.
pub(super) fn push_identity(text: &mut String, byte: u8) {
    if matches!(byte, 0x21..=0x7e) && byte != b'%' {
        text.push(char::from(byte));
    } else {
        octet::push_encoded(text, byte);
    }
}

fn part(text: &Bytes, range: std::ops::Range<usize>) -> HeaderValue {
    // The text is visible ASCII, which every header can hold; empty would still name nobody else.
    HeaderValue::from_maybe_shared(text.slice(range))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The same name, without a reference count where it is the default: names read from a file are
/// counted, and all workers would write to their counters on each request.
fn shared(name: &HeaderName) -> HeaderName {
    let default = DEFAULTS.into_iter().find(|default| default == name);
    default.unwrap_or_else(|| name.clone())
}

/// The name as a backend that reads `_` and `.` as `-` sees it.
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

/// Removes every header whose name `is_removed`. Allocates only when there is one, and looks at each
/// name once however many there are.
pub(super) fn remove_all(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    let removed: Vec<_> = headers
        .keys()
        .filter(|name| is_removed(name))
        .cloned()
        .collect();
    for name in removed {
        headers.remove(name);
    }
}

const DEFAULTS: [HeaderName; 10] = [
    HeaderName::from_static("x-auth-user-id"),
    HeaderName::from_static("x-auth-user-email"),
    HeaderName::from_static("x-auth-user-name"),
    HeaderName::from_static("x-auth-user-role"),
    HeaderName::from_static("x-auth-method"),
    HeaderName::from_static("x-auth-key-id"),
    HeaderName::from_static("x-client-cert-subject"),
    HeaderName::from_static("x-client-cert-issuer"),
    HeaderName::from_static("x-client-cert-names"),
    HeaderName::from_static("x-client-cert-fingerprint"),
];

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

const NEVER_TRAILERS: [&[u8]; 29] = [
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
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"keep-alive",
    b"max-forwards",
    b"pragma",
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
