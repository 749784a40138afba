//! No answer tells a stranger what there is: where they may not know, what is there and what is not are
//! answered with the same bytes.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{KEYS, RESET, USERS, forgot, log_in, mailed, reset, setup};
use crate::support::accounts::PASSWORD;
use crate::support::message::{Answer, Call};
use crate::support::world::Version;

const NOBODY: &str = "019cff2a-5a3e-7c51-9a5e-0d1f6c6b2a77";

#[tokio::test]
async fn what_is_there_and_what_is_not_are_answered_with_the_same_bytes() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    let stranger = world.new_user("mallory", "viewer").await;
    let inactive = world.new_user("ada", "viewer").await;
    world
        .patch_user(&inactive, &json!({"is_active": false}))
        .await;
    let key = world.new_key(&user).await;
    world.call(&forgot(&user.email)).await.expect(200);
    let replaced = mailed(&world, 1).await.remove(0);
    world.call(&forgot(&user.email)).await.expect(200);
    let live = mailed(&world, 2).await;
    let spent = live.into_iter().find(|token| *token != replaced).unwrap();
    world
        .call(&reset(&spent, "a lantern in the fog"))
        .await
        .expect(200);
    let by = |call: Call| call.bearer(&stranger.token);
    let at = |method: &str, id: &str| by(Call::new(method, &format!("{USERS}/{id}")));
    let patch = |id: &str| at("PATCH", id).json(&json!({"name": "x"}));
    let keys = |id: &str| by(Call::get(&format!("{KEYS}?user_id={id}")));
    let revoke = |id: &str| by(Call::delete(&format!("{KEYS}/{id}")));
    let junk = |body: &Value| Call::post(RESET).json(body);

    let alike: [(&str, u16, Vec<Call>); 9] = [
        (
            "log-in",
            401,
            vec![
                log_in("nobody@example.com", PASSWORD),
                log_in("no address", PASSWORD),
                log_in("", ""),
                log_in(&user.email, "wrong password"),
                log_in(&user.email, PASSWORD),
                log_in(&inactive.email, PASSWORD),
                log_in(&inactive.email, "wrong password"),
                log_in(&"x".repeat(60_000), PASSWORD),
                log_in(&user.email, &"x".repeat(60_000)),
                log_in("nobody@example.com\0", "\0"),
            ],
        ),
        (
            "a forgotten password",
            200,
            vec![
                forgot("nobody@example.com"),
                forgot(&user.email),
                forgot(&inactive.email),
                forgot("no address"),
                forgot(""),
                forgot("\0"),
                forgot(&"x".repeat(60_000)),
            ],
        ),
        (
            "a reset",
            400,
            vec![
                reset("", "a lantern in the fog"),
                reset("unknown", "a lantern in the fog"),
                reset(&replaced, "a lantern in the fog"),
                reset(&spent, "a lantern in the fog"),
                reset(&"x".repeat(10_000), "a lantern in the fog"),
                // The token comes first: whether a password would do is for its holder to know.
                reset("unknown", "password"),
                junk(&json!({"token": "unknown", "new_password": ""})),
            ],
        ),
        (
            "another user",
            403,
            vec![patch(&user.user), patch(NOBODY), patch(&inactive.user)],
        ),
        (
            "another user's end",
            403,
            vec![at("DELETE", &user.user), at("DELETE", NOBODY)],
        ),
        (
            "another user's keys",
            403,
            vec![keys(&user.user), keys(NOBODY), keys(&inactive.user)],
        ),
        (
            "another user's key",
            404,
            vec![revoke(&key.id), revoke(NOBODY)],
        ),
        (
            "all users",
            403,
            vec![
                by(Call::get(USERS)),
                by(Call::get(&format!("{USERS}?limit=1"))),
            ],
        ),
        (
            "a taken address",
            403,
            vec![
                by(Call::post(USERS))
                    .json(&json!({"email": user.email, "name": "x", "password": PASSWORD})),
                by(Call::post(USERS))
                    .json(&json!({"email": "new@example.com", "name": "x", "password": PASSWORD})),
            ],
        ),
    ];
    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (what, status, calls) in &alike {
            let mut answers = Vec::new();
            for call in calls {
                answers.push(shown(&client.call(call).await.expect(*status)));
            }
            for answer in &answers {
                assert_eq!(answer, &answers[0], "{what}, {version:?}");
            }
        }
    }
}

/// All that a client could tell answers apart by, but what names this one alone.
fn shown(answer: &Answer) -> (Vec<(String, String)>, Bytes, usize) {
    let mut headers = answer.headers.0.clone();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
    let mut body = answer.body.to_vec();
    if let Ok(mut problem) = serde_json::from_slice::<Value>(&answer.body)
        && problem.get("request_id").is_some()
    {
        problem["request_id"].take();
        body = problem.to_string().into_bytes();
    }
    (headers, body.into(), answer.body.len())
}
