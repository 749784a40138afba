//! Which of a client's headers reach the upstream.

#[cfg(test)]
mod tests;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH,
    CONTENT_TYPE, COOKIE, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH, ORIGIN, RANGE, REFERER,
    SEC_WEBSOCKET_PROTOCOL, TE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::credential::{
    OfferedProtocols, is_api_key, is_bearer, offered_protocols, other_protocols,
};
use super::header::{X_API_KEY, X_REQUEST_ID, write_field};
use super::hop_by_hop::{Named, accepts_trailers, stays_with_client};
use super::{IdentityHeaders, forwarded};

/// The rules by which a client's headers reach an upstream, in one pass over them.
///
/// What concerns the client's connection stays behind, and what its `Connection` lists name; so does what
/// a client could forge, its credential, and what the gateway says itself.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// What tells the upstream of the principal.
    pub identity: &'a IdentityHeaders,
    /// Headers that the route passes on although they stay behind by default.
    pub keep: &'a [HeaderName],
    /// Whether the request came from a trusted proxy, whose word on the client counts.
    pub is_from_trusted: bool,
    /// Whether the route passes the credential on.
    pub passes_credential: bool,
    /// The version the request came in.
    pub version: Version,
}

/// What becomes of a header.
enum Verdict {
    Passes,
    Stays,
    /// It stays where it carries a credential of ours.
    Authorization,
    ApiKey,
    /// All its values are written at once.
    Together(fn(&mut Vec<u8>, &HeaderMap)),
}

impl Passing<'_> {
    /// Writes the lines of those headers that pass. `Host` and what frames the body are not among them.
    pub fn write(&self, lines: &mut Vec<u8>, headers: &HeaderMap) {
        let named = Named::by(headers);
        let mut last = None;
        for (name, value) in headers {
            if named.has(name) {
                continue;
            }
            // The values of a name come one after the other.
            let is_first = last.replace(name) != Some(name);
            match self.verdict(name) {
                Verdict::Passes => write_field(lines, name, value),
                Verdict::Stays => {}
                Verdict::Authorization if is_bearer(value) => {}
                Verdict::ApiKey if is_api_key(value) => {}
                Verdict::Authorization | Verdict::ApiKey => write_field(lines, name, value),
                Verdict::Together(write) if is_first => write(lines, headers),
                Verdict::Together(_) => {}
            }
        }
    }

    fn verdict(&self, name: &HeaderName) -> Verdict {
        match *name {
            // Most headers of a request end here. None of them can be named as an identity header.
            ACCEPT | ACCEPT_ENCODING | ACCEPT_LANGUAGE | CACHE_CONTROL | CONTENT_TYPE
            | IF_MODIFIED_SINCE | IF_NONE_MATCH | ORIGIN | RANGE | REFERER | USER_AGENT => {
                Verdict::Passes
            }
            HOST | CONTENT_LENGTH => Verdict::Stays,
            AUTHORIZATION if !self.passes_credential => Verdict::Authorization,
            SEC_WEBSOCKET_PROTOCOL => Verdict::Together(write_protocols),
            COOKIE if self.version == Version::HTTP_2 => Verdict::Together(write_cookie),
            COOKIE => Verdict::Passes,
            TE => Verdict::Together(write_te),
            _ if stays_with_client(name)
                || *name == X_REQUEST_ID
                || self.identity.is_stripped(name, self.keep)
                || forwarded::is_replaced(name, self.is_from_trusted, self.keep) =>
            {
                Verdict::Stays
            }
            _ if *name == X_API_KEY && !self.passes_credential => Verdict::ApiKey,
            _ => Verdict::Passes,
        }
    }
}

/// HTTP/2 may bring a cookie in crumbs, HTTP/1.1 has it in one line (RFC 9113 §8.2.3).
fn write_cookie(lines: &mut Vec<u8>, headers: &HeaderMap) {
    lines.extend_from_slice(b"cookie: ");
    let crumbs = headers.get_all(COOKIE).into_iter();
    write_joined(lines, crumbs.map(HeaderValue::as_bytes), b"; ");
}

/// Not even a route that passes the credential on lets it stand among the protocols.
fn write_protocols(lines: &mut Vec<u8>, headers: &HeaderMap) {
    match offered_protocols(headers) {
        OfferedProtocols::Untouched => {
            for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
                write_field(lines, &SEC_WEBSOCKET_PROTOCOL, value);
            }
        }
        OfferedProtocols::OthersRemain => {
            lines.extend_from_slice(b"sec-websocket-protocol: ");
            write_joined(lines, other_protocols(headers), b", ");
        }
        OfferedProtocols::OnlyOurs => {}
    }
}

/// Of `TE` only `trailers` passes.
fn write_te(lines: &mut Vec<u8>, headers: &HeaderMap) {
    if headers.get_all(TE).iter().any(accepts_trailers) {
        lines.extend_from_slice(b"te: trailers\r\n");
    }
}

/// Writes the rest of a line. What was a header's value, or a part of one, is still one with a separator
/// between.
fn write_joined<'a>(lines: &mut Vec<u8>, parts: impl Iterator<Item = &'a [u8]>, separator: &[u8]) {
    for (index, part) in parts.enumerate() {
        if index > 0 {
            lines.extend_from_slice(separator);
        }
        lines.extend_from_slice(part);
    }
    lines.extend_from_slice(b"\r\n");
}
