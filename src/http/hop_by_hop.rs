//! What concerns one connection only, and must not reach the next (RFC 9110 §7.6.1).

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_KEY, SET_COOKIE, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::forwarded::reads_as_forwarding;
use super::header::{
    HTTP2_SETTINGS, KEEP_ALIVE, PROXY_CONNECTION, X_API_KEY, X_REQUEST_ID, elements, lists,
};

/// Whether a request asks for its connection to become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// It asks for nothing, or for what is never done, such as `h2c`: go on without it.
    None,
    /// It does, as RFC 6455 §4.1 has it.
    WebSocket,
    /// It does, in a way that servers read differently: with a body, by another method than GET, or
    /// with no or several keys. Refuse it, else the two sides disagree on what the next bytes are.
    Refused,
}

/// Whether a request asks for its connection to become a WebSocket. Ask before [`strip_request`].
///
/// `Upgrade` counts only in HTTP/1.1 and where `Connection` names it (RFC 9110 §7.8).
#[must_use]
pub fn upgrade_requested(method: &Method, version: Version, headers: &HeaderMap) -> Upgrade {
    let is_asked = headers.contains_key(UPGRADE)
        && version == Version::HTTP_11
        && lists(headers, CONNECTION, "upgrade")
        && lists(headers, UPGRADE, "websocket");
    if !is_asked {
        return Upgrade::None;
    }
    let keys = headers.get_all(SEC_WEBSOCKET_KEY).iter().count();
    if method != Method::GET || has_body(headers) || keys != 1 {
        return Upgrade::Refused;
    }
    Upgrade::WebSocket
}

/// Whether an answer with status 101 switches to WebSocket (RFC 6455 §4.1). Ask before [`strip_response`].
///
/// Our own answer says so in any case: what else a service switched to would be a tunnel that nobody
/// asked for.
#[must_use]
pub fn switches_to_websocket(headers: &HeaderMap) -> bool {
    lists(headers, CONNECTION, "upgrade") && lists(headers, UPGRADE, "websocket")
}

/// Asks the upstream, or tells the client, that the connection becomes a WebSocket. Do it after stripping.
pub fn set_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Removes from a request what concerns the client's connection.
///
/// The client's `Connection` list is honoured first, and cannot remove what the gateway relies on.
/// `TE: trailers` stays, and `Trailer`, since trailers are passed on. `Proxy` goes too: CGI turns it
/// into the variable that names the proxy for a backend's own requests.
pub fn strip_request(headers: &mut HeaderMap) {
    if !headers.keys().any(concerns_connection) {
        return;
    }
    strip(headers);
    headers.remove(PROXY_AUTHORIZATION);
    headers.remove(HTTP2_SETTINGS);
    headers.remove(PROXY);
    if headers.contains_key(TE) {
        let is_trailers = |element: &[u8]| {
            element
                .split(|byte| *byte == b';')
                .next()
                .is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
        };
        if elements(headers, TE).any(is_trailers) {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        } else {
            headers.remove(TE);
        }
    }
}

/// Removes from an answer what concerns the upstream's connection.
pub fn strip_response(headers: &mut HeaderMap) {
    if !headers.keys().any(concerns_connection) {
        return;
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        // Its framing has overridden the length (RFC 9112 §6.3), which may say anything.
        headers.remove(CONTENT_LENGTH);
    }
    strip(headers);
    headers.remove(PROXY_AUTHENTICATE);
    headers.remove(PROXY_AUTHENTICATION_INFO);
    headers.remove(TE);
}

/// Whether a name is one of those that are removed here. Most messages have none, and looking at
/// their names once costs less than looking each of these up.
fn concerns_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
            | "te"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "http2-settings"
            | "proxy"
    )
}

fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        honour_connection(headers);
        headers.remove(CONNECTION);
    }
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove(UPGRADE);
}

/// Removes what the `Connection` list names.
fn honour_connection(headers: &mut HeaderMap) {
    let is_name = |option: &&[u8]| {
        let options = [&b"keep-alive"[..], b"close", b"upgrade", b"te"];
        !options
            .iter()
            .any(|known| option.eq_ignore_ascii_case(known))
    };
    let named: Vec<_> = elements(headers, CONNECTION)
        .filter(is_name)
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .filter(|name| headers.contains_key(name) && !is_end_to_end(name))
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// What no `Connection` list can remove: the gateway reads or sets it, or the message means something
/// else without it.
fn is_end_to_end(name: &HeaderName) -> bool {
    END_TO_END.contains(name) || reads_as_forwarding(name.as_str().as_bytes())
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

const PROXY: HeaderName = HeaderName::from_static("proxy");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

const END_TO_END: [HeaderName; 10] = [
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    TE,
    X_API_KEY,
    X_REQUEST_ID,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_concerns_the_connection_is_removed() {
        let mut request = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("connection", "x-too"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic YTpi"),
            ("proxy", "http://evil"),
            ("te", "gzip"),
            ("trailer", "grpc-status"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("x-mine", "1"),
            ("x-too", "1"),
            ("accept", "*/*"),
        ]);
        strip_request(&mut request);
        assert_eq!(names(&request), ["accept", "trailer"]);

        let mut response = headers(&[
            ("connection", "close"),
            ("proxy-authenticate", "Basic"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2"),
            ("content-type", "text/plain"),
        ]);
        strip_response(&mut response);
        assert_eq!(names(&response), ["content-type"]);
    }

    #[test]
    fn the_connection_list_cannot_remove_what_the_gateway_relies_on() {
        let lines = [
            ("authorization", "Basic YTpi"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("cookie", "a=b"),
            ("forwarded", "for=192.0.2.1"),
            ("host", "example.com"),
            ("x-api-key", "other"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("x-request-id", "1"),
        ];
        let mut request = headers(&lines);
        let all = names(&request).join(", ");
        request.insert(
            CONNECTION,
            HeaderValue::from_str(&format!("{all}, bad name, ,")).unwrap(),
        );

        strip_request(&mut request);

        assert_eq!(names(&request), lines.map(|(name, _)| name));
    }

    #[test]
    fn te_says_trailers_or_nothing() {
        for (te, left) in [
            ("trailers", Some("trailers")),
            ("gzip, Trailers;q=0.5", Some("trailers")),
            ("gzip;q=1", None),
            ("", None),
        ] {
            let mut request = headers(&[("te", te), ("connection", "te")]);
            strip_request(&mut request);
            let value = request.get(TE).map(|value| value.to_str().unwrap());
            assert_eq!(value, left, "{te}");
        }
    }

    #[test]
    fn only_a_plain_websocket_upgrade_is_one() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let ask = |method: Method, version, lines: &[(&'static str, &'static str)]| {
            upgrade_requested(&method, version, &headers(lines))
        };
        let [connection, upgrade, key] = good;
        let get = |lines: &[_]| ask(Method::GET, Version::HTTP_11, lines);

        assert_eq!(get(&good), Upgrade::WebSocket);
        assert_eq!(
            get(&[connection, ("upgrade", "h2c, websocket"), key]),
            Upgrade::WebSocket
        );
        assert_eq!(
            get(&[connection, upgrade, key, ("content-length", "0")]),
            Upgrade::WebSocket
        );
        assert_eq!(get(&[]), Upgrade::None);
        assert_eq!(get(&[connection, ("upgrade", "h2c"), key]), Upgrade::None);
        assert_eq!(get(&[upgrade, key]), Upgrade::None);
        assert_eq!(ask(Method::GET, Version::HTTP_10, &good), Upgrade::None);
        assert_eq!(ask(Method::GET, Version::HTTP_2, &good), Upgrade::None);
        assert_eq!(ask(Method::POST, Version::HTTP_11, &good), Upgrade::Refused);
        assert_eq!(get(&[connection, upgrade]), Upgrade::Refused);
        assert_eq!(get(&[connection, upgrade, key, key]), Upgrade::Refused);
        assert_eq!(
            get(&[connection, upgrade, key, ("content-length", "5")]),
            Upgrade::Refused
        );
        assert_eq!(
            get(&[connection, upgrade, key, ("transfer-encoding", "chunked")]),
            Upgrade::Refused
        );
    }
}
