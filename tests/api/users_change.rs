use serde_json::{Value, json};

use crate::support::{Session, Trouble, World, overtaken};

async fn admin_and_viewer(world: &World) -> (Session, Session) {
    (world.admin().await, world.viewer().await)
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;

    let reply = world
        .patch(&admin, &viewer.id, &json!({ "name": "Admiral Hopper" }))
        .await;

    let reply = reply.expect(200);
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    assert_eq!(
        reply.json(),
        json!({
            "id": viewer.id,
            "email": "grace@example.com",
            "name": "Admiral Hopper",
            "role": "viewer",
            "is_active": true,
            "created_at": world.time_of_day(),
        })
    );
    assert_eq!(
        world.me(&viewer.token).await.expect(200).json(),
        reply.json()
    );
}

#[tokio::test]
async fn a_patch_that_changes_nothing_writes_nothing() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let before = world.record(&viewer.id).await;
    let same = world.me(&viewer.token).await.json();
    let nulls =
        json!({ "name": null, "email": null, "role": null, "is_active": null, "password": null });

    for body in [json!({}), nulls, json!({ "unknown": 1 }), same] {
        let reply = world.patch(&admin, &viewer.id, &body).await.expect(200);
        assert_eq!(reply.header("dariet-durability"), None);
    }

    assert_eq!(world.record(&viewer.id).await, before);
}

#[tokio::test]
async fn another_role_counts_on_the_next_request() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let list = || {
        world
            .call("GET", "/api/auth/users")
            .bearer(&viewer.token)
            .send()
    };
    list().await.refused(403, "not_allowed");

    world
        .patch(&admin, &viewer.id, &json!({ "role": "admin" }))
        .await
        .expect(200);
    list().await.expect(200);
    world
        .patch(&admin, &viewer.id, &json!({ "role": "viewer" }))
        .await
        .expect(200);
    list().await.refused(403, "not_allowed");
}

#[tokio::test]
async fn another_email_logs_in_and_the_old_one_does_not() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let body = json!({ "email": "admiral@example.com" });
    world.patch(&admin, &viewer.id, &body).await.expect(200);
    world
        .try_login("admiral@example.com", World::PASSWORD)
        .await
        .expect(200);
    world
        .try_login(World::VIEWER, World::PASSWORD)
        .await
        .refused(401, "login_failed");
    assert_eq!(
        world.me(&viewer.token).await.json()["email"],
        "admiral@example.com"
    );
}

#[tokio::test]
async fn another_password_ends_every_session_and_no_key() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let (_, key) = world.key(&viewer).await;

    let body = json!({ "password": World::NEW_PASSWORD });
    let reply = world.patch(&admin, &viewer.id, &body).await.expect(200);

    assert!(!reply.outlives_admission);
    world
        .me(&viewer.token)
        .await
        .refused(401, "session_revoked");
    world.me(&key).await.expect(200);
    world
        .try_login(World::VIEWER, World::NEW_PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn deactivation_stops_everything_and_reactivation_revives_keys_alone() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let (_, key) = world.key(&viewer).await;

    world
        .patch(&admin, &viewer.id, &json!({ "is_active": false }))
        .await
        .expect(200);
    world.me(&viewer.token).await.refused(401, "user_inactive");
    world.me(&key).await.refused(401, "user_inactive");
    world
        .try_login(World::VIEWER, World::PASSWORD)
        .await
        .refused(401, "login_failed");

    world
        .patch(&admin, &viewer.id, &json!({ "is_active": true }))
        .await
        .expect(200);
    world
        .me(&viewer.token)
        .await
        .refused(401, "session_revoked");
    world.me(&key).await.expect(200);
    world.login(World::VIEWER).await;
}

#[tokio::test]
async fn the_own_account_can_be_changed_and_the_answer_is_given() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = json!({ "password": World::NEW_PASSWORD });
    let reply = world.patch(&admin, &admin.id, &body).await.expect(200);
    assert!(reply.outlives_admission);
    world.me(&admin.token).await.refused(401, "session_revoked");
}

#[tokio::test]
async fn the_last_active_administrator_stays_one() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    for body in [json!({ "role": "viewer" }), json!({ "is_active": false })] {
        world
            .patch(&admin, &admin.id, &body)
            .await
            .refused(409, "last_admin");
    }
    let inactive = json!({ "role": "admin", "is_active": false });
    world.patch(&admin, &viewer.id, &inactive).await.expect(200);
    let demotion = json!({ "role": "viewer" });
    world
        .patch(&admin, &admin.id, &demotion)
        .await
        .refused(409, "last_admin");
    world
        .patch(&admin, &viewer.id, &json!({ "is_active": true }))
        .await
        .expect(200);
    world.patch(&admin, &admin.id, &demotion).await.expect(200);
}

#[tokio::test]
async fn a_taken_email_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let body = json!({ "email": "ADA@example.com", "name": "Somebody" });
    world
        .patch(&admin, &viewer.id, &body)
        .await
        .refused(409, "email_taken");
    assert_eq!(world.me(&viewer.token).await.json()["name"], "Grace Hopper");
}

#[tokio::test]
async fn the_own_email_may_be_spelled_in_another_way() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let reply = world
        .patch(&admin, &viewer.id, &json!({ "email": "Grace@Example.com" }))
        .await;
    assert_eq!(reply.expect(200).json()["email"], "Grace@Example.com");
}

#[tokio::test]
async fn read_only_fields_cannot_be_others() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let body = json!({ "id": admin.id, "created_at": "2020-01-01T00:00:00", "name": "Somebody" });
    world
        .patch(&admin, &viewer.id, &body)
        .await
        .wrong(&["id", "created_at"]);
    assert_eq!(world.me(&viewer.token).await.json()["name"], "Grace Hopper");
    let same = json!({ "id": viewer.id.to_uppercase(), "created_at": "2026-03-18T11:00:00+01:00" });
    world.patch(&admin, &viewer.id, &same).await.expect(200);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let body = json!({ "email": "x", "name": 7, "role": "x", "is_active": 1, "password": "x" });
    let reply = world.patch(&admin, &viewer.id, &body).await;
    reply.wrong(&["email", "name", "role", "is_active", "password"]);
    // The password is held against the name that stays, too.
    let body = json!({ "role": "x", "password": "grace hopper" });
    world
        .patch(&admin, &viewer.id, &body)
        .await
        .wrong(&["role", "password"]);
}

#[tokio::test]
async fn an_unknown_user_is_404() {
    let world = World::new().await;
    let admin = world.admin().await;
    for id in ["0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77", "7", "ada"] {
        let reply = world.patch(&admin, id, &json!({ "name": "X" })).await;
        reply.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_change_that_somebody_else_overtakes_is_decided_again() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let body = json!({ "password": World::NEW_PASSWORD });

    let reply = overtaken(&world, world.patch(&admin, &viewer.id, &body), async {
        world
            .patch(&admin, &viewer.id, &json!({ "name": "Admiral" }))
            .await
            .expect(200);
    });

    assert_eq!(reply.await.expect(200).json()["name"], "Admiral");
    world
        .try_login(World::VIEWER, World::NEW_PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_change_that_always_comes_late_is_refused() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    world.breaks(Trouble::Contended(u32::MAX));
    let reply = world
        .patch(&admin, &viewer.id, &json!({ "name": "Admiral" }))
        .await;
    reply.refused(409, "concurrent_change");
}

#[tokio::test]
async fn an_administrator_who_is_revoked_meanwhile_changes_nothing() {
    let world = World::new().await;
    let (admin, viewer) = admin_and_viewer(&world).await;
    let body = json!({ "password": World::NEW_PASSWORD });

    let reply = overtaken(&world, world.patch(&admin, &viewer.id, &body), async {
        let call = world.call("POST", "/api/auth/logout").bearer(&admin.token);
        call.send().await.expect(204);
    });

    reply.await.refused(401, "session_revoked");
    world
        .try_login(World::VIEWER, World::PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn the_operator_may_what_an_administrator_may() {
    let world = World::new().await;
    let (admin, _) = admin_and_viewer(&world).await;
    let path = format!("/api/auth/users/{}", admin.id);
    let patch = |body: Value| world.call("PATCH", &path).by_operator().json(&body).send();
    patch(json!({ "name": "Countess" })).await.expect(200);
    patch(json!({ "role": "viewer" }))
        .await
        .refused(409, "last_admin");
}
