//! What concerns one connection only, and must not reach the next (RFC 9110 §7.6.1).

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE, HOST,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_KEY, SERVER, SET_COOKIE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, request};

use super::forwarded::reads_as_forwarding;
use super::header::{X_API_KEY, X_REQUEST_ID, elements, elements_of, lists};

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

/// What a request carries that asked, over HTTP/2, for its stream to become a WebSocket (RFC 8441). Its method
/// is `GET` from then on, as over HTTP/1.1.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedConnect;

/// Whether a request asks for a WebSocket, in whatever version it came.
#[must_use]
pub fn upgrade_of(head: &request::Parts) -> Upgrade {
    if head.extensions.get::<ExtendedConnect>().is_none() {
        return upgrade_requested(&head.method, head.version, &head.headers);
    }
    if has_body(&head.headers) {
        return Upgrade::Refused;
    }
    Upgrade::WebSocket
}

/// Whether a request asks for its connection to become a WebSocket.
///
/// `Upgrade` counts only in HTTP/1.1 and where `Connection` names it (RFC 9110 §7.8).
#[must_use]
fn upgrade_requested(method: &Method, version: Version, headers: &HeaderMap) -> Upgrade {
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

/// Tells the client that its connection becomes a WebSocket. Do it after stripping.
pub fn set_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Asks the upstream to make the connection a WebSocket, as [`set_upgrade`] tells the client.
pub const ASK_UPGRADE: &[u8] = b"connection: upgrade\r\nupgrade: websocket\r\n";

/// Whether a header of a request concerns the client's connection, whatever its `Connection` lists.
///
/// `TE` does too, but [`accepts_trailers`] says what of it goes on. `Proxy` goes: CGI turns it into the
/// variable that names the proxy for a backend's own requests.
pub(super) fn stays_with_client(name: &HeaderName) -> bool {
    match *name {
        CONNECTION | TRANSFER_ENCODING | UPGRADE | PROXY_AUTHORIZATION | TE => true,
        _ => matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "http2-settings" | "proxy"
        ),
    }
}

/// Whether a header of an answer concerns the upstream's connection, whatever its `Connection` lists.
#[must_use]
pub fn stays_with_upstream(name: &HeaderName) -> bool {
    match *name {
        CONNECTION | TRANSFER_ENCODING | UPGRADE | PROXY_AUTHENTICATE | TE => true,
        CONTENT_LENGTH | CONTENT_TYPE | DATE | SERVER | SET_COOKIE => false,
        _ => matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "proxy-authentication-info"
        ),
    }
}

/// Whether one of these values of `TE` takes trailers. Nothing else of `TE` goes on.
pub(super) fn accepts_trailers(te: &HeaderValue) -> bool {
    elements_of(te).any(|element| {
        let coding = element.split(|byte| *byte == b';').next();
        coding.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// The headers that the `Connection` lists of a message name, and that go with them.
///
/// Honour them before anything of ours is there to be named. They cannot remove what the gateway relies on.
#[derive(Debug, Default)]
pub struct Named(Vec<HeaderName>);

impl Named {
    /// What the lists of a message name, of what is there.
    #[must_use]
    pub fn by(headers: &HeaderMap) -> Self {
        let mut named = Vec::new();
        if headers.contains_key(CONNECTION) {
            let elements = elements(headers, CONNECTION).filter(|element| !is_option(element));
            for name in elements.filter_map(|element| HeaderName::from_bytes(element).ok()) {
                if headers.contains_key(&name) && !is_end_to_end(&name) && !named.contains(&name) {
                    named.push(name);
                }
            }
        }
        Self(named)
    }

    /// Whether a header goes.
    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }

    /// Removes them.
    pub fn strip(&self, headers: &mut HeaderMap) {
        for name in &self.0 {
            headers.remove(name);
        }
    }
}

/// Whether an element of a `Connection` list is no header's name, or one that is seen to otherwise.
fn is_option(element: &[u8]) -> bool {
    let options = [&b"keep-alive"[..], b"close", b"upgrade", b"te"];
    options
        .iter()
        .any(|option| element.eq_ignore_ascii_case(option))
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

    #[test]
    fn what_concerns_the_connection_stays_with_it() {
        let both = ["connection", "keep-alive", "proxy-connection", "te"];
        let both = [&both[..], &["transfer-encoding", "upgrade"]].concat();
        for name in [
            &both[..],
            &["proxy-authorization", "proxy", "http2-settings"],
        ]
        .concat()
        {
            assert!(stays_with_client(&HeaderName::from_static(name)), "{name}");
        }
        for name in [
            &both[..],
            &["proxy-authenticate", "proxy-authentication-info"],
        ]
        .concat()
        {
            assert!(
                stays_with_upstream(&HeaderName::from_static(name)),
                "{name}"
            );
        }
        for name in ["accept", "trailer", "content-type", "date", "x-mine"] {
            assert!(!stays_with_client(&HeaderName::from_static(name)), "{name}");
            assert!(
                !stays_with_upstream(&HeaderName::from_static(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn what_the_connection_lists_name_goes_with_them() {
        let mut message = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("connection", "x-too, bad name, ,"),
            ("x-mine", "1"),
            ("x-too", "1"),
            ("x-end", "1"),
        ]);

        let named = Named::by(&message);
        named.strip(&mut message);

        assert!(named.has(&HeaderName::from_static("x-mine")));
        let left: Vec<_> = message.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["connection", "x-end"]);
    }

    #[test]
    fn the_connection_list_cannot_remove_what_the_gateway_relies_on() {
        for name in [
            "authorization",
            "content-length",
            "content-type",
            "cookie",
            "forwarded",
            "host",
            "te",
            "x-api-key",
            "x-forwarded-for",
            "x-real-ip",
            "x-request-id",
        ] {
            let named = Named::by(&headers(&[("connection", name), (name, "1")]));
            assert!(!named.has(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn te_says_trailers_or_nothing() {
        for (te, is_accepted) in [
            ("trailers", true),
            ("gzip, Trailers;q=0.5", true),
            ("gzip;q=1", false),
            ("", false),
        ] {
            assert_eq!(
                accepts_trailers(&HeaderValue::from_static(te)),
                is_accepted,
                "{te}"
            );
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
