use serde_json::json;

use crate::support::message::Call;
use crate::support::setup::Setup;

#[tokio::test]
async fn every_change_says_how_safe_it_is() {
    let world = Setup::new().start().await;
    let user = world.new_user("ada", "viewer").await;
    let key = world.new_key(&user).await;
    let patch = format!("/api/auth/users/{}", user.user);
    let change = json!({
        "current_password": user.password,
        "new_password": "marjoram-balloon-77",
    });
    let created = json!({"email": "bob@example.com", "name": "Bob", "password": user.password});
    let session = world.log_in(&user.email, &user.password).await;

    for call in [
        world
            .by_administrator("POST", "/api/auth/users")
            .json(&created),
        world
            .by_administrator("PATCH", &patch)
            .json(&json!({"name": "Ada"})),
        Call::post("/api/api-keys")
            .bearer(&user.token)
            .json(&json!({"name": "k"})),
        Call::delete(&format!("/api/api-keys/{}", key.id)).bearer(&user.token),
        Call::post("/api/auth/logout").bearer(&session.token),
        Call::post("/api/auth/change-password")
            .bearer(&user.token)
            .json(&change),
        world.by_administrator("DELETE", &patch),
    ] {
        let answer = world.call(&call).await;
        assert!((200..300).contains(&answer.status), "{call:?}: {answer:?}");
        let durability = answer.headers.get("dariet-durability");
        assert_eq!(durability, Some("local"), "{} {}", call.method, call.target);
    }
    let read = world
        .call(&world.by_administrator("GET", "/api/auth/me"))
        .await;
    assert!(!read.headers.has("dariet-durability"));
}
