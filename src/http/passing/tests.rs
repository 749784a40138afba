use http::header::{DATE, SET_COOKIE};
use proptest::prelude::*;

use super::*;
use crate::config;

fn identity() -> IdentityHeaders {
    let name = HeaderName::from_static;
    IdentityHeaders::new(&config::IdentityHeaders {
        user_id: name("x-auth-user-id"),
        user_email: name("x-auth-user-email"),
        user_name: name("x-auth-user-name"),
        user_role: name("x-auth-user-role"),
        method: name("x-auth-method"),
        key_id: name("x-auth-key-id"),
        client_cert_subject: name("x-client-cert-subject"),
        client_cert_issuer: name("x-client-cert-issuer"),
        client_cert_names: name("x-client-cert-names"),
        client_cert_fingerprint: name("x-client-cert-fingerprint"),
    })
}

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

/// What passes of these lines by rules that `change` changed from the strictest, but for `keep`.
fn passes(
    lines: &[(&str, &str)],
    keep: &[HeaderName],
    change: impl FnOnce(&mut Passing<'_>),
) -> String {
    let identity = identity();
    let mut passing = Passing {
        identity: &identity,
        keep,
        is_from_trusted: false,
        passes_credential: false,
        version: Version::HTTP_11,
    };
    change(&mut passing);
    let mut written = Vec::new();
    passing.write(&mut written, &map(lines));
    String::from_utf8(written).unwrap()
}

fn strictly(lines: &[(&str, &str)]) -> String {
    passes(lines, &[], |_| {})
}

#[test]
fn what_is_the_clients_own_passes_as_it_is() {
    let lines = [
        ("accept", "*/*"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-mine", ""),
        ("x-mine", "two words"),
        ("authorization", "Basic YTpi"),
        ("x-api-key", "other"),
        ("trailer", "grpc-status"),
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-protocol", "superchat"),
        ("expect", "100-continue"),
    ];
    let all: String = lines
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    assert_eq!(strictly(&lines), all);
}

#[test]
fn what_concerns_the_clients_connection_stays() {
    let lines = [
        ("connection", "keep-alive, X-Mine"),
        ("connection", "x-too"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic YTpi"),
        ("proxy", "http://evil"),
        ("te", "gzip"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABk"),
        ("x-mine", "1"),
        ("x-too", "1"),
        ("accept", "*/*"),
    ];
    assert_eq!(strictly(&lines), "accept: */*\r\n");
}

#[test]
fn the_connection_list_cannot_take_what_the_gateway_relies_on() {
    let lines = [
        (
            "connection",
            "authorization, cookie, content-type, te, accept",
        ),
        ("authorization", "Basic YTpi"),
        ("cookie", "a=b"),
        ("content-type", "text/plain"),
        ("te", "trailers"),
        ("accept", "*/*"),
    ];
    assert_eq!(
        strictly(&lines),
        "authorization: Basic YTpi\r\ncookie: a=b\r\ncontent-type: text/plain\r\nte: trailers\r\n"
    );
}

#[test]
fn of_te_trailers_passes_once_and_nothing_else() {
    let lines = [("te", "gzip"), ("te", "Trailers;q=0.5"), ("te", "trailers")];
    assert_eq!(strictly(&lines), "te: trailers\r\n");
}

#[test]
fn what_the_gateway_says_itself_stays() {
    for name in [
        "host",
        "content-length",
        "x-request-id",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "via",
        "x-auth-user-id",
        "X_Auth.User_Role",
    ] {
        let keep = [HeaderName::from_bytes(name.as_bytes()).unwrap()];
        let passed = passes(&[(name, "1"), (name, "2")], &keep, |passing| {
            passing.is_from_trusted = true;
            passing.passes_credential = true;
        });
        assert_eq!(passed, "", "{name}");
    }
}

#[test]
fn what_a_client_forges_stays_but_for_the_routes_exceptions() {
    let lines = [
        ("x-original-url", "/a"),
        ("x_original_url", "/b"),
        ("x-real-ip", "6.6.6.6"),
        ("true-client-ip", "6.6.6.6"),
    ];
    assert_eq!(strictly(&lines), "");
    let keep = [HeaderName::from_static("x-original-url")];
    let passed = passes(&lines, &keep, |_| {});
    assert_eq!(passed, "x-original-url: /a\r\n");
    let passed = passes(&lines, &[], |passing| passing.is_from_trusted = true);
    assert_eq!(passed, "x-real-ip: 6.6.6.6\r\ntrue-client-ip: 6.6.6.6\r\n");
}

#[test]
fn our_credentials_stay_and_nothing_else() {
    let lines = [
        ("authorization", "bearer abc"),
        ("authorization", "Basic YTpi"),
        ("authorization", "Bearer"),
        ("x-api-key", "dk_12"),
        ("x-api-key", "other"),
        ("accept", "*/*"),
    ];
    assert_eq!(
        strictly(&lines),
        "authorization: Basic YTpi\r\nx-api-key: other\r\naccept: */*\r\n"
    );
    let all = passes(&lines, &[], |passing| passing.passes_credential = true);
    assert!(all.contains("bearer abc") && all.contains("dk_12"), "{all}");
}

#[test]
fn our_protocol_stays_on_every_route_and_the_others_pass() {
    for (values, left) in [
        (&["chat"][..], "chat\r\n"),
        (&["dariet.bearer.abc"], ""),
        (&["dariet.bearer."], ""),
        (
            &["chat,dariet.bearer.abc , superchat"],
            "chat, superchat\r\n",
        ),
        (&["chat", "dariet.bearer.abc"], "chat\r\n"),
    ] {
        let lines: Vec<_> = values
            .iter()
            .map(|value| ("sec-websocket-protocol", *value))
            .collect();
        for passes_credential in [false, true] {
            let passed = passes(&lines, &[], |passing| {
                passing.passes_credential = passes_credential;
            });
            let passed = passed.trim_start_matches("sec-websocket-protocol: ");
            assert_eq!(passed, left, "{values:?}");
        }
    }
}

#[test]
fn the_crumbs_of_a_cookie_are_joined_over_http2() {
    let lines = [("cookie", "a=1"), ("cookie", "b=2")];
    let passed = passes(&lines, &[], |passing| passing.version = Version::HTTP_2);
    assert_eq!(passed, "cookie: a=1; b=2\r\n");
}

#[test]
fn what_passes_unseen_can_be_no_identity_header() {
    let unseen = [
        ACCEPT,
        ACCEPT_ENCODING,
        ACCEPT_LANGUAGE,
        CACHE_CONTROL,
        CONTENT_TYPE,
        IF_MODIFIED_SINCE,
        IF_NONE_MATCH,
        ORIGIN,
        RANGE,
        REFERER,
        USER_AGENT,
        HOST,
        CONTENT_LENGTH,
        AUTHORIZATION,
        SEC_WEBSOCKET_PROTOCOL,
        COOKIE,
        TE,
    ];
    for name in unseen {
        assert!(!config::IdentityHeaders::may_be(&name), "{name}");
    }
    assert!(config::IdentityHeaders::may_be(&HeaderName::from_static(
        "x-user"
    )));
    assert!(!config::IdentityHeaders::may_be(&DATE));
    assert!(!config::IdentityHeaders::may_be(&SET_COOKIE));
}

proptest! {
    /// Nothing that a client sends adds a line, whatever its names and values.
    #[test]
    fn a_header_is_one_line(
        fields in prop::collection::vec(("[a-zA-Z_.-]{1,20}", any::<Vec<u8>>()), 0..12),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&value)) {
                headers.append(name, value);
            }
        }
        let identity = identity();
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let passing = Passing {
                identity: &identity,
                keep: &[],
                is_from_trusted: true,
                passes_credential: true,
                version,
            };
            let mut lines = Vec::new();
            passing.write(&mut lines, &headers);
            let feeds = lines.iter().filter(|byte| **byte == b'\n').count();
            prop_assert!(feeds <= headers.len());
            let returns = lines.windows(2).filter(|pair| pair == b"\r\n").count();
            prop_assert_eq!(returns, feeds);
        }
    }
}
