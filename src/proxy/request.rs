use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, EXPECT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use http_body::Body;

use super::upload::{BodyFraming, Upload};
use super::{Exchange, RequestBody};
use crate::config::{HeaderRules, Scheme};
use crate::http::header::X_REQUEST_ID;
use crate::http::hop_by_hop::{ASK_UPGRADE, Named};
use crate::http::{
    Client, ClientCertificate, Hop, IdentityHeaders, Passing, RequestId, Upgrade, forwarded,
    header::write_field,
};
use crate::revocation::Admission;

/// A request as it was read, with what was decided about it.
#[derive(Debug)]
pub struct Inbound {
    /// Its method.
    pub method: Method,
    /// The version it came in.
    pub version: Version,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: RequestBody,
    /// Normal path and query: what the upstream gets.
    pub target: PathAndQuery,
    /// The host it asks for.
    pub host: Option<HeaderValue>,
    /// Who sent it, behind trusted proxies.
    pub client: Client,
    /// The other end of the connection it came over.
    pub peer: IpAddr,
    /// What is spoken beneath HTTP on that connection.
    pub scheme: Scheme,
    /// The certificate that the client has shown.
    pub client_certificate: Option<Rc<ClientCertificate>>,
    /// Headers that the route passes on although they are removed by default.
    pub keep_headers: Vec<HeaderName>,
    /// What the route sets and removes of its headers, if anything.
    pub rules: Option<Arc<HeaderRules>>,
    /// Whether the route passes the credential on.
    pub passes_credential: bool,
    /// Its id.
    pub request_id: RequestId,
    /// Whether it asks to switch protocols.
    pub upgrade: Upgrade,
    /// Which upstream it goes to.
    pub upstream: usize,
    /// The exchange that it opened.
    pub exchange: Rc<Exchange>,
}

impl Inbound {
    /// The request as the upstream gets it, its head in `buffer`; `host` is for one that names none,
    /// which HTTP/1.1 does not allow. What is left is its map of headers, to be used again.
    ///
    /// Of the client's headers those pass that [`Passing`] lets, and they are filtered by what the client
    /// itself lists in `Connection`; what its route and the gateway say after that cannot be named there, and nothing of the
    /// client's can be in its place.
    pub(super) fn outbound(
        self,
        mut buffer: Vec<u8>,
        host: impl FnOnce() -> HeaderValue,
        admission: Option<&Admission>,
        identity: &IdentityHeaders,
    ) -> (Upload, HeaderMap) {
        let framing = self.framing();
        let lines = &mut buffer;
        self.write_line(lines);
        let host = self.host.clone().unwrap_or_else(host);
        write_field(lines, &http::header::HOST, &host);
        self.passing(identity).write(lines, &self.headers);
        self.write_framing(lines, framing);
        let hop = Hop {
            peer: self.peer,
            scheme: self.scheme,
            version: self.version,
            host: self.host.as_ref(),
        };
        forwarded::write(lines, &self.headers, &self.client, &hop);
        write_field(lines, &X_REQUEST_ID, self.request_id.header_value());
        if self.upgrade == Upgrade::WebSocket {
            lines.extend_from_slice(ASK_UPGRADE);
        }
        if let Some(admission) = admission {
            identity.write(lines, admission.identity());
        }
        if let Some(certificate) = &self.client_certificate {
            for (name, value) in identity.of_client_certificate(certificate) {
                write_field(lines, name, value);
            }
        }
        lines.extend_from_slice(b"\r\n");
        let is_harmless = is_harmless(&self.method);
        let upload = Upload::new(buffer, self.body, framing, is_harmless);
        (upload, self.headers)
    }

    /// Whether its body waits for the upstream's word.
    pub(super) fn expects_continue(&self) -> bool {
        !self.body.is_empty()
            && self.headers.contains_key(EXPECT)
            && !Named::by(&self.headers).has(&EXPECT)
    }

    fn framing(&self) -> BodyFraming {
        if self.body.is_empty() {
            return BodyFraming::None;
        }
        let length = self.body.size_hint().exact();
        length.map_or(BodyFraming::Chunked, BodyFraming::Length)
    }

    fn write_line(&self, lines: &mut Vec<u8>) {
        lines.extend_from_slice(self.method.as_str().as_bytes());
        lines.push(b' ');
        lines.extend_from_slice(self.target.as_str().as_bytes());
        lines.extend_from_slice(b" HTTP/1.1\r\n");
    }

    /// Written anew from what the body is, whatever the client wrote.
    fn write_framing(&self, lines: &mut Vec<u8>, framing: BodyFraming) {
        match framing {
            BodyFraming::None if self.headers.contains_key(CONTENT_LENGTH) => {
                lines.extend_from_slice(b"content-length: 0\r\n");
            }
            BodyFraming::None => {}
            BodyFraming::Length(length) => {
                write_field(lines, &CONTENT_LENGTH, &HeaderValue::from(length));
            }
            BodyFraming::Chunked => lines.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
    }

    fn passing<'a>(&'a self, identity: &'a IdentityHeaders) -> Passing<'a> {
        Passing {
            identity,
            keep: &self.keep_headers,
            rules: self.rules.as_deref(),
            is_from_trusted: self.client.is_from_trusted,
            passes_credential: self.passes_credential,
            version: self.version,
        }
    }
}

/// Whether a request sent twice does no more than one (RFC 9110 §9.2.2).
fn is_harmless(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    )
}
