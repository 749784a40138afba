use super::*;
use crate::domain::{Email, KeyId, Role, SessionId, UserId, UserName};

fn config() -> config::IdentityHeaders {
    let [
        user_id,
        user_email,
        user_name,
        user_role,
        method,
        key_id,
        cert @ ..,
    ] = DEFAULTS;
    let [
        client_cert_subject,
        client_cert_issuer,
        client_cert_names,
        client_cert_fingerprint,
    ] = cert;
    config::IdentityHeaders {
        user_id,
        user_email,
        user_name,
        user_role,
        method,
        key_id,
        client_cert_subject,
        client_cert_issuer,
        client_cert_names,
        client_cert_fingerprint,
    }
}

fn identity() -> IdentityHeaders {
    IdentityHeaders::new(&config())
}

fn principal(name: &str, credential: CredentialId) -> Principal {
    Principal {
        user: UserId::from_bytes([1; 16]),
        email: Email::parse("Ada@bücher.example").unwrap(),
        name: UserName::parse(name).unwrap(),
        role: Role::Viewer,
        credential,
    }
}

fn map(names: &[&str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for name in names {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_static("1"),
        );
    }
    map
}

#[test]
fn a_client_cannot_forge_an_identity_in_any_spelling() {
    let mut headers = map(&[
        "X-Auth-User-Id",
        "x-auth-user-id",
        "X_Auth_User_Id",
        "x.auth-user_email",
        "X-AUTH-USER-NAME",
        "x-auth-user.role",
        "X-Auth_Method",
        "x-auth-key-id",
        "X-Original-URL",
        "x_rewrite_url",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "x-method.override",
        "Remote-User",
        "REMOTE_USER",
        "X-Forwarded-User",
        "Content_Length",
        "x_request_id",
    ]);
    identity().strip(&mut headers);
    assert!(
        headers.is_empty(),
        "{:?}",
        headers.keys().collect::<Vec<_>>()
    );
}

#[test]
fn what_is_no_identity_stays() {
    let names = [
        "host",
        "accept",
        "x-auth-user",
        "x-auth-user-idx",
        "xxauth-user-id",
        "content-length",
        "transfer-encoding",
        "my_header",
        "x-api-key",
        "x-request-id",
    ];
    let mut headers = map(&names);
    identity().strip(&mut headers);
    assert_eq!(headers.len(), names.len());
}

#[test]
fn a_route_keeps_its_exceptions_as_spelt_and_never_an_identity() {
    let keep = [
        HeaderName::from_static("x-original-url"),
        HeaderName::from_static("x-auth-user-id"),
    ];
    let mut headers = map(&[
        "x-original-url",
        "x_original_url",
        "x-rewrite-url",
        "x-auth-user-id",
    ]);
    identity().strip_except(&mut headers, &keep);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-original-url"]);
}

#[test]
fn names_of_the_configuration_are_stripped_as_the_default_ones() {
    let mut config = config();
    config.user_id = HeaderName::from_static("user_id");
    let mut headers = map(&["user-id", "user_id", "user.id", "x-auth-user-id"]);
    IdentityHeaders::new(&config).strip(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-auth-user-id"]);
}

#[test]
fn trailers_neither_frame_nor_route_nor_authenticate() {
    let mut trailers = map(&[
        "x-auth-user-id",
        "x_auth_user_id",
        "x-original-url",
        "authorization",
        "content_length",
        "Host",
        "x-forwarded-for",
        "x_forwarded_proto",
        "forwarded",
        "x-api-key",
        "grpc-status",
    ]);
    identity().strip_trailers(&mut trailers);
    assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status"]);
}

#[test]
fn a_principal_is_told_in_six_headers_that_decode() {
    let key = KeyId::from_bytes([2; 16]);
    let values = IdentityValues::of(&principal("Ada 100% \u{e9}", CredentialId::Key(key)));
    let mut headers = HeaderMap::new();

    identity().set(&mut headers, &values);

    let value = |name: &str| headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(
        value("x-auth-user-id"),
        "01010101-0101-0101-0101-010101010101"
    );
    assert_eq!(value("x-auth-user-email"), "Ada@b%C3%BCcher.example");
    assert_eq!(value("x-auth-user-name"), "Ada%20100%25%20%C3%A9");
    assert_eq!(value("x-auth-user-role"), "viewer");
    assert_eq!(value("x-auth-method"), "api_key");
    assert_eq!(
        value("x-auth-key-id"),
        "02020202-0202-0202-0202-020202020202"
    );
    assert_eq!(headers.len(), 6);
}

#[test]
fn a_session_has_no_key_id() {
    let session = SessionId::from_bytes([3; 16]);
    let values = IdentityValues::of(&principal("Ada", CredentialId::Session(session)));
    let mut headers = map(&["x-auth-key-id", "x-auth-user-id", "x-auth-user-id"]);

    identity().set(&mut headers, &values);

    assert!(!headers.contains_key("x-auth-key-id"));
    assert_eq!(headers.get_all("x-auth-user-id").iter().count(), 1);
    assert_eq!(headers.get("x-auth-method").unwrap(), "session");
}
