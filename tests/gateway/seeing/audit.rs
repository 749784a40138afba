use serde_json::{Value, json};

use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::world::World;

/// The audit line of a request.
async fn line(world: &World, event: &str, answer_id: Option<&Value>) -> Value {
    let is_it = |line: &Value| {
        line["target"] == "audit"
            && line["event"] == event
            && answer_id.is_none_or(|id| line["request_id"] == *id)
    };
    world.node().log.wait_for(event, is_it).await
}

#[tokio::test]
async fn every_change_of_users_and_keys_leaves_a_line() {
    let world = Setup::new().start().await;
    let user = world.new_user("ada", "viewer").await;
    let key = world.new_key(&user).await;
    world.revoke(&key).await;
    world
        .patch_user(&user, &json!({"name": "Ada", "role": "admin"}))
        .await;
    let user = world.change_password(&user, "marjoram-balloon-77").await;
    world.log_out(&user).await;
    world.delete_user(&user).await;

    let administrator = &world.administrator().user;
    for (event, actor) in [
        ("user_created", administrator),
        ("key_created", &user.user),
        ("key_revoked", administrator),
        ("user_changed", administrator),
        ("password_changed", &user.user),
        ("logout", &user.user),
        ("user_deleted", administrator),
    ] {
        let line = line(&world, event, None).await;
        assert_eq!(line["actor"], "user", "{line}");
        assert_eq!(line["actor.id"], *actor, "{line}");
        assert_eq!(line["client.ip"], "127.0.0.1", "{line}");
        assert!(line["request_id"].is_string(), "{line}");
        if event.starts_with("key_") {
            assert_eq!(line["subject.key_id"], key.id, "{line}");
        } else {
            assert_eq!(line["subject.id"], user.user, "{line}");
        }
    }
    let changed = line(&world, "user_changed", None).await;
    let fields = changed["fields"].as_str().unwrap();
    assert!(
        fields.contains("name") && fields.contains("role"),
        "{fields}"
    );
}

#[tokio::test]
async fn every_log_in_and_every_refusal_of_one_leaves_a_line() {
    let world = Setup::new().start().await;
    let user = world.new_user("ada", "viewer").await;

    let login = |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        Call::post("/api/auth/login").json(&body)
    };
    let wrong = world.call(&login(&user.email, "not-the-password")).await;
    let nobody = world
        .call(&login("nobody@example.com", "not-the-password"))
        .await;

    let is_ada = |line: &Value| line["event"] == "login" && line["subject.id"] == user.user;
    let logged_in = world.node().log.wait_for("the log-in", is_ada).await;
    assert_eq!(logged_in["client.ip"], "127.0.0.1");
    let wrong = wrong.json()["request_id"].clone();
    let wrong = line(&world, "login_refused", Some(&wrong)).await;
    assert_eq!(wrong["code"], "login_failed");
    let nobody = nobody.json()["request_id"].clone();
    let nobody = line(&world, "login_refused", Some(&nobody)).await;
    assert_eq!(nobody["code"], "login_failed");
    assert!(!world.node().log.text().contains("nobody@example.com"));
}

#[tokio::test]
async fn a_change_by_the_command_line_leaves_a_line() {
    let world = Setup::new().start().await;

    let arguments = [
        "user",
        "create",
        "ada@example.com",
        "--name",
        "Ada",
        "--password-stdin",
    ];
    let made = world.command(&arguments, "tarragon-umbrella-41");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );

    let line = line(&world, "user_created", None).await;
    assert_eq!(line["actor"], "operator", "{line}");
    world
        .log_in("ada@example.com", "tarragon-umbrella-41")
        .await;
}
