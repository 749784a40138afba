//! Calls that come at the same time: what one alone may do, one alone does.

use serde_json::{Value, json};

use super::{KEYS, USERS, at_once, forgot, log_in, mailed, reset, setup};
use crate::support::accounts::{PASSWORD, Session};
use crate::support::message::{Answer, Call};
use crate::support::world::World;

/// How many come at once.
const MANY: usize = 12;

fn count(answers: &[Answer], status: u16) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

#[tokio::test]
async fn a_reset_token_is_spent_by_one_of_many() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    world.call(&forgot(&user.email)).await.expect(200);
    let token = mailed(&world, 1).await.remove(0);
    let passwords: Vec<_> = (0..MANY).map(|n| format!("lantern in fog {n}")).collect();
    let calls: Vec<_> = passwords
        .iter()
        .map(|password| reset(&token, password))
        .collect();

    let answers = at_once(&world, &calls).await;

    assert_eq!(count(&answers, 200), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let is_right = matches!(&*answer.code(), "reset_token_invalid" | "overloaded");
        assert!(is_right, "{answer:?}");
    }
    for (password, answer) in passwords.iter().zip(&answers) {
        let status = if answer.status == 200 { 200 } else { 401 };
        world
            .call(&log_in(&user.email, password))
            .await
            .expect(status);
    }
    // It stays spent.
    let answer = world.call(&reset(&token, "another lantern")).await;
    assert_eq!(answer.refusal(), (400, "reset_token_invalid".to_owned()));
}

/// Two administrators, each of whom would be the last without the other, take the role from each other.
#[tokio::test]
async fn of_the_last_two_administrators_one_remains() {
    let world = setup().start().await;
    let mut last = world.administrator().clone();
    let moves: [fn(&str) -> Call; 4] = [
        |user| patch(user, &json!({"role": "viewer"})),
        |user| patch(user, &json!({"is_active": false})),
        |user| Call::delete(&format!("{USERS}/{user}")),
        |user| patch(user, &json!({"role": "viewer", "is_active": false})),
    ];
    for round in 0..8 {
        let second = new_administrator(&world, &last, round).await;
        let (one, other) = (moves[round % 4], moves[(round / 2) % 4]);
        let calls = [
            one(&second.user).bearer(&last.token),
            other(&last.user).bearer(&second.token),
        ];

        let answers = at_once(&world, &calls).await;

        let mut still = Vec::new();
        for session in [&last, &second] {
            let answer = world.call(&Call::get(USERS).bearer(&session.token)).await;
            if answer.status == 200 {
                let users = answer.json();
                let is_admin = |user: &&Value| user["role"] == "admin" && user["is_active"] == true;
                let admins = users.as_array().unwrap().iter().filter(is_admin).count();
                assert!(admins >= 1, "{users}");
                still.push(session.clone());
            }
        }
        assert!(!still.is_empty(), "nobody is left: {answers:?}");
        assert!(
            answers.iter().all(|answer| answer.status < 500),
            "{answers:?}"
        );
        last = still.remove(0);
    }
}

async fn new_administrator(world: &World, by: &Session, round: usize) -> Session {
    let email = format!("admin-{round}@example.com");
    let body = json!({"email": email, "name": "Second", "password": PASSWORD, "role": "admin"});
    let call = Call::post(USERS).bearer(&by.token).json(&body);
    world.call(&call).await.expect(201);
    world.log_in(&email, PASSWORD).await
}

fn patch(user: &str, change: &Value) -> Call {
    Call::new("PATCH", &format!("{USERS}/{user}")).json(change)
}

#[tokio::test]
async fn an_address_is_taken_by_one_of_many() {
    let world = setup().start().await;
    let spellings = [
        "grace@example.com",
        "GRACE@EXAMPLE.COM",
        " grace@example.com ",
    ];
    let calls = spellings.iter().cycle().take(MANY).map(|email| {
        let body = json!({"email": email, "name": "Grace", "password": PASSWORD});
        world.by_administrator("POST", USERS).json(&body)
    });
    let calls: Vec<_> = calls.collect();

    let answers = at_once(&world, &calls).await;

    assert_eq!(count(&answers, 201), 1, "{answers:?}");
    assert_eq!(
        count(&answers, 409) + count(&answers, 503),
        MANY - 1,
        "{answers:?}"
    );
}

#[tokio::test]
async fn nobody_has_more_keys_than_they_may_however_many_they_ask_for_at_once() {
    let world = setup().toml("[api_keys]\nmax_per_user = 5").start().await;
    let user = world.new_user("grace", "viewer").await;
    let call = Call::post(KEYS)
        .bearer(&user.token)
        .json(&json!({"name": "a key"}));

    let answers = at_once(&world, &vec![call; MANY]).await;

    assert_eq!(count(&answers, 201), 5, "{answers:?}");
    let listed = world
        .call(&Call::get(KEYS).bearer(&user.token))
        .await
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn of_many_changes_of_a_password_with_one_session_one_is_made() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    let passwords: Vec<_> = (0..MANY).map(|n| format!("lantern in fog {n}")).collect();
    let calls = passwords.iter().map(|password| {
        let body = json!({"current_password": PASSWORD, "new_password": password});
        let call = Call::post("/api/auth/change-password").bearer(&user.token);
        call.json(&body)
    });
    let calls: Vec<_> = calls.collect();

    let answers = at_once(&world, &calls).await;

    assert_eq!(count(&answers, 200), 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 200 | 401 | 503)),
        "{answers:?}"
    );
    let winner = answers
        .iter()
        .position(|answer| answer.status == 200)
        .unwrap();
    world
        .call(&log_in(&user.email, &passwords[winner]))
        .await
        .expect(200);
}
