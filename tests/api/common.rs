//! What every endpoint refuses alike.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::json;

use crate::support::{Trouble, World};

const ID: &str = "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77";

/// Every call that reads a body, and whether it needs an administrator's session.
const WITH_BODY: [(&str, &str); 7] = [
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/change-password"),
    ("POST", "/api/auth/forgot-password"),
    ("POST", "/api/auth/reset-password"),
    ("POST", "/api/auth/users"),
    (
        "PATCH",
        "/api/auth/users/0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77",
    ),
    ("POST", "/api/api-keys"),
];

#[tokio::test]
async fn an_unknown_path_is_404_for_everybody() {
    let world = World::new().await;
    for path in [
        "/api/auth",
        "/api/auth/",
        "/api/auth/nothing",
        "/api/api-keys/",
        "/api/auth/users/7",
    ] {
        let reply = world
            .call("GET", path)
            .send()
            .await
            .refused(404, "not_found");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_path_is_read_in_its_normal_form() {
    let world = World::new().await;
    let session = world.admin().await;
    for path in [
        "//api//auth/./me",
        "/api/auth/users/../me",
        "/api/%61uth/me",
    ] {
        let reply = world.call("GET", path).bearer(&session.token).send().await;
        reply.expect(200);
    }
    let reply = world
        .call("GET", "/api/auth/%5cme")
        .bearer(&session.token)
        .send()
        .await;
    reply.refused(400, "path_refused");
}

#[tokio::test]
async fn another_method_is_405_and_told_which_there_are() {
    let world = World::new().await;
    for (method, path, allow) in [
        ("GET", "/api/auth/login".to_owned(), "POST"),
        ("DELETE", "/api/auth/logout".to_owned(), "POST"),
        (
            "PUT",
            "/api/auth/reset-password".to_owned(),
            "GET, HEAD, POST",
        ),
        ("POST", "/api/auth/me".to_owned(), "GET, HEAD"),
        ("DELETE", "/api/auth/users".to_owned(), "GET, HEAD, POST"),
        ("GET", format!("/api/auth/users/{ID}"), "PATCH, DELETE"),
        ("PATCH", "/api/api-keys".to_owned(), "GET, HEAD, POST"),
        ("GET", format!("/api/api-keys/{ID}"), "DELETE"),
        ("OPTIONS", "/api/auth/login".to_owned(), "POST"),
    ] {
        let reply = world.call(method, &path).send().await;
        let reply = reply.refused(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn whoever_says_nothing_is_401_before_their_body_is_looked_at() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/api/auth/logout".to_owned()),
        ("POST", "/api/auth/change-password".to_owned()),
        ("GET", "/api/auth/me".to_owned()),
        ("GET", "/api/auth/users".to_owned()),
        ("POST", "/api/auth/users".to_owned()),
        ("PATCH", format!("/api/auth/users/{ID}")),
        ("DELETE", format!("/api/auth/users/{ID}")),
        ("GET", "/api/api-keys".to_owned()),
        ("POST", "/api/api-keys".to_owned()),
        ("DELETE", format!("/api/api-keys/{ID}")),
    ] {
        let reply = world.call(method, &path).raw(b"no json").send().await;
        let reply = reply.refused(401, "credential_missing");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn whoever_may_not_is_403_before_their_body_is_looked_at() {
    let world = World::new().await;
    let viewer = world.viewer().await;
    let admin = world.admin().await;
    let (_, key) = world.key(&admin).await;

    for (method, path) in [
        ("GET", "/api/auth/users".to_owned()),
        ("POST", "/api/auth/users".to_owned()),
        ("PATCH", format!("/api/auth/users/{ID}")),
        ("DELETE", format!("/api/auth/users/{ID}")),
    ] {
        let call = world
            .call(method, &path)
            .bearer(&viewer.token)
            .raw(b"no json");
        call.send().await.refused(403, "not_allowed");
        let call = world.call(method, &path).bearer(&key).raw(b"no json");
        call.send().await.refused(403, "session_required");
    }
    for (method, path) in [
        ("GET", "/api/api-keys".to_owned()),
        ("POST", "/api/api-keys".to_owned()),
        ("DELETE", format!("/api/api-keys/{ID}")),
    ] {
        let call = world.call(method, &path).bearer(&key).raw(b"no json");
        call.send().await.refused(403, "session_required");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_by_its_type_is_415() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (method, path) in WITH_BODY {
        let call = || world.call(method, path).bearer(&admin.token);
        call()
            .raw(b"{}")
            .send()
            .await
            .refused(415, "unsupported_media_type");
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
        ] {
            let reply = call().header(CONTENT_TYPE, kind).raw(b"{}").send().await;
            reply.refused(415, "unsupported_media_type");
        }
        let packed = call()
            .header(CONTENT_ENCODING, "gzip")
            .text("{}")
            .send()
            .await;
        packed.refused(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = |length: usize| {
        let frame = json!({ "x": "" }).to_string().len();
        json!({ "x": "x".repeat(length - frame) }).to_string()
    };
    for (method, path) in WITH_BODY {
        let call = || world.call(method, path).bearer(&admin.token);
        let counted = call().text(&body(64 * 1024 + 1)).send().await;
        counted.refused(413, "body_too_large");
        let announced = call()
            .header(CONTENT_LENGTH, "65537")
            .text("{}")
            .send()
            .await;
        announced.refused(413, "body_too_large");
        let largest = call().text(&body(64 * 1024)).send().await;
        assert_ne!(largest.status, 413);
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_400() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (method, path) in WITH_BODY {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "7",
            "\"x\"",
            "{}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":tru}",
        ] {
            let call = world.call(method, path).bearer(&admin.token);
            call.text(body).send().await.refused(400, "malformed_json");
        }
        let call = world.call(method, path).bearer(&admin.token);
        let call = call
            .header(CONTENT_TYPE, "application/json")
            .raw(b"{\"a\":\"\xff\"}");
        call.send().await.refused(400, "malformed_json");
    }
}

#[tokio::test]
async fn no_refusal_repeats_what_was_typed() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (method, path) in WITH_BODY {
        let secret = "tell-nobody";
        let body = json!({
            "email": secret, "name": "\u{1}", "role": secret, "password": secret, "token": secret,
            "current_password": secret, "new_password": secret, "expires_at": secret, "id": secret,
        });
        let reply = world
            .call(method, path)
            .bearer(&admin.token)
            .json(&body)
            .send()
            .await;
        let text = String::from_utf8_lossy(&reply.body);
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn the_request_id_of_a_refusal_is_the_requests() {
    let world = World::new().await;
    let first = world.call("GET", "/api/auth/me").send().await.json();
    let second = world.call("GET", "/api/auth/me").send().await.json();
    assert_ne!(first["request_id"], second["request_id"]);
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_is_503_for_every_call_that_asks_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.me(&admin.token).await.expect(200);
    world.breaks(Trouble::Down);
    for (method, path, body) in [
        ("POST", "/api/auth/logout".to_owned(), json!({})),
        (
            "POST",
            "/api/auth/change-password".to_owned(),
            json!({ "current_password": "a", "new_password": "b" }),
        ),
        (
            "POST",
            "/api/auth/forgot-password".to_owned(),
            json!({ "email": World::ADMIN }),
        ),
        (
            "POST",
            "/api/auth/reset-password".to_owned(),
            json!({ "token": "a", "new_password": "b" }),
        ),
        ("GET", "/api/auth/me".to_owned(), json!({})),
        ("GET", "/api/auth/users".to_owned(), json!({})),
        ("GET", "/api/auth/users?limit=1".to_owned(), json!({})),
        (
            "POST",
            "/api/auth/users".to_owned(),
            json!({ "email": "a@b.c", "name": "A", "password": World::PASSWORD }),
        ),
        ("PATCH", format!("/api/auth/users/{ID}"), json!({})),
        ("DELETE", format!("/api/auth/users/{ID}"), json!({})),
        ("GET", "/api/api-keys".to_owned(), json!({})),
        ("POST", "/api/api-keys".to_owned(), json!({ "name": "x" })),
        ("DELETE", format!("/api/api-keys/{ID}"), json!({})),
    ] {
        let call = world.call(method, &path).bearer(&admin.token).json(&body);
        let reply = call.send().await;
        assert_eq!(reply.code, Some("store_unavailable"), "{method} {path}");
        reply.refused(503, "store_unavailable");
    }
}
