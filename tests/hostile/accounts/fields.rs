//! What bodies say beyond their fields, and addresses and passwords that are not what they look like.

use serde_json::{Value, json};

use super::{FORGOT, KEYS, LOGIN, RESET, USERS, log_in, setup};
use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::Call;

/// Members that no endpoint takes, each with what it would like to be.
fn wishes() -> Value {
    json!({
        "is_admin": true, "admin": true, "roles": ["admin"], "Role": "admin", "ROLE": "admin",
        "role ": "admin", "role\u{0}": "admin", "user[role]": "admin", "user.role": "admin",
        "password_hash": "x", "hash": "x", "epoch": 99, "sep": 99, "session_epoch": 99, "version": 99,
        "reset": {"digest": "x"}, "reset_token": "x", "owner": "x", "user": {"role": "admin"},
        "digest": "x", "shown_prefix": "dk_xxxxxxxx", "key_prefix": "dk_xxxxxxxx", "revoked_at": null,
        "last_used_at": "2026-01-01T00:00:00", "expires_in": 1, "token_type": "x", "aud": "x", "iss": "x",
        "__proto__": {"role": "admin"}, "constructor": {"prototype": {"role": "admin"}},
        "$set": {"role": "admin"}, "_method": "DELETE", "X-Auth-User-Role": "admin",
    })
}

fn with(body: Value, more: &Value) -> Value {
    let (Value::Object(mut body), Value::Object(more)) = (body, more.clone()) else {
        panic!("bodies are objects");
    };
    for (name, value) in more {
        body.entry(name).or_insert(value);
    }
    Value::Object(body)
}

#[tokio::test]
async fn nothing_but_its_fields_is_taken_from_a_body() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    let me = Call::get("/api/auth/me").bearer(&user.token);
    let before = world.call(&me).await.json();
    let wishes = wishes();
    let id = format!("{USERS}/{}", user.user);

    let login = json!({"email": user.email, "password": PASSWORD, "role": "admin", "id": "x"});
    let answer = world
        .call(&Call::post(LOGIN).json(&with(login, &wishes)))
        .await
        .expect(200);
    assert_eq!(answer.json()["user"], before);

    let key = json!({"name": "a key", "user_id": world.administrator().user, "key": "dk_x", "role": "admin"});
    let call = Call::post(KEYS)
        .bearer(&user.token)
        .json(&with(key, &wishes));
    let key = world.call(&call).await.expect(201).json();
    assert!(
        key["key"]
            .as_str()
            .unwrap()
            .starts_with(key["key_prefix"].as_str().unwrap())
    );
    assert_eq!(key["expires_at"], Value::Null);
    let own = Call::get("/api/auth/me").bearer(key["key"].as_str().unwrap());
    assert_eq!(world.call(&own).await.expect(200).json(), before);

    let patch = with(json!({"name": user_name(&before)}), &wishes);
    let call = world.by_administrator("PATCH", &id).json(&patch);
    assert_eq!(world.call(&call).await.expect(200).json(), before);

    let new = json!({"email": "new@example.com", "name": "New", "password": PASSWORD});
    let call = world
        .by_administrator("POST", USERS)
        .json(&with(new, &wishes));
    let new = world.call(&call).await.expect(201).json();
    assert_eq!(
        (&new["role"], &new["is_active"]),
        (&json!("viewer"), &json!(true))
    );

    let change = json!({"current_password": PASSWORD, "new_password": "a lantern in the fog",
        "role": "admin", "email": "other@example.com", "is_active": false, "user_id": "x"});
    let call = Call::post("/api/auth/change-password").bearer(&user.token);
    let answer = world
        .call(&call.json(&with(change, &wishes)))
        .await
        .expect(200);
    assert_eq!(answer.json()["user"], before);

    let forgot = json!({"email": "nobody@example.com", "to": user.email, "reset_link": "https://evil.example"});
    world
        .call(&Call::post(FORGOT).json(&with(forgot, &wishes)))
        .await
        .expect(200);
}

fn user_name(user: &Value) -> &Value {
    &user["name"]
}

#[tokio::test]
async fn nobody_but_an_administrator_changes_a_user_not_even_themselves() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    let key = world.new_key(world.administrator()).await;
    let id = format!("{USERS}/{}", user.user);
    for change in [
        json!({"role": "admin"}),
        json!({"email": ADMINISTRATOR}),
        json!({"password": "a lantern in the fog"}),
        json!({"name": "x"}),
        json!({}),
    ] {
        let call = Call::new("PATCH", &id).bearer(&user.token).json(&change);
        let answer = world.call(&call).await;
        assert_eq!(answer.refusal(), (403, "not_allowed".to_owned()));
        // Nor does an administrator's key, which might have leaked.
        let call = Call::new("PATCH", &id).bearer(&key.key).json(&change);
        let answer = world.call(&call).await;
        assert_eq!(answer.refusal(), (403, "session_required".to_owned()));
    }
}

/// Bodies that are no plain JSON object, and the code of their refusal.
#[rustfmt::skip]
const BODIES: &[(&str, &str, &str)] = &[
    ("a member twice", "{\"email\":\"a\",\"email\":\"b\",\"password\":\"x\"}", "malformed_json"),
    ("a member twice, one spelled with an escape", "{\"email\":\"a\",\"\\u0065mail\":\"b\",\"password\":\"x\"}", "malformed_json"),
    ("a list", "[{\"email\":\"a\"}]", "malformed_json"),
    ("a text", "\"email\"", "malformed_json"),
    ("nothing", "", "malformed_json"),
    ("null", "null", "malformed_json"),
    ("a number", "1", "malformed_json"),
    ("a form", "email=a&password=b", "malformed_json"),
    ("two objects", "{\"email\":\"a\",\"password\":\"b\"}{}", "malformed_json"),
    ("a comma too many", "{\"email\":\"a\",\"password\":\"b\",}", "malformed_json"),
    ("a comment", "{\"email\":\"a\"/**/,\"password\":\"b\"}", "malformed_json"),
    ("single quotes", "{'email':'a','password':'b'}", "malformed_json"),
    ("a line break in a text", "{\"email\":\"a\nb\",\"password\":\"b\"}", "malformed_json"),
    ("half a character", "{\"email\":\"\\ud800\",\"password\":\"b\"}", "malformed_json"),
    ("the other half of a character", "{\"email\":\"\\udc00\",\"password\":\"b\"}", "malformed_json"),
    ("a byte order mark", "\u{feff}{\"email\":\"a\",\"password\":\"b\"}", "malformed_json"),
    ("not a number", "{\"email\":NaN,\"password\":\"b\"}", "malformed_json"),
    ("a list in a text's place", "{\"email\":[\"a\"],\"password\":\"b\"}", "invalid"),
    ("an object in a text's place", "{\"email\":{\"$gt\":\"\"},\"password\":{\"$gt\":\"\"}}", "invalid"),
    ("true in a text's place", "{\"email\":true,\"password\":true}", "invalid"),
    ("a number in a text's place", "{\"email\":0,\"password\":0}", "invalid"),
];

#[tokio::test]
async fn a_body_that_two_readers_would_read_differently_is_refused() {
    let world = setup().start().await;
    let wide = format!("{{\"email\":{},\"password\":\"b\"}}", "9".repeat(60_000));
    let more = [("a number of 60,000 digits", &*wide, "malformed_json")];
    let mut wrong = Vec::new();
    for (name, body, code) in BODIES.iter().chain(&more) {
        let call = Call::post(LOGIN).header("Content-Type", "application/json");
        let answer = world.call(&call.body(body.as_bytes().to_vec())).await;
        if answer.code() != *code {
            wrong.push(format!("{name}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An unknown member is ignored however deep it is, and costs no stack.
#[tokio::test]
async fn a_body_of_any_depth_is_read_without_harm() {
    let world = setup().start().await;
    let (open, close) = ("[".repeat(30_000), "]".repeat(30_000));
    let body = format!("{{\"email\":\"a\",\"password\":\"b\",\"x\":{open}{close}}}");
    let call = Call::post(LOGIN).header("Content-Type", "application/json");

    let answer = world.call(&call.body(body)).await;

    assert_eq!(answer.refusal(), (401, "login_failed".to_owned()));
    let body = format!("{{\"email\":{open}{close},\"password\":\"b\"}}");
    let call = Call::post(LOGIN).header("Content-Type", "application/json");
    let answer = world.call(&call.body(body)).await;
    assert_eq!(answer.refusal(), (422, "invalid".to_owned()));
}

/// Whether an address is the account `root@example.com`, another one, or none.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Root,
    Other,
    Nobody,
}

#[rustfmt::skip]
const ADDRESSES: &[(&str, &str, Whose)] = &[
    ("capitals", "ROOT@EXAMPLE.COM", Whose::Root),
    ("white space around", " root@example.com\t", Whose::Root),
    ("a full-width domain", "root@\u{ff45}\u{ff58}ample.com", Whose::Root),
    ("an ideographic full stop", "root@example\u{3002}com", Whose::Root),
    ("a soft hyphen in the domain", "root@ex\u{ad}ample.com", Whose::Root),
    ("a Cyrillic o", "r\u{43e}\u{43e}t@example.com", Whose::Other),
    ("a Cyrillic a in the domain", "root@ex\u{430}mple.com", Whose::Other),
    ("full-width letters", "\u{ff52}oot@example.com", Whose::Other),
    ("a part behind a plus", "root+x@example.com", Whose::Other),
    ("dots", "r.oot@example.com", Whose::Other),
    ("a domain more", "root@example.com.evil.example", Whose::Other),
    ("two addresses", "root@example.com,evil@evil.example", Whose::Nobody),
    ("two addresses with a space", "root@example.com evil@evil.example", Whose::Nobody),
    ("a line break", "root@example.com\r\nBcc: evil@evil.example", Whose::Nobody),
    ("a NUL", "root@example.com\u{0}", Whose::Nobody),
    ("two ats", "root@example.com@evil.example", Whose::Nobody),
    ("no at", "root.example.com", Whose::Nobody),
    ("no domain", "root@", Whose::Nobody),
    ("no name", "@example.com", Whose::Nobody),
    ("a display name", "Root <root@example.com>", Whose::Nobody),
    ("255 bytes", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com", Whose::Nobody),
];

#[tokio::test]
async fn an_address_that_looks_like_another_is_that_account_or_none() {
    let world = setup().start().await;
    let mut wrong = Vec::new();
    for (name, email, whose) in ADDRESSES {
        let body = json!({"email": email, "name": "Mallory", "password": "a lantern in the fog"});
        let call = world.by_administrator("POST", USERS).json(&body);
        let found = match world.call(&call).await.status {
            201 => Whose::Other,
            409 => Whose::Root,
            _ => Whose::Nobody,
        };
        // Whoever it is, root's password opens root's account alone.
        let opened = world.call(&log_in(email, PASSWORD)).await;
        let is_root = opened.status == 200 && opened.json()["user"]["email"] == ADMINISTRATOR;
        if found != *whose || is_root != (*whose == Whose::Root) {
            wrong.push(format!("{name}: {found:?}, {opened:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_password_is_taken_exactly_and_whole() {
    let world = setup().start().await;
    let long = "correct horse ".repeat(10);
    let passwords = [
        (
            "a NUL within",
            "lantern\0in the fog",
            vec![
                "lantern",
                "lantern\0",
                "lantern\0in the fo",
                "lanternin the fog",
            ],
        ),
        (
            "72 bytes and more (bcrypt)",
            &format!("{long}A"),
            vec![&long[..72], &long, "correct horse"],
        ),
        (
            "spaces around",
            "  lantern in the fog ",
            vec!["lantern in the fog", "  lantern in the fog"],
        ),
        (
            "capitals",
            "Lantern In The Fog",
            vec!["lantern in the fog", "LANTERN IN THE FOG"],
        ),
        (
            "full-width letters",
            "\u{ff4c}antern in the fog",
            vec!["lantern in the fog"],
        ),
        ("a tab", "lantern\tin the fog", vec!["lantern in the fog"]),
        (
            "an emoji of many parts",
            "lantern \u{1f469}\u{200d}\u{1f680} fog",
            vec!["lantern \u{1f469}\u{1f680} fog"],
        ),
    ];
    for (n, (name, password, others)) in passwords.iter().enumerate() {
        let email = format!("user-{n}@example.com");
        let body = json!({"email": email, "name": "Grace", "password": password});
        let call = world.by_administrator("POST", USERS).json(&body);
        world.call(&call).await.expect(201);
        world.call(&log_in(&email, password)).await.expect(200);
        for other in others {
            let answer = world.call(&log_in(&email, other)).await;
            assert_eq!(answer.status, 401, "{name}: {other:?}");
        }
    }
}

#[tokio::test]
async fn a_huge_password_costs_nothing_and_opens_nothing() {
    let world = setup().start().await;
    for (length, status) in [(1025, 401), (60_000, 401), (70_000, 413), (1 << 20, 413)] {
        let call = log_in(ADMINISTRATOR, &"x".repeat(length));
        let mut wire = world.wire().await;
        // The gateway may have answered and closed before all of it was sent.
        let _ = wire.try_send(call.bytes()).await;
        let answer = wire.answer("POST").await;
        assert_eq!(answer.status, status, "{length}");
    }
    let long = json!({"email": "new@example.com", "name": "New", "password": "x".repeat(1025)});
    let call = world.by_administrator("POST", USERS).json(&long);
    world.call(&call).await.expect(422);
    let body = json!({"token": "x", "new_password": "x".repeat(60_000)});
    world.call(&Call::post(RESET).json(&body)).await.expect(400);
}
