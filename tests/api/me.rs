use std::time::Duration;

use dariet_gateway::domain::ApiKey;
use http::HeaderName;
use http::header::AUTHORIZATION;
use serde_json::json;

use crate::support::{Trouble, World};

const PATH: &str = "/api/auth/me";
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

#[tokio::test]
async fn a_session_sees_its_user_and_a_key_its_owner() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (_, key) = world.key(&session).await;
    let user = json!({
        "id": session.id,
        "email": "grace@example.com",
        "name": "Grace Hopper",
        "role": "viewer",
        "is_active": true,
        "created_at": world.time_of_day(),
    });

    for credential in [&session.token, &key] {
        let reply = world.me(credential).await.expect(200);
        assert_eq!(reply.json(), user);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("dariet-durability"), None);
    }
    let reply = world.call("GET", PATH).header(X_API_KEY, &key).send().await;
    assert_eq!(reply.expect(200).json(), user);
}

#[tokio::test]
async fn head_is_a_get_without_its_body() {
    let world = World::new().await;
    let session = world.admin().await;
    let length = world.me(&session.token).await.body.len().to_string();

    let reply = world
        .call("HEAD", PATH)
        .bearer(&session.token)
        .send()
        .await
        .expect(200);

    assert!(reply.body.is_empty());
    assert_eq!(reply.header("content-length"), Some(length.as_str()));
}

#[tokio::test]
async fn without_a_credential_the_challenge_names_no_error() {
    let world = World::new().await;
    let reply = world
        .call("GET", PATH)
        .send()
        .await
        .refused(401, "credential_missing");
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Bearer realm=\"dariet\"")
    );
}

#[tokio::test]
async fn what_is_no_credential_of_ours_is_refused() {
    let world = World::new().await;
    let session = world.admin().await;
    let unknown = ApiKey::from_random(&[7; 20]);
    let other = World::new().await.admin().await;

    for (credential, code) in [
        ("dk_123", "credential_malformed"),
        ("junk", "credential_malformed"),
        (unknown.expose(), "key_unknown"),
        (&other.token, "token_invalid"),
    ] {
        let reply = world.me(credential).await.refused(401, code);
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    let cut = &session.token[..session.token.len() - 4];
    assert_eq!(world.me(cut).await.status, 401);
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let world = World::new().await;
    let session = world.admin().await;
    let (_, key) = world.key(&session).await;
    let call = world.call("GET", PATH).bearer(&session.token);
    call.header(X_API_KEY, &key)
        .send()
        .await
        .refused(400, "two_credentials");
    let call = world.call("GET", PATH).bearer(&session.token);
    let again = format!("Bearer {}", session.token);
    call.header(AUTHORIZATION, &again)
        .send()
        .await
        .refused(400, "two_credentials");
}

#[tokio::test]
async fn a_session_expires() {
    let world = World::new().await;
    let session = world.admin().await;
    world
        .clock
        .advance(World::LIFETIME - Duration::from_secs(1));
    world.me(&session.token).await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    world
        .me(&session.token)
        .await
        .refused(401, "session_expired");
}

#[tokio::test]
async fn the_operator_is_nobody() {
    let world = World::new().await;
    let reply = world.call("GET", PATH).by_operator().send().await;
    reply.refused(403, "session_required");
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_is_no_bad_credential() {
    let world = World::new().await;
    let session = world.admin().await;
    world.breaks(Trouble::Down);
    world
        .me(&session.token)
        .await
        .refused(503, "store_unavailable");
    world.me("junk").await.refused(401, "credential_malformed");
}

#[tokio::test]
async fn the_answer_tells_by_which_admission_it_was_given() {
    let world = World::new().await;
    let session = world.admin().await;
    let reply = world.me(&session.token).await;
    let admission = reply.admission.unwrap();
    assert_eq!(admission.principal().user.to_string(), session.id);
    assert!(!reply.outlives_admission);
}
