use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Reply, Session, Setup, Trouble, World};

async fn forgot(world: &World, email: &str) -> Reply {
    let call = world.call("POST", "/api/auth/forgot-password");
    call.json(&json!({ "email": email })).send().await
}

async fn reset(world: &World, token: &str, password: &str) -> Reply {
    let call = world.call("POST", "/api/auth/reset-password");
    let body = json!({ "token": token, "new_password": password });
    call.json(&body).send().await
}

/// A world with a viewer, and a token that was mailed to them.
async fn mailed() -> (World, Session, String) {
    let world = World::new().await;
    let viewer = world.viewer().await;
    forgot(&world, World::VIEWER).await.expect(200);
    let mail = world.mails.begin(&world.accounts).mail(1).await;
    (world, viewer, mail.token)
}

#[tokio::test]
async fn every_string_gets_the_same_answer() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for typed in [
        World::ADMIN,
        "nobody@example.com",
        "no address",
        "",
        "\u{0}",
        &"x".repeat(10_000),
    ] {
        let reply = forgot(&world, typed).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        answers.push(reply.json());
    }
    assert!(answers[0]["message"].is_string());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn only_a_missing_or_non_string_email_is_422() {
    let world = World::new().await;
    for body in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": 7 }),
        json!({ "email": [] }),
    ] {
        let call = world.call("POST", "/api/auth/forgot-password");
        call.json(&body).send().await.wrong(&["email"]);
    }
}

#[tokio::test]
async fn an_address_asks_so_often_and_no_more() {
    let world = World::new().await;
    for number in 0..10 {
        forgot(&world, &format!("user-{number}@example.com"))
            .await
            .expect(200);
    }
    for email in [World::ADMIN, "nobody@example.com", "no address"] {
        forgot(&world, email)
            .await
            .refused(429, "too_many_attempts");
    }
    let call = world
        .call("POST", "/api/auth/forgot-password")
        .from("198.51.100.7");
    call.json(&json!({ "email": World::ADMIN }))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_full_queue_refuses_everybody_alike() {
    let world = World::with(Setup {
        mail_queue: 2,
        ..Setup::default()
    })
    .await;
    forgot(&world, "nobody@example.com").await.expect(200);
    forgot(&world, "no address").await.expect(200);
    for email in [World::ADMIN, "nobody@example.com", "no address"] {
        forgot(&world, email).await.refused(503, "mail_queue_full");
    }
}

#[tokio::test]
async fn a_stale_store_refuses_everybody_alike() {
    let world = World::new().await;
    world.breaks(Trouble::Down);
    for email in [World::ADMIN, "nobody@example.com", "no address"] {
        forgot(&world, email)
            .await
            .refused(503, "store_unavailable");
    }
}

#[tokio::test]
async fn without_mail_the_answer_is_the_same_and_no_token_is_made() {
    let world = World::with(Setup {
        has_mail: false,
        ..Setup::default()
    })
    .await;
    let admin = world.admin().await;
    let with_mail = forgot(&World::new().await, World::ADMIN).await.json();
    assert_eq!(
        forgot(&world, World::ADMIN).await.expect(200).json(),
        with_mail
    );
    assert_eq!(world.record(&admin.id).await.reset, None);
}

#[tokio::test]
async fn the_mail_goes_to_the_stored_address_and_only_to_active_users() {
    let world = World::new().await;
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    world
        .patch(&admin, &viewer.id, &json!({ "is_active": false }))
        .await
        .expect(200);
    for typed in [
        " ADA@EXAMPLE.COM ",
        World::VIEWER,
        "nobody@example.com",
        "no address",
    ] {
        forgot(&world, typed).await.expect(200);
    }

    let arrived = world.mails.begin(&world.accounts).end().await;

    assert_eq!(arrived.len(), 1);
    assert!(arrived[0].to.contains(World::ADMIN), "{}", arrived[0].to);
    assert!(world.record(&admin.id).await.reset.is_some());
    assert!(world.record(&viewer.id).await.reset.is_none());
}

#[tokio::test]
async fn a_mailed_token_sets_the_password_and_ends_every_session() {
    let (world, viewer, token) = mailed().await;
    let (_, key) = world.key(&viewer).await;

    let reply = reset(&world, &token, World::NEW_PASSWORD).await.expect(200);

    assert!(reply.json()["message"].is_string());
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    world
        .me(&viewer.token)
        .await
        .refused(401, "session_revoked");
    world.me(&key).await.expect(200);
    world
        .try_login(World::VIEWER, World::NEW_PASSWORD)
        .await
        .expect(200);
    world
        .try_login(World::VIEWER, World::PASSWORD)
        .await
        .refused(401, "login_failed");
}

#[tokio::test]
async fn a_token_is_spent_once() {
    let (world, _, token) = mailed().await;
    reset(&world, &token, World::NEW_PASSWORD).await.expect(200);
    reset(&world, &token, World::PASSWORD)
        .await
        .refused(400, "reset_token_invalid");
}

#[tokio::test]
async fn of_two_who_spend_a_token_at_once_one_does() {
    let (world, _, token) = mailed().await;
    let (one, other) = tokio::join!(
        reset(&world, &token, World::NEW_PASSWORD),
        reset(&world, &token, "another lantern")
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn a_token_works_for_an_hour() {
    let (world, _, token) = mailed().await;
    world.clock.advance(Duration::from_secs(3600));
    reset(&world, &token, World::NEW_PASSWORD)
        .await
        .refused(400, "reset_token_invalid");
}

#[tokio::test]
async fn an_unknown_token_is_told_before_a_weak_password() {
    let world = World::new().await;
    for token in ["", "x", &"x".repeat(5000)] {
        reset(&world, token, "x")
            .await
            .refused(400, "reset_token_invalid");
    }
}

#[tokio::test]
async fn a_refused_password_does_not_spend_the_token() {
    let (world, _, token) = mailed().await;
    for weak in ["short", "grace@example.com", "password123"] {
        reset(&world, &token, weak).await.wrong(&["new_password"]);
    }
    reset(&world, &token, World::NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn both_fields_must_be_given() {
    let world = World::new().await;
    let call = world.call("POST", "/api/auth/reset-password");
    call.json(&json!({ "token": 1 }))
        .send()
        .await
        .wrong(&["token", "new_password"]);
}

#[tokio::test]
async fn only_the_latest_token_works_and_too_many_change_nothing() {
    let world = World::new().await;
    let viewer = world.viewer().await;
    let working = world.mails.begin(&world.accounts);
    let mut tokens = Vec::new();
    for number in 1..=3 {
        // Files of mails sort by the second.
        world.clock.advance(Duration::from_secs(1));
        forgot(&world, World::VIEWER).await.expect(200);
        tokens.push(working.mail(number).await.token);
    }
    let live = world.record(&viewer.id).await.reset;

    forgot(&world, World::VIEWER).await.expect(200);
    let arrived = working.end().await;

    assert_eq!(arrived.len(), 3);
    assert_eq!(world.record(&viewer.id).await.reset, live);
    for replaced in &tokens[..2] {
        reset(&world, replaced, World::NEW_PASSWORD)
            .await
            .refused(400, "reset_token_invalid");
    }
    reset(&world, &tokens[2], World::NEW_PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn what_changes_the_account_kills_the_token() {
    for change in [
        json!({ "email": "admiral@example.com" }),
        json!({ "password": "another lantern" }),
        json!({ "is_active": false }),
    ] {
        let (world, viewer, token) = mailed().await;
        let admin = world.admin().await;
        world.patch(&admin, &viewer.id, &change).await.expect(200);
        world
            .patch(&admin, &viewer.id, &json!({ "is_active": true }))
            .await
            .expect(200);
        let reply = reset(&world, &token, World::NEW_PASSWORD).await;
        reply.refused(400, "reset_token_invalid");
    }
}

#[tokio::test]
async fn another_name_or_role_does_not_kill_the_token() {
    let (world, viewer, token) = mailed().await;
    let admin = world.admin().await;
    let change = json!({ "name": "Admiral", "role": "admin" });
    world.patch(&admin, &viewer.id, &change).await.expect(200);
    reset(&world, &token, World::NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_reset_that_somebody_else_overtakes_is_decided_again() {
    let (world, _, token) = mailed().await;
    world.breaks(Trouble::Contended(2));
    reset(&world, &token, World::NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_reset_that_cannot_be_written_does_not_spend_the_token() {
    let (world, viewer, token) = mailed().await;
    world.breaks(Trouble::Down);
    reset(&world, &token, World::NEW_PASSWORD)
        .await
        .refused(503, "store_unavailable");
    world.heals();
    world.me(&viewer.token).await.expect(200);
    reset(&world, &token, World::NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_page_is_the_gateways_own() {
    let world = World::new().await;
    let reply = world
        .call("GET", "/api/auth/reset-password")
        .send()
        .await
        .expect(200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("content-security-policy").is_some());
    let head: Value = json!(reply.body.len());
    let reply = world
        .call("HEAD", "/api/auth/reset-password")
        .send()
        .await
        .expect(200);
    assert_eq!(
        reply.header("content-length"),
        Some(head.to_string().as_str())
    );
}
