use serde_json::json;

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn a_request_without_credential_is_told_how_to_log_in() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for call in [
            Call::get("/x"),
            Call::post("/x").body("hello"),
            Call::get("/x").header("Authorization", "Basic eDp5"),
            Call::get("/x").header("X-API-Key", "not-one-of-ours"),
        ] {
            let answer = client.call(&call).await;
            assert_eq!(answer.refusal(), (401, "credential_missing".to_owned()));
            let challenge = answer.headers.get("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert!(!challenge.contains("error="), "{challenge}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn each_form_of_a_credential_lets_in() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("ada", "viewer").await;
    let key = world.new_key(&user).await.key;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for call in [
            Call::get("/x").bearer(&user.token),
            Call::get("/x").header("Authorization", &format!("bearer {}", user.token)),
            Call::get("/x").bearer(&key),
            Call::get("/x").header("X-API-Key", &key),
        ] {
            client.call(&call).await.expect(200);
            let seen = service.next().await;
            assert_eq!(seen.headers.get("x-auth-user-id"), Some(user.user.as_str()));
        }
    }
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let token = &world.administrator().token;
    let key = world.new_key(world.administrator()).await.key;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for call in [
            Call::get("/x").bearer(token).header("X-API-Key", &key),
            Call::get("/x").bearer(&key).header("X-API-Key", &key),
            Call::get("/x").bearer(token).bearer(token),
            Call::get("/x")
                .header("X-API-Key", &key)
                .header("X-API-Key", &key),
            Call::get("/api/auth/me")
                .bearer(token)
                .header("X-API-Key", &key),
        ] {
            let answer = client.call(&call).await;
            assert_eq!(
                answer.refusal(),
                (400, "two_credentials".to_owned()),
                "{call:?}"
            );
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn junk_is_refused_as_what_it_looks_like() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await.key;
    let unknown = dariet_gateway::domain::ApiKey::from_random(&[7; 20]);
    let last = if key.ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{last}", &key[..key.len() - 1]);

    let mut wire = world.wire().await;
    for (credential, code) in [
        (mistyped.as_str(), "credential_malformed"),
        ("dk_", "credential_malformed"),
        ("dk_0123", "credential_malformed"),
        (
            &key.to_uppercase().replace("DK_", "dk_"),
            "credential_malformed",
        ),
        (unknown.expose(), "key_unknown"),
        ("two words", "credential_malformed"),
        ("", "credential_malformed"),
    ] {
        let answer = wire.call(&Call::get("/x").bearer(credential)).await;
        assert_eq!(answer.refusal(), (401, code.to_owned()), "{credential:?}");
        let challenge = answer.headers.get("www-authenticate").unwrap();
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{challenge}"
        );
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn an_expired_key_is_refused() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key_for_seconds(world.administrator(), 2).await;
    let mut wire = world.wire().await;
    let call = Call::get("/x").bearer(&key.key);

    let mut answer = wire.call(&call).await.expect(200);
    // It ends by the clock alone; each turn of the loop is a request on the way there.
    while answer.status == 200 {
        answer = wire.call(&call).await;
    }

    assert_eq!(answer.refusal(), (401, "key_expired".to_owned()));
}

#[tokio::test]
async fn an_inactive_users_credentials_are_refused_and_the_keys_work_again_afterwards() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("ada", "viewer").await;
    let key = world.new_key(&user).await;
    let by_key = Call::get("/x").bearer(&key.key);
    let by_session = Call::get("/x").bearer(&user.token);

    world.patch_user(&user, &json!({"is_active": false})).await;
    for call in [&by_key, &by_session] {
        assert_eq!(world.call(call).await.status, 401);
    }
    world.patch_user(&user, &json!({"is_active": true})).await;

    world.call(&by_key).await.expect(200);
    let refusal = world.call(&by_session).await.refusal();
    assert_eq!(refusal, (401, "session_revoked".to_owned()));
}

#[tokio::test]
async fn an_answer_to_a_key_in_its_own_header_is_not_for_shared_caches() {
    let service = Service::answering_with(|request| {
        let cache = match request.target.as_str() {
            "/public" => "Cache-Control: public, max-age=60\r\n",
            _ => "",
        };
        format!("HTTP/1.1 200 OK\r\n{cache}Content-Length: 0\r\n\r\n").into()
    });
    let service = service.await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await.key;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (call, cache) in [
            (Call::get("/x").header("X-API-Key", &key), Some("private")),
            (
                Call::get("/public").header("X-API-Key", &key),
                Some("public, max-age=60"),
            ),
            (Call::get("/x").bearer(&key), None),
        ] {
            let answer = client.call(&call).await.expect(200);
            assert_eq!(answer.headers.get("cache-control"), cache, "{call:?}");
        }
    }
}

#[tokio::test]
async fn white_space_around_a_header_over_http2_is_refused() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", "")
        .route("/public", "service", "public = true");
    let world = setup.start().await;
    let token = &world.administrator().token;
    let mut http2 = world.http2().await;

    for path in ["/x", "/public", "/api/auth/me"] {
        for value in [
            format!(" Bearer {token}"),
            format!("\tBearer {token}"),
            format!("Bearer {token} "),
            format!("Bearer {token}\t"),
        ] {
            let call = Call::get(path).header("Authorization", &value);
            let answer = http2.call(&call).await;
            let refusal = (400, "malformed_request".to_owned());
            assert_eq!(answer.refusal(), refusal, "{path} {value:?}");
        }
        let call = Call::get(path).bearer(token).header("X-Other", " x");
        let answer = http2.call(&call).await;
        assert_eq!(answer.refusal(), (400, "malformed_request".to_owned()));
    }
    assert!(service.is_quiet());

    // The refusals did not cost the connection.
    let call = Call::get("/x").bearer(token);
    http2.call(&call).await.expect(200);
    service.next().await;
}
