use std::net::IpAddr;
use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use super::{Exchange, RequestBody};
use crate::auth::HasMethod;
use crate::config::Scheme;
use crate::http::{
    Client, ClientCertificate, Hop, IdentityHeaders, RequestId, Upgrade, forwarded, hop_by_hop,
};
use crate::revocation::Admission;

/// A request as it was read, with what was decided about it. What the client forged is gone from it,
/// and its credential unless the route passes it on.
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
    pub target: Uri,
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
    /// Its id.
    pub request_id: RequestId,
    /// Whether it asks to switch protocols.
    pub upgrade: Upgrade,
    /// Which upstream it goes to.
    pub upstream: usize,
    /// The exchange that it opened.
    pub exchange: Rc<Exchange>,
}

impl HasMethod for Inbound {
    fn method(&self) -> &Method {
        &self.method
    }
}

/// How many headers are added: room for all at once, since a map of headers that grows is built anew.
const ADDED: usize = 16;

/// The request as the upstream gets it.
///
/// The client's `Connection` list is honoured first, so that it can remove nothing that is added
/// here; the identity comes last, so that nothing can be in its place.
pub(super) fn outbound(
    inbound: Inbound,
    admission: Option<&Admission>,
    identity: &IdentityHeaders,
) -> Request<RequestBody> {
    let mut headers = inbound.headers;
    hop_by_hop::strip_request(&mut headers);
    headers.reserve(ADDED);
    if inbound.version == Version::HTTP_2 {
        join_cookie(&mut headers);
    }
    let hop = Hop {
        peer: inbound.peer,
        scheme: inbound.scheme,
        version: inbound.version,
        host: inbound.host.as_ref(),
    };
    forwarded::set(&mut headers, &inbound.client, &hop, &inbound.keep_headers);
    inbound.request_id.set(&mut headers);
    if let Some(host) = inbound.host {
        headers.insert(header::HOST, host);
    }
    if inbound.upgrade == Upgrade::WebSocket {
        hop_by_hop::set_upgrade(&mut headers);
    }
    if let Some(admission) = admission {
        identity.set(&mut headers, admission.identity());
    }
    if let Some(certificate) = &inbound.client_certificate {
        for (name, value) in identity.of_client_certificate(certificate) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if !inbound.body.is_empty() && !headers.contains_key(header::CONTENT_LENGTH) {
        // hyper leaves the body of a GET out unless its framing is named.
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    let mut request = Request::new(inbound.body);
    *request.method_mut() = inbound.method;
    *request.uri_mut() = inbound.target;
    *request.headers_mut() = headers;
    request
}

/// HTTP/2 may bring a cookie in crumbs, HTTP/1.1 has it in one line (RFC 9113 §8.2.3).
fn join_cookie(headers: &mut HeaderMap) {
    let crumbs = headers.get_all(header::COOKIE);
    if crumbs.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = crumbs.iter().map(HeaderValue::as_bytes).collect();
    // What was a header's value before is one still with "; " between.
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookie);
    }
}
