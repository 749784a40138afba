use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Reply, Session, Setup, Trouble, World};

const PATH: &str = "/api/api-keys";

async fn list(world: &World, by: &str, query: &str) -> Reply {
    world
        .call("GET", &format!("{PATH}{query}"))
        .bearer(by)
        .send()
        .await
}

async fn create(world: &World, by: &str, body: &Value) -> Reply {
    world.call("POST", PATH).bearer(by).json(body).send().await
}

async fn revoke(world: &World, by: &str, id: &str) -> Reply {
    world
        .call("DELETE", &format!("{PATH}/{id}"))
        .bearer(by)
        .send()
        .await
}

fn ids(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| key["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_key_is_shown_this_once_and_works_at_once() {
    let world = World::new().await;
    let session = world.viewer().await;

    let reply = create(&world, &session.token, &json!({ "name": " report " }))
        .await
        .expect(201);

    let made = reply.json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(
        reply.header("location"),
        Some(format!("{PATH}/{id}").as_str())
    );
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    let mut shown = json!({
        "id": id,
        "name": "report",
        "key_prefix": &key[..11],
        "created_at": world.time_of_day(),
        "last_used_at": null,
        "expires_at": null,
    });
    assert_eq!(
        list(&world, &session.token, "").await.expect(200).json(),
        json!([shown])
    );
    shown["key"] = json!(key);
    assert_eq!(made, shown);
    world.me(key).await.expect(200);
}

#[tokio::test]
async fn keys_are_listed_oldest_first_and_only_those_that_work() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (first, _) = world.key(&session).await;
    let soon = json!({ "name": "soon", "expires_at": "2026-03-18T10:01:00Z" });
    create(&world, &session.token, &soon).await.expect(201);
    let (revoked, _) = world.key(&session).await;
    let (last, _) = world.key(&session).await;
    revoke(&world, &session.token, &revoked).await.expect(204);
    world.clock.advance(Duration::from_secs(60));

    let keys = list(&world, &session.token, "").await.json();

    assert_eq!(ids(&keys), [first, last]);
}

#[tokio::test]
async fn a_list_tells_when_a_key_was_last_used() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (_, key) = world.key(&session).await;
    world.clock.advance(Duration::from_secs(30));
    world.me(&key).await.expect(200);

    world.ledger.sweep();
    let keys = list(&world, &session.token, "").await.json();
    assert_eq!(keys[0]["last_used_at"], "2026-03-18T10:00:30");

    world
        .accounts
        .store
        .note_used(world.ledger.usage().take())
        .await
        .unwrap();
    let keys = list(&world, &session.token, "").await.json();
    assert_eq!(keys[0]["last_used_at"], "2026-03-18T10:00:30");
}

#[tokio::test]
async fn an_administrator_sees_everybodys_keys_and_nobody_else_does() {
    let world = World::new().await;
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    let (id, _) = world.key(&viewer).await;
    let theirs = format!("?user_id={}", viewer.id);

    let keys = list(&world, &admin.token, &theirs).await.expect(200).json();
    assert_eq!(ids(&keys), [id]);
    assert_eq!(list(&world, &admin.token, "").await.json(), json!([]));
    assert_eq!(
        list(&world, &viewer.token, &theirs)
            .await
            .expect(200)
            .json(),
        keys
    );
    let others = format!("?user_id={}", admin.id);
    list(&world, &viewer.token, &others)
        .await
        .refused(403, "not_allowed");
    list(&world, &admin.token, "?user_id=7")
        .await
        .wrong(&["user_id"]);
}

#[tokio::test]
async fn a_key_expires_when_it_says_with_offsets_understood() {
    let world = World::new().await;
    let session = world.viewer().await;
    let body = json!({ "name": "report", "expires_at": "2026-03-18T12:00:00+01:00" });
    let made = create(&world, &session.token, &body)
        .await
        .expect(201)
        .json();
    assert_eq!(made["expires_at"], "2026-03-18T11:00:00");
    let key = made["key"].as_str().unwrap();

    world.clock.advance(Duration::from_secs(3599));
    world.me(key).await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    world.me(key).await.refused(401, "key_expired");
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::new().await;
    let session = world.viewer().await;
    create(&world, &session.token, &json!({}))
        .await
        .wrong(&["name"]);
    let long = "x".repeat(101);
    for (name, expires_at) in [
        (json!(""), json!("2026-03-18T10:00:00")),
        (json!(long), json!("2026-03-18T10:59:00+01:00")),
        (json!("a\u{7}"), json!("tomorrow")),
        (json!(1), json!(1_800_000_000)),
    ] {
        let body = json!({ "name": name, "expires_at": expires_at });
        create(&world, &session.token, &body)
            .await
            .wrong(&["name", "expires_at"]);
    }
    let body = json!({ "name": "x", "id": "y", "created_at": "z" });
    create(&world, &session.token, &body)
        .await
        .wrong(&["id", "created_at"]);
    assert_eq!(list(&world, &session.token, "").await.json(), json!([]));
}

#[tokio::test]
async fn nobody_has_more_keys_than_they_may() {
    let world = World::with(Setup {
        max_per_user: 2,
        ..Setup::default()
    })
    .await;
    let session = world.viewer().await;
    let (first, _) = world.key(&session).await;
    let soon = json!({ "name": "soon", "expires_at": "2026-03-18T10:01:00" });
    create(&world, &session.token, &soon).await.expect(201);

    let third = create(&world, &session.token, &json!({ "name": "x" })).await;
    third.refused(409, "too_many_keys");

    world.clock.advance(Duration::from_secs(60));
    world.key(&session).await;
    let fourth = create(&world, &session.token, &json!({ "name": "x" })).await;
    fourth.refused(409, "too_many_keys");
    revoke(&world, &session.token, &first).await.expect(204);
    world.key(&session).await;
}

#[tokio::test]
async fn a_revoked_key_fails_on_the_next_request() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (id, key) = world.key(&session).await;
    let (_, other) = world.key(&session).await;
    world.me(&key).await.expect(200);

    let reply = revoke(&world, &session.token, &id).await.expect(204);

    assert!(reply.body.is_empty());
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    assert!(!reply.outlives_admission);
    world.me(&key).await.refused(401, "key_revoked");
    world.me(&other).await.expect(200);
    world.me(&session.token).await.expect(200);
}

#[tokio::test]
async fn a_revocation_can_be_repeated_for_a_day() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (id, _) = world.key(&session).await;
    revoke(&world, &session.token, &id).await.expect(204);

    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    let session = world.login(World::VIEWER).await;
    let again = revoke(&world, &session.token, &id).await.expect(204);
    assert_eq!(again.header("dariet-durability"), Some("local"));
    world.clock.advance(Duration::from_secs(1));
    revoke(&world, &session.token, &id)
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_revocation_that_nobody_knows_of_can_be_repeated() {
    let world = World::new().await;
    let session = world.viewer().await;
    let (id, key) = world.key(&session).await;
    world.me(&key).await.expect(200);

    world.breaks(Trouble::Silent);
    revoke(&world, &session.token, &id)
        .await
        .refused(503, "outcome_unknown");
    world.heals();

    revoke(&world, &session.token, &id).await.expect(204);
    world.me(&key).await.refused(401, "key_revoked");
}

#[tokio::test]
async fn somebody_elses_key_is_not_there_but_for_an_administrator() {
    let world = World::new().await;
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    let (admins, _) = world.key(&admin).await;
    let (viewers, key) = world.key(&viewer).await;

    revoke(&world, &viewer.token, &admins)
        .await
        .refused(404, "not_found");
    revoke(
        &world,
        &viewer.token,
        "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77",
    )
    .await
    .refused(404, "not_found");
    revoke(&world, &viewer.token, "dk_1")
        .await
        .refused(404, "not_found");
    revoke(&world, &admin.token, &viewers).await.expect(204);
    world.me(&key).await.refused(401, "key_revoked");
}

#[tokio::test]
async fn a_key_manages_keys_only_where_it_may() {
    let world = World::with(Setup {
        may_manage: true,
        ..Setup::default()
    })
    .await;
    let session = world.viewer().await;
    let (id, key) = world.key(&session).await;

    let made = create(&world, &key, &json!({ "name": "child" }))
        .await
        .expect(201)
        .json();
    assert_eq!(
        list(&world, &key, "")
            .await
            .expect(200)
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let child = made["id"].as_str().unwrap();
    let other = revoke(&world, &key, child).await.expect(204);
    assert!(!other.outlives_admission);

    let own = revoke(&world, &key, &id).await.expect(204);
    assert!(own.outlives_admission);
    world.me(&key).await.refused(401, "key_revoked");
}

#[tokio::test]
async fn the_operator_makes_lists_and_revokes_keys_of_anybody() {
    let world = World::new().await;
    let viewer: Session = world.viewer().await;
    let theirs = format!("{PATH}?user_id={}", viewer.id);
    let call = |method: &str, path: &str| world.call(method, path).by_operator();
    let body = json!({ "name": "by hand" });

    let made = call("POST", &theirs)
        .json(&body)
        .send()
        .await
        .expect(201)
        .json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        ids(&call("GET", &theirs).send().await.expect(200).json()),
        [id]
    );
    let path = format!("{PATH}/{id}");
    call("DELETE", &path).send().await.expect(204);

    call("GET", PATH).send().await.wrong(&["user_id"]);
    call("POST", PATH)
        .json(&body)
        .send()
        .await
        .wrong(&["user_id"]);
    let nobody = format!("{PATH}?user_id=0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77");
    call("POST", &nobody)
        .json(&body)
        .send()
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn nobody_makes_keys_for_others() {
    let world = World::new().await;
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    let call = world.call("POST", &format!("{PATH}?user_id={}", viewer.id));
    let reply = call
        .bearer(&admin.token)
        .json(&json!({ "name": "x" }))
        .send()
        .await;
    reply.refused(403, "not_allowed");
}
