use http::HeaderValue;

use super::*;
use crate::domain::{Email, KeyId, Role, SessionId, UserId, UserName};

fn config() -> config::IdentityHeaders {
    let name = HeaderName::from_static;
    config::IdentityHeaders {
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

/// Those of these names that a client may send.
fn left<'a>(identity: &IdentityHeaders, names: &[&'a str], keep: &[HeaderName]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.retain(|name| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        !identity.is_stripped(&name, keep)
    });
    names
}

fn text(identity: &IdentityHeaders, values: &IdentityValues) -> String {
    let mut lines = Vec::new();
    identity.write(&mut lines, values);
    String::from_utf8(lines).unwrap()
}

#[test]
fn a_client_cannot_forge_an_identity_in_any_spelling() {
    let names = [
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
    ];
    assert_eq!(left(&identity(), &names, &[]), [""; 0]);
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
    assert_eq!(left(&identity(), &names, &[]), names);
}

#[test]
fn a_route_keeps_its_exceptions_as_spelt_and_never_an_identity() {
    let keep = [
        HeaderName::from_static("x-original-url"),
        HeaderName::from_static("x-auth-user-id"),
    ];
    let names = [
        "x-original-url",
        "x_original_url",
        "x-rewrite-url",
        "x-auth-user-id",
    ];
    assert_eq!(left(&identity(), &names, &keep), ["x-original-url"]);
}

#[test]
fn names_of_the_configuration_are_stripped_as_the_default_ones() {
    let mut config = config();
    config.user_id = HeaderName::from_static("user_id");
    let names = ["user-id", "user_id", "user.id", "x-auth-user-id"];
    let identity = IdentityHeaders::new(&config);
    assert_eq!(left(&identity, &names, &[]), ["x-auth-user-id"]);
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
    identity().strip_trailers(&mut trailers, None);
    assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status"]);
}

#[test]
fn a_principal_is_told_in_six_headers_that_decode() {
    let key = KeyId::from_bytes([2; 16]);
    let values = IdentityValues::of(&principal("Ada 100% \u{e9}", CredentialId::Key(key)));
    assert_eq!(
        text(&identity(), &values),
        "x-auth-user-id: 01010101-0101-0101-0101-010101010101\r\n\
         x-auth-user-email: Ada@b%C3%BCcher.example\r\n\
         x-auth-user-name: Ada%20100%25%20%C3%A9\r\n\
         x-auth-user-role: viewer\r\n\
         x-auth-method: api_key\r\n\
         x-auth-key-id: 02020202-0202-0202-0202-020202020202\r\n"
    );
}

#[test]
fn a_session_has_no_key_id() {
    let session = SessionId::from_bytes([3; 16]);
    let values = IdentityValues::of(&principal("Ada", CredentialId::Session(session)));

    let text = text(&identity(), &values);

    assert!(!text.contains("x-auth-key-id"), "{text}");
    assert!(text.contains("x-auth-method: session\r\n"), "{text}");
}

#[test]
fn each_naming_writes_its_own_names() {
    let session = SessionId::from_bytes([3; 16]);
    let values = IdentityValues::of(&principal("Ada", CredentialId::Session(session)));
    let one = identity();
    let mut config = config();
    config.user_id = HeaderName::from_static("x-user");
    let other = IdentityHeaders::new(&config);

    for _ in 0..2 {
        assert!(text(&one, &values).starts_with("x-auth-user-id: "));
        assert!(text(&other, &values).starts_with("x-user: "));
    }
}
