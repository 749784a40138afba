use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Reply, Session, Trouble, World, overtaken};

const PATH: &str = "/api/auth/change-password";

async fn change(world: &World, credential: &str, body: &Value) -> Reply {
    let call = world.call("POST", PATH).bearer(credential);
    call.json(body).send().await
}

fn passwords() -> Value {
    json!({ "current_password": World::PASSWORD, "new_password": World::NEW_PASSWORD })
}

#[tokio::test]
async fn a_change_answers_a_new_session_and_ends_all_others() {
    let world = World::new().await;
    let (this, other) = (world.admin().await, world.admin().await);
    let (_, key) = world.key(&this).await;

    let reply = change(&world, &this.token, &passwords()).await.expect(200);

    assert_eq!(reply.header("dariet-durability"), Some("local"));
    assert!(reply.outlives_admission);
    let answer = reply.json();
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["expires_in"], 28_800);
    assert_eq!(answer["user"]["email"], World::ADMIN);
    world.me(&Session::of(&answer).token).await.expect(200);
    for ended in [this, other] {
        world.me(&ended.token).await.refused(401, "session_revoked");
    }
    world.me(&key).await.expect(200);
    world
        .try_login(World::ADMIN, World::PASSWORD)
        .await
        .refused(401, "login_failed");
    world
        .try_login(World::ADMIN, World::NEW_PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing_and_is_braked() {
    let world = World::new().await;
    let session = world.admin().await;
    let wrong = json!({ "current_password": "wrong", "new_password": World::NEW_PASSWORD });

    for _ in 0..5 {
        change(&world, &session.token, &wrong)
            .await
            .refused(401, "password_wrong");
    }
    let braked = change(&world, &session.token, &passwords()).await;
    braked.refused(429, "too_many_attempts");

    world.clock.advance(Duration::from_secs(900));
    world.me(&session.token).await.expect(200);
    change(&world, &session.token, &passwords())
        .await
        .expect(200);
}

#[tokio::test]
async fn a_wrong_current_password_is_told_before_a_weak_new_one() {
    let world = World::new().await;
    let session = world.admin().await;
    let body = json!({ "current_password": "wrong", "new_password": "x" });
    change(&world, &session.token, &body)
        .await
        .refused(401, "password_wrong");
}

#[tokio::test]
async fn a_new_password_must_be_one_that_nobody_guesses() {
    let world = World::new().await;
    let session = world.admin().await;
    let long = "long ".repeat(300);
    for weak in [
        "",
        "short",
        "password1",
        "ada@example.com",
        "Ada Lovelace",
        &long,
    ] {
        let body = json!({ "current_password": World::PASSWORD, "new_password": weak });
        change(&world, &session.token, &body)
            .await
            .wrong(&["new_password"]);
    }
    world.me(&session.token).await.expect(200);
}

#[tokio::test]
async fn both_passwords_must_be_given() {
    let world = World::new().await;
    let session = world.admin().await;
    let reply = change(&world, &session.token, &json!({ "new_password": 1 })).await;
    reply.wrong(&["current_password", "new_password"]);
}

#[tokio::test]
async fn only_a_session_changes_its_password() {
    let world = World::new().await;
    let session = world.admin().await;
    let (_, key) = world.key(&session).await;

    change(&world, &key, &passwords())
        .await
        .refused(403, "session_required");
    let operator = world.call("POST", PATH).by_operator().json(&passwords());
    operator.send().await.refused(403, "session_required");
    let nobody = world.call("POST", PATH).json(&passwords()).send().await;
    nobody.refused(401, "credential_missing");
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_changes_nothing() {
    let world = World::new().await;
    let session = world.admin().await;

    let body = passwords();
    let reply = overtaken(&world, change(&world, &session.token, &body), async {
        let call = world
            .call("POST", "/api/auth/logout")
            .bearer(&session.token);
        call.send().await.expect(204);
    });

    reply.await.refused(401, "session_revoked");
    world
        .try_login(World::ADMIN, World::PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_refused() {
    let world = World::new().await;
    let session = world.admin().await;

    let body = passwords();
    let reply = overtaken(&world, change(&world, &session.token, &body), async {
        let body =
            json!({ "current_password": World::PASSWORD, "new_password": "another lantern" });
        change(&world, &session.token, &body).await.expect(200);
    });

    reply.await.refused(401, "session_revoked");
    world
        .try_login(World::ADMIN, "another lantern")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_change_that_somebody_else_overtakes_is_decided_again() {
    let world = World::new().await;
    let session = world.admin().await;
    world.breaks(Trouble::Contended(3));
    change(&world, &session.token, &passwords())
        .await
        .expect(200);
}

#[tokio::test]
async fn a_change_that_always_comes_late_is_refused() {
    let world = World::new().await;
    let session = world.admin().await;
    world.breaks(Trouble::Contended(u32::MAX));
    let reply = change(&world, &session.token, &passwords()).await;
    reply.refused(409, "concurrent_change");
    world.heals();
    world.me(&session.token).await.expect(200);
}
