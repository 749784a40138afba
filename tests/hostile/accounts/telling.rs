//! No answer tells a stranger what there is: where they may not know, what is there and what is not are
//! answered with the same bytes.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{KEYS, USERS, forgot, log_in, mailed, reset, setup};
use crate::support::accounts::{Key, PASSWORD, Session};
use crate::support::message::{Answer, Call};
use crate::support::world::{Version, World};

const NOBODY: &str = "019cff2a-5a3e-7c51-9a5e-0d1f6c6b2a77";

/// What it is about, the status, and the calls that are answered alike.
type Alike = (&'static str, u16, Vec<Call>);

#[tokio::test]
async fn what_is_there_and_what_is_not_are_answered_with_the_same_bytes() {
    let world = setup().start().await;
    let known = Known::of(&world).await;
    let alike = [known.before_log_in(), known.by_a_stranger()].concat();
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

/// What there is that a stranger may not know of.
struct Known {
    user: Session,
    inactive: Session,
    key: Key,
    /// Reset tokens that do not work any more.
    replaced: String,
    spent: String,
    stranger: Session,
}

impl Known {
    async fn of(world: &World) -> Self {
        let user = world.new_user("grace", "viewer").await;
        let inactive = world.new_user("ada", "viewer").await;
        let change = json!({"is_active": false});
        world.patch_user(&inactive, &change).await;
        world.call(&forgot(&user.email)).await.expect(200);
        let replaced = mailed(world, 1).await.remove(0);
        world.call(&forgot(&user.email)).await.expect(200);
        let both = mailed(world, 2).await;
        let spent = both.into_iter().find(|token| *token != replaced).unwrap();
        let call = reset(&spent, "a lantern in the fog");
        world.call(&call).await.expect(200);
        let user = world.log_in(&user.email, "a lantern in the fog").await;
        Self {
            key: world.new_key(&user).await,
            stranger: world.new_user("mallory", "viewer").await,
            user,
            inactive,
            replaced,
            spent,
        }
    }

    fn before_log_in(&self) -> Vec<Alike> {
        let (user, inactive) = (&*self.user.email, &*self.inactive.email);
        let long = "x".repeat(60_000);
        let logs_in = [
            ("nobody@example.com", PASSWORD),
            ("no address", PASSWORD),
            ("", ""),
            (user, "wrong password"),
            (user, PASSWORD),
            (inactive, PASSWORD),
            (inactive, "wrong password"),
            (&long, PASSWORD),
            (user, &long),
            ("nobody@example.com\0", "\0"),
        ];
        let forgets = [
            "nobody@example.com",
            user,
            inactive,
            "no address",
            "",
            "\0",
            &long,
        ];
        let new = "a lantern in the fog";
        let resets = [
            ("", new),
            ("unknown", new),
            (&self.replaced, new),
            (&self.spent, new),
            (&long, new),
            // The token comes first: whether a password would do is for its holder to know.
            ("unknown", "password"),
            ("unknown", ""),
        ];
        vec![
            (
                "log-in",
                401,
                logs_in
                    .map(|(email, password)| log_in(email, password))
                    .into(),
            ),
            ("a forgotten password", 200, forgets.map(forgot).into()),
            (
                "a reset",
                400,
                resets
                    .map(|(token, password)| reset(token, password))
                    .into(),
            ),
        ]
    }

    fn by_a_stranger(&self) -> Vec<Alike> {
        let (user, inactive) = (&*self.user.user, &*self.inactive.user);
        let by =
            |method: &str, target: String| Call::new(method, &target).bearer(&self.stranger.token);
        let patch = |id: &str| by("PATCH", format!("{USERS}/{id}")).json(&json!({"name": "x"}));
        let delete = |id: &str| by("DELETE", format!("{USERS}/{id}"));
        let keys = |id: &str| by("GET", format!("{KEYS}?user_id={id}"));
        let revoke = |id: &str| by("DELETE", format!("{KEYS}/{id}"));
        let create = |email: &str| {
            let body = json!({"email": email, "name": "x", "password": PASSWORD});
            by("POST", USERS.to_owned()).json(&body)
        };
        let lists = ["", "?limit=1"].map(|query| by("GET", format!("{USERS}{query}")));
        vec![
            (
                "another user",
                403,
                [user, NOBODY, inactive].map(patch).into(),
            ),
            ("another user's end", 403, [user, NOBODY].map(delete).into()),
            (
                "another user's keys",
                403,
                [user, NOBODY, inactive].map(keys).into(),
            ),
            (
                "another user's key",
                404,
                [&*self.key.id, NOBODY].map(revoke).into(),
            ),
            ("all users", 403, lists.into()),
            (
                "a taken address",
                403,
                [&*self.user.email, "new@example.com"].map(create).into(),
            ),
        ]
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
