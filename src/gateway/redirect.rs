use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header};

use super::body::Source;
use super::reply::Passed;
use crate::http::{Code, Host};

/// Sends a request on to TLS: the same host, path and query, and by 308 the same method and body.
pub(super) fn to_https(host: Option<&Host>, target: &Uri, port: u16) -> Result<Passed, Code> {
    // Without a host (HTTP/1.0) nobody could say where to.
    let host = host.map(Host::name).filter(|name| !name.is_empty());
    let host = host.ok_or(Code::MalformedRequest)?;
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    let location = HeaderValue::from_str(&location).map_err(|_| Code::MalformedRequest)?;
    let mut response = Response::new(Source::Full(Bytes::new()));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(Passed::Answer(response))
}
