use http::HeaderName;

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

fn read(
    lines: &[(&'static str, &'static str)],
) -> Result<Option<(String, Place)>, CredentialError> {
    let headers = headers(lines);
    let found = read_credential(&headers, true)?;
    Ok(found.map(|found| {
        let kind = match found.credential {
            Credential::Session(text) => format!("session {text}"),
            Credential::ApiKey(text) => format!("key {text}"),
        };
        (kind, found.place)
    }))
}

#[test]
fn a_credential_is_found_in_each_of_its_places() {
    for (name, value, text, place) in [
        (
            "authorization",
            "Bearer a.b-c_d",
            "session a.b-c_d",
            Place::Authorization,
        ),
        (
            "authorization",
            "bEARER   a==",
            "session a==",
            Place::Authorization,
        ),
        (
            "authorization",
            "Bearer dk_12",
            "key dk_12",
            Place::Authorization,
        ),
        ("x-api-key", "dk_12", "key dk_12", Place::XApiKey),
        (
            "sec-websocket-protocol",
            "chat, dariet.bearer.a.b.c",
            "session a.b.c",
            Place::WebSocketProtocol,
        ),
        (
            "sec-websocket-protocol",
            "dariet.bearer.dk_12 ,chat",
            "key dk_12",
            Place::WebSocketProtocol,
        ),
    ] {
        assert_eq!(
            read(&[(name, value)]),
            Ok(Some((text.to_owned(), place))),
            "{value}"
        );
    }
}

#[test]
fn what_is_not_ours_is_no_credential() {
    for lines in [
        &[][..],
        &[("authorization", "Basic YTpi")],
        &[("authorization", "Bearers abc")],
        &[("authorization", "Bear")],
        &[("x-api-key", "somebody-elses")],
        &[("x-api-key", "one"), ("x-api-key", "two")],
        &[("sec-websocket-protocol", "chat, dariet.bearer")],
    ] {
        assert_eq!(read(lines), Ok(None), "{lines:?}");
    }
}

#[test]
fn a_bearer_that_cannot_be_read_is_malformed() {
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,b",
        "Bearer\ta",
        "Bearer,a",
        "bearer \"a\"",
    ] {
        let read = read(&[("authorization", value)]);
        assert_eq!(read, Err(CredentialError::Malformed), "{value}");
    }
    let read = read(&[("sec-websocket-protocol", "dariet.bearer.")]);
    assert_eq!(read, Err(CredentialError::Malformed));
}

#[test]
fn two_credentials_are_refused_in_every_combination() {
    let bearer = ("authorization", "Bearer abc");
    let key = ("x-api-key", "dk_12");
    let protocol = ("sec-websocket-protocol", "dariet.bearer.abc");
    for lines in [
        &[bearer, bearer][..],
        &[bearer, ("authorization", "Basic YTpi")],
        &[
            ("authorization", "Basic YTpi"),
            ("authorization", "Basic YTpj"),
        ],
        &[bearer, key],
        &[("authorization", "Bearer"), key],
        &[key, key],
        &[key, ("x-api-key", "other")],
        &[("x-api-key", "other"), key],
        &[bearer, protocol],
        &[key, protocol],
        &[protocol, protocol],
        &[("sec-websocket-protocol", "dariet.bearer.a, dariet.bearer.b")],
    ] {
        assert_eq!(read(lines), Err(CredentialError::Two), "{lines:?}");
    }
}

#[test]
fn anothers_scheme_beside_our_key_is_one_credential() {
    let lines = [("authorization", "Basic YTpi"), ("x-api-key", "dk_12")];
    assert_eq!(
        read(&lines),
        Ok(Some(("key dk_12".to_owned(), Place::XApiKey)))
    );
}

#[test]
fn a_protocol_counts_only_on_an_upgrade() {
    let headers = headers(&[("sec-websocket-protocol", "dariet.bearer.abc")]);
    assert_eq!(read_credential(&headers, false), Ok(None));
}

#[test]
fn protocols_beside_ours_are_the_upstreams() {
    for (value, offered) in [
        ("chat", OfferedProtocols::Untouched),
        ("dariet.bearer.abc", OfferedProtocols::OnlyOurs),
        ("dariet.bearer.", OfferedProtocols::OnlyOurs),
        (
            "chat,dariet.bearer.abc , superchat",
            OfferedProtocols::OthersRemain,
        ),
    ] {
        let headers = headers(&[("sec-websocket-protocol", value)]);
        assert_eq!(offered_protocols(&headers), offered, "{value}");
    }
}

#[test]
fn a_credential_does_not_show_itself() {
    let headers = headers(&[("authorization", "Bearer dk_secret")]);
    let found = read_credential(&headers, false).unwrap().unwrap();
    assert_eq!(
        format!("{found:?}"),
        "Found { credential: ApiKey(..), place: Authorization }"
    );
    assert_eq!(found.credential.bytes(), b"dk_secret");
}
