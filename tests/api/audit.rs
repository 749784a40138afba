use serde_json::{Value, json};

use crate::support::{Log, Reply, Trouble, World};

#[tokio::test]
async fn a_log_in_names_who_and_from_where() {
    let log = Log::begin();
    let world = World::new().await;

    let admin = world.admin().await;

    let [line] = &log.audited("login")[..] else {
        panic!("one line")
    };
    assert_eq!(line["message"], "audit");
    assert_eq!(line["subject.id"], admin.id);
    assert_eq!(line["client.ip"], World::CLIENT.to_string());
    assert!(line["request_id"].is_string());
    assert_eq!(line.get("code"), None);
}

#[tokio::test]
async fn a_refused_log_in_names_the_account_if_there_is_one() {
    let log = Log::begin();
    let world = World::new().await;
    let admin = world.admin().await;

    let reply = world.try_login(World::ADMIN, "wrong password").await;
    world
        .try_login("who-typed-this@example.com", "wrong password")
        .await;

    let [known, unknown] = &log.audited("login_refused")[..] else {
        panic!("two lines")
    };
    assert_eq!(known["subject.id"], admin.id);
    assert_eq!(known["code"], "login_failed");
    assert_eq!(known["request_id"], reply.json()["request_id"]);
    assert_eq!(unknown.get("subject.id"), None);
}

#[tokio::test]
async fn a_change_names_actor_subject_and_fields_but_no_values() {
    let log = Log::begin();
    let world = World::new().await;
    let admin = world.admin().await;
    let viewer = world.viewer().await;
    let body = json!({ "name": "Somebody Else", "password": World::NEW_PASSWORD });

    world.patch(&admin, &viewer.id, &body).await.expect(200);
    world
        .patch(&admin, &viewer.id, &json!({ "name": "Somebody Else" }))
        .await
        .expect(200);
    let path = format!("/api/auth/users/{}", viewer.id);
    world
        .call("DELETE", &path)
        .by_operator()
        .send()
        .await
        .expect(204);

    let [changed] = &log.audited("user_changed")[..] else {
        panic!("one line")
    };
    assert_eq!(changed["actor"], "user");
    assert_eq!(changed["actor.id"], admin.id);
    assert_eq!(changed["actor.method"], "session");
    assert_eq!(changed["subject.id"], viewer.id);
    assert_eq!(changed["fields"], "name,password");
    let [deleted] = &log.audited("user_deleted")[..] else {
        panic!("one line")
    };
    assert_eq!(deleted["actor"], "operator");
    assert_eq!(deleted.get("actor.id"), None);
    assert_eq!(deleted.get("client.ip"), None);
    assert!(!log.text().contains("Somebody Else"));
}

#[tokio::test]
async fn a_change_that_may_have_happened_is_told_with_its_code() {
    let log = Log::begin();
    let world = World::new().await;
    let admin = world.admin().await;
    let viewer = world.viewer().await;
    world.me(&admin.token).await.expect(200);
    world.breaks(Trouble::Silent);

    let body = json!({ "name": "Somebody Else" });
    world
        .patch(&admin, &viewer.id, &body)
        .await
        .refused(503, "outcome_unknown");

    let [line] = &log.audited("user_changed")[..] else {
        panic!("one line")
    };
    assert_eq!(line["subject.id"], viewer.id);
    assert_eq!(line["code"], "outcome_unknown");
}

#[tokio::test]
async fn a_day_leaves_its_lines_and_no_secret() {
    let log = Log::begin();
    let world = World::new().await;

    let mut secrets = sessions_and_keys(&world).await;
    secrets.extend(resets(&world).await);

    for (event, times) in [
        ("user_created", 2),
        ("login", 2),
        ("key_created", 1),
        ("password_change_refused", 1),
        ("password_changed", 1),
        ("key_revoked", 1),
        ("logout", 1),
        ("reset_asked", 2),
        ("reset_mailed", 1),
        ("reset_refused", 1),
        ("reset_spent", 1),
    ] {
        assert_eq!(log.audited(event).len(), times, "{event}");
    }
    let text = log.text();
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} was logged");
    }
}

/// Answers everything secret that was sent or answered.
async fn sessions_and_keys(world: &World) -> Vec<String> {
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    let (id, key) = world.key(&viewer).await;
    world.me(&key).await.expect(200);
    let revoke = world.call("DELETE", &format!("/api/api-keys/{id}"));
    revoke.by_operator().send().await.expect(204);
    for current in ["a wrong guess", World::PASSWORD] {
        let body = json!({ "current_password": current, "new_password": World::NEW_PASSWORD });
        post(world, "change-password", &admin.token, &body).await;
    }
    let logout = post(world, "logout", &viewer.token, &json!({})).await;
    logout.expect(204);
    let passwords = ["a wrong guess", World::PASSWORD, World::NEW_PASSWORD];
    let mut secrets: Vec<_> = passwords.map(str::to_owned).into();
    secrets.extend([admin.token, viewer.token, key[11..].to_owned()]);
    secrets
}

/// Answers everything secret that was sent or mailed.
async fn resets(world: &World) -> Vec<String> {
    let typed = "who-typed-this@example.com";
    for email in [World::VIEWER, typed] {
        let asked = post(world, "forgot-password", "", &json!({ "email": email })).await;
        asked.expect(200);
    }
    let mails = world.mails.begin(&world.accounts).end().await;
    let tokens = ["made-up-token".to_owned(), mails[0].token.clone()];
    for token in &tokens {
        let body = json!({ "token": token, "new_password": "another lantern" });
        post(world, "reset-password", "", &body).await;
    }
    let mut secrets = vec![typed.to_owned(), "another lantern".to_owned()];
    secrets.extend(tokens);
    secrets
}

async fn post(world: &World, name: &str, credential: &str, body: &Value) -> Reply {
    let call = world.call("POST", &format!("/api/auth/{name}"));
    call.bearer(credential).json(body).send().await
}
