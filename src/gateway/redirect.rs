use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header, request};

use super::body::Source;
use super::record::Record;
use super::reply::Passed;
use super::{Gateway, refuse_method};
use crate::http::{ApiError, Code, Host, NormalPath, check_values};

impl Gateway {
    /// Where TLS must be spoken: sends a request on to it, unless it would be refused there too.
    pub(super) fn send_on(
        &self,
        head: &request::Parts,
        port: u16,
        record: &mut Record,
    ) -> Result<Passed, ApiError> {
        refuse_method(&head.method)?;
        check_values(head)?;
        let host = Host::of(head)?;
        NormalPath::parse(head.uri.path())?;
        record.route = self.own_route();
        let location = location(host.as_ref(), &head.uri, port)?;
        let mut response = Response::new(Source::Full(Bytes::new()));
        // 308 keeps method and body (RFC 9110 §15.4.9).
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(Passed::Answer(response))
    }
}

/// The same host, path and query over TLS.
fn location(host: Option<&Host>, target: &Uri, port: u16) -> Result<HeaderValue, Code> {
    // Without a host (HTTP/1.0) nobody could say where to.
    let host = host.map(Host::name).filter(|name| !name.is_empty());
    let host = host.ok_or(Code::MalformedRequest)?;
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    HeaderValue::from_str(&location).map_err(|_| Code::MalformedRequest)
}
