use serde_json::{Value, json};

use crate::support::{Reply, Setup, Trouble, World, overtaken};

const PATH: &str = "/api/auth/users";

fn grace() -> Value {
    json!({ "email": "Grace@Example.com", "name": " Grace Hopper ", "password": World::PASSWORD })
}

/// Grace, with this member set to this value.
fn with(member: &str, value: &Value) -> Value {
    let mut body = grace();
    body[member] = value.clone();
    body
}

async fn create(world: &World, credential: &str, body: &Value) -> Reply {
    let call = world.call("POST", PATH).bearer(credential);
    call.json(body).send().await
}

#[tokio::test]
async fn a_user_is_made_and_can_log_in() {
    let world = World::new().await;
    let admin = world.admin().await;

    let reply = create(&world, &admin.token, &grace()).await.expect(201);

    let user = reply.json();
    let id = user["id"].as_str().unwrap();
    assert_eq!(
        reply.header("location"),
        Some(format!("{PATH}/{id}").as_str())
    );
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    assert_eq!(
        user,
        json!({
            "id": id,
            "email": "Grace@Example.com",
            "name": "Grace Hopper",
            "role": "viewer",
            "is_active": true,
            "created_at": world.time_of_day(),
        })
    );
    world
        .try_login("grace@example.com", World::PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn role_and_activity_are_as_said() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut body = with("role", &json!("admin"));
    body["is_active"] = json!(false);
    let user = create(&world, &admin.token, &body).await.expect(201).json();
    assert_eq!(user["role"], "admin");
    assert_eq!(user["is_active"], false);
    world
        .try_login("grace@example.com", World::PASSWORD)
        .await
        .refused(401, "login_failed");
}

#[tokio::test]
async fn null_is_as_if_left_out() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut body = grace();
    for member in ["role", "is_active", "id", "created_at"] {
        body[member] = Value::Null;
    }
    let user = create(&world, &admin.token, &body).await.expect(201).json();
    assert_eq!(user["role"], "viewer");
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::new().await;
    let admin = world.admin().await;

    let nothing = create(&world, &admin.token, &json!({})).await;
    nothing.wrong(&["email", "name", "password"]);
    let body = json!({
        "email": "nobody", "name": "", "password": "short", "role": "owner", "is_active": "yes",
        "id": "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77", "created_at": "2026-03-18T10:00:00",
    });
    let reply = create(&world, &admin.token, &body).await;
    reply.wrong(&[
        "email",
        "name",
        "password",
        "role",
        "is_active",
        "id",
        "created_at",
    ]);
    let types = json!({ "email": 1, "name": true, "password": [], "role": {}, "is_active": 0 });
    let reply = create(&world, &admin.token, &types).await;
    reply.wrong(&["email", "name", "password", "role", "is_active"]);
}

#[tokio::test]
async fn fields_are_held_within_their_bounds() {
    let world = World::new().await;
    let admin = world.admin().await;
    let long_email = format!("{}@example.com", "a".repeat(250));
    for (member, value) in [
        ("name", "x".repeat(201)),
        ("name", "a\nb".to_owned()),
        ("name", "   ".to_owned()),
        ("email", long_email),
        ("email", "a@b@c".to_owned()),
        ("role", "Admin".to_owned()),
    ] {
        let reply = create(&world, &admin.token, &with(member, &json!(value))).await;
        reply.wrong(&[member]);
    }
    create(&world, &admin.token, &with("name", &json!("é".repeat(200))))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_password_is_none_that_somebody_would_guess() {
    let world = World::new().await;
    let admin = world.admin().await;
    for weak in [
        "",
        "seven77",
        "password",
        "grace@example.com",
        "grace hopper",
        "qwertyuiop",
    ] {
        let reply = create(&world, &admin.token, &with("password", &json!(weak))).await;
        reply.wrong(&["password"]);
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_never_applied() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut body = grace();
    body["epoch"] = json!(99);
    body["version"] = json!(99);
    body["is_admin"] = json!(true);
    let user = create(&world, &admin.token, &body).await.expect(201).json();
    assert_eq!(user["role"], "viewer");
    assert_eq!(world.record(user["id"].as_str().unwrap()).await.epoch, 1);
}

#[tokio::test]
async fn an_email_is_taken_in_every_spelling() {
    let world = World::new().await;
    let admin = world.admin().await;
    for email in ["ada@example.com", " ADA@Example.Com"] {
        let reply = create(&world, &admin.token, &with("email", &json!(email))).await;
        reply.refused(409, "email_taken");
    }
}

#[tokio::test]
async fn of_two_with_one_email_one_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = grace();
    let (first, second) = tokio::join!(
        create(&world, &admin.token, &body),
        create(&world, &admin.token, &body)
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn an_administrator_who_is_revoked_meanwhile_makes_nobody() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = grace();

    let reply = overtaken(&world, create(&world, &admin.token, &body), async {
        let call = world.call("POST", "/api/auth/logout").bearer(&admin.token);
        call.send().await.expect(204);
    });

    reply.await.refused(401, "session_revoked");
    world
        .try_login("grace@example.com", World::PASSWORD)
        .await
        .refused(401, "login_failed");
}

#[tokio::test]
async fn an_administrator_who_is_demoted_meanwhile_makes_nobody() {
    let world = World::new().await;
    let admin = world.admin().await;
    world
        .add_user("second@example.com", "Second", "admin")
        .await;
    let body = grace();

    let reply = overtaken(&world, create(&world, &admin.token, &body), async {
        let demoted = world
            .patch(&admin, &admin.id, &json!({ "role": "viewer" }))
            .await;
        demoted.expect(200);
    });

    reply.await.refused(403, "not_allowed");
    world
        .try_login("grace@example.com", World::PASSWORD)
        .await
        .refused(401, "login_failed");
}

#[tokio::test]
async fn only_an_administrators_session_makes_users() {
    let world = World::new().await;
    let admin = world.admin().await;
    let viewer = world.viewer().await;
    let (_, key) = world.key(&admin).await;
    create(&world, &viewer.token, &grace())
        .await
        .refused(403, "not_allowed");
    create(&world, &key, &grace())
        .await
        .refused(403, "session_required");
}

#[tokio::test]
async fn a_key_makes_users_where_keys_may_manage() {
    let world = World::with(Setup {
        may_manage: true,
        ..Setup::default()
    })
    .await;
    let admin = world.admin().await;
    let (_, key) = world.key(&admin).await;
    create(&world, &key, &grace()).await.expect(201);
}

#[tokio::test]
async fn an_outcome_that_nobody_knows_is_said() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.me(&admin.token).await.expect(200);
    world.breaks(Trouble::Silent);
    create(&world, &admin.token, &grace())
        .await
        .refused(503, "outcome_unknown");
}
