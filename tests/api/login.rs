use std::time::Duration;

use dariet_gateway::auth::{Hasher, Lane};
use dariet_gateway::config;
use dariet_gateway::domain::Password;
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::support::{Reply, Session, Trouble, World, overtaken};

const LOGIN: &str = "/api/auth/login";

#[tokio::test]
async fn a_log_in_answers_a_token_and_the_user() {
    let world = World::new().await;

    let reply = world
        .try_login(World::ADMIN, World::PASSWORD)
        .await
        .expect(200);

    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    let session = Session::of(&answer);
    assert_eq!(
        answer,
        json!({
            "access_token": session.token,
            "token_type": "bearer",
            "expires_in": 28_800,
            "user": {
                "id": session.id,
                "email": "ada@example.com",
                "name": "Ada Lovelace",
                "role": "admin",
                "is_active": true,
                "created_at": "2026-03-18T10:00:00",
            },
        })
    );
    world.me(&session.token).await.expect(200);
}

#[tokio::test]
async fn an_email_is_known_however_it_is_spelled() {
    let world = World::new().await;
    for email in [" ADA@Example.COM ", "ada@ｅxample.com"] {
        world.try_login(email, World::PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn unknown_wrong_and_inactive_are_one_answer() {
    let world = World::new().await;
    let admin = world.admin().await;
    let viewer = world.viewer().await;
    world
        .patch(&admin, &viewer.id, &json!({ "is_active": false }))
        .await
        .expect(200);

    let answers = [
        world.try_login("nobody@example.com", World::PASSWORD).await,
        world.try_login("no address", World::PASSWORD).await,
        world.try_login("", "").await,
        world.try_login(World::ADMIN, "wrong password").await,
        world.try_login(World::ADMIN, &"x".repeat(5000)).await,
        world.try_login(World::VIEWER, World::PASSWORD).await,
    ];

    let answers = answers.map(|reply| anonymous(&reply.refused(401, "login_failed")));
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:#?}"
    );
}

/// What a client could tell answers apart by.
fn anonymous(reply: &Reply) -> (String, String) {
    let mut problem = reply.json();
    problem["request_id"].take();
    (format!("{:?}", reply.headers), problem.to_string())
}

#[tokio::test]
async fn every_missing_or_mistyped_field_is_named() {
    let world = World::new().await;
    for body in [
        json!({}),
        json!({ "email": null, "password": 7 }),
        json!({ "email": [], "password": {} }),
    ] {
        let reply = world.call("POST", LOGIN).json(&body).send().await;
        reply.wrong(&["email", "password"]);
    }
    let body = json!({ "email": World::ADMIN, "password": true });
    world
        .call("POST", LOGIN)
        .json(&body)
        .send()
        .await
        .wrong(&["password"]);
}

#[tokio::test]
async fn wrong_passwords_are_braked_for_their_address_and_account_alone() {
    let world = World::new().await;
    for _ in 0..5 {
        world
            .try_login(World::ADMIN, "wrong password")
            .await
            .refused(401, "login_failed");
    }

    let braked = world.try_login(World::ADMIN, World::PASSWORD).await;
    let braked = braked.refused(429, "too_many_attempts");

    let body = json!({ "email": World::ADMIN, "password": World::PASSWORD });
    let elsewhere = world.call("POST", LOGIN).json(&body).from("198.51.100.7");
    elsewhere.send().await.expect(200);
    let wait = braked.header("retry-after").unwrap().parse().unwrap();
    world.clock.advance(Duration::from_secs(wait));
    world
        .try_login(World::ADMIN, World::PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn an_unknown_account_is_braked_like_any_other() {
    let world = World::new().await;
    for email in ["nobody@example.com", "no address"] {
        for _ in 0..5 {
            world
                .try_login(email, "wrong password")
                .await
                .refused(401, "login_failed");
        }
        world
            .try_login(email, "wrong password")
            .await
            .refused(429, "too_many_attempts");
    }
}

#[tokio::test]
async fn right_passwords_are_not_braked() {
    let world = World::new().await;
    for _ in 0..40 {
        world
            .try_login(World::ADMIN, World::PASSWORD)
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_log_in_that_a_password_change_overtakes_is_dead_at_once() {
    let world = World::new().await;
    let admin = world.admin().await;

    let reply = overtaken(
        &world,
        world.try_login(World::ADMIN, World::PASSWORD),
        async {
            let body = json!({ "password": World::NEW_PASSWORD });
            world.patch(&admin, &admin.id, &body).await.expect(200);
        },
    );

    let session = Session::of(&reply.await.expect(200).json());
    world
        .me(&session.token)
        .await
        .refused(401, "session_revoked");
}

#[tokio::test]
async fn a_hash_of_another_cost_is_renewed_and_no_session_ends() {
    let world = World::new().await;
    let session = world.admin().await;
    let mut user = world.record(&session.id).await;
    let cheap = Hasher::new(config::Passwords {
        min_length: 8,
        memory: 32 * 1024,
        iterations: 1,
        threads: 1,
    });
    let password = Password::new(World::PASSWORD.to_owned());
    user.password = cheap.hash(Lane::Change, password).await.unwrap();
    let outdated = user.password.clone();
    world
        .accounts
        .changes
        .update_user(user.clone())
        .await
        .unwrap();

    world.admin().await;

    let renewed = async {
        while world.record(&session.id).await.password == outdated {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), renewed).await.unwrap();
    assert_eq!(world.record(&session.id).await.epoch, user.epoch);
    world.me(&session.token).await.expect(200);
    world.admin().await;
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_is_no_wrong_password() {
    let world = World::new().await;
    world.breaks(Trouble::Down);
    let reply = world.try_login(World::ADMIN, World::PASSWORD).await;
    reply.refused(503, "store_unavailable");
}
