//! A node that does not know what other nodes did: it says so, and decides nothing.

use std::time::Duration;

use dariet_gateway::domain::ApiKey;
use serde_json::json;

use crate::support::{Reply, Session, World};

/// A call that needs the store.
type Needs<'a> = (&'a str, &'a str, Option<serde_json::Value>);

fn calls(session: &Session) -> Vec<Needs<'static>> {
    let user: &str = Box::leak(format!("/api/auth/users/{}", session.id).into_boxed_str());
    let password =
        json!({ "current_password": World::PASSWORD, "new_password": World::NEW_PASSWORD });
    let new = json!({ "email": "new@example.com", "name": "New", "password": World::PASSWORD });
    vec![
        ("GET", "/api/auth/me", None),
        ("GET", "/api/auth/users", None),
        ("POST", "/api/auth/users", Some(new)),
        ("PATCH", user, Some(json!({ "name": "Other" }))),
        ("DELETE", user, None),
        ("GET", "/api/api-keys", None),
        ("POST", "/api/api-keys", Some(json!({ "name": "ci" }))),
        ("POST", "/api/auth/change-password", Some(password)),
        ("POST", "/api/auth/logout", None),
    ]
}

async fn send(world: &World, call: &Needs<'_>, credential: &str) -> Reply {
    let (method, path, body) = call;
    let call = world.call(method, path).bearer(credential);
    match body {
        Some(body) => call.json(body).send().await,
        None => call.send().await,
    }
}

async fn post(world: &World, path: &str, body: &serde_json::Value) -> Reply {
    world.call("POST", path).json(body).send().await
}

#[tokio::test]
async fn whoever_was_admitted_before_is_refused_for_lack_of_knowledge_and_never_with_401() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.me(&admin.token).await.expect(200);
    for (is_replaced, code) in [(false, "store_unavailable"), (true, "store_replaced")] {
        if is_replaced {
            world.freshness.replace();
        } else {
            world.freshness.doubt();
        }

        for call in calls(&admin) {
            send(&world, &call, &admin.token).await.refused(503, code);
        }

        world.freshness.confirm(Duration::ZERO);
        world.me(&admin.token).await.expect(200);
    }
}

#[tokio::test]
async fn a_new_credential_is_not_admitted_though_the_store_answers() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (_, key) = world.key(&session).await;
    let unknown = ApiKey::from_random(&[7; 20]);
    world.freshness.doubt();

    for credential in [key.as_str(), session.token.as_str(), unknown.expose()] {
        let refused = world.me(credential).await;
        refused.refused(503, "store_unavailable");
    }

    world.freshness.confirm(Duration::ZERO);
    world.me(&key).await.expect(200);
    world.me(unknown.expose()).await.refused(401, "key_unknown");
}

#[tokio::test]
async fn what_needs_no_store_is_refused_as_ever() {
    let world = World::new().await;
    let session = world.viewer().await;
    world.freshness.doubt();

    let mut forged = session.token.clone();
    let last = if forged.ends_with('A') { "B" } else { "A" };
    forged.replace_range(forged.len() - 5..forged.len() - 4, last);
    world
        .me("dk_no_key")
        .await
        .refused(401, "credential_malformed");
    let refused = world.me(&forged).await;
    assert_eq!(refused.status.as_u16(), 401);
    world
        .clock
        .advance(World::LIFETIME + Duration::from_secs(1));
    world
        .me(&session.token)
        .await
        .refused(401, "session_expired");
}

#[tokio::test]
async fn nobody_learns_whether_an_account_is_there() {
    let world = World::new().await;
    world.freshness.doubt();

    for email in [World::ADMIN, "nobody@example.com", "no address"] {
        let login = json!({ "email": email, "password": World::PASSWORD });
        let refused = post(&world, "/api/auth/login", &login).await;
        refused.refused(503, "store_unavailable");
        let forgot = json!({ "email": email });
        let refused = post(&world, "/api/auth/forgot-password", &forgot).await;
        refused.refused(503, "store_unavailable");
    }
    let reset = json!({ "token": "x", "new_password": World::NEW_PASSWORD });
    let refused = post(&world, "/api/auth/reset-password", &reset).await;
    refused.refused(503, "store_unavailable");
}

#[tokio::test]
async fn public_pages_go_on() {
    let world = World::new().await;
    world.freshness.replace();

    for path in ["/.well-known/jwks.json", "/api/auth/reset-password"] {
        world.call("GET", path).send().await.expect(200);
    }
}
