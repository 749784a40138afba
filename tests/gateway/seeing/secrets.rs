use serde_json::json;

use crate::support::accounts::PASSWORD;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::upgrade;
use crate::support::world::{Version, World};

const NEW_PASSWORD: &str = "marjoram-balloon-77";
const WRONG_PASSWORD: &str = "wrong-cardamom-19";
const QUERY: &str = "query-wrought-secret";
const COOKIE: &str = "cookie-wrought-secret";
const JUNK: &str = "junk-wrought-credential";

/// Calls that carry secrets, well-formed and not.
fn calls(world: &World, token: &str, key: &str) -> Vec<Call> {
    let login = |email: &str, password: &str| {
        Call::post("/api/auth/login").json(&json!({"email": email, "password": password}))
    };
    let target = format!("/x?token={QUERY}");
    let long = format!("/{}?{QUERY}", "x".repeat(40_000));
    vec![
        Call::get(&target).bearer(token),
        Call::get(&target).bearer(key).header("Cookie", COOKIE),
        Call::get(&target).header("X-API-Key", key),
        Call::get(&target).bearer(token).header("X-API-Key", key),
        Call::get(&target).bearer(JUNK),
        Call::get(&target).bearer(&format!("{token}x")),
        Call::get(&target).bearer(&format!("{key}x")),
        Call::get(&target).header("Authorization", &format!("Basic {JUNK}")),
        Call::get(&format!("/a;b?{QUERY}")).bearer(token),
        Call::get(&format!("/nowhere/..;?{QUERY}")),
        Call::get(&long)
            .header("X-Long", &"x".repeat(40_000))
            .bearer(token),
        Call::get(&format!("/api/auth/users?{QUERY}={QUERY}")).bearer(token),
        login("ada@example.com", WRONG_PASSWORD),
        login("nobody@example.com", WRONG_PASSWORD),
        login(WRONG_PASSWORD, WRONG_PASSWORD),
        Call::post("/api/auth/login").body(WRONG_PASSWORD),
        Call::post("/api/auth/reset-password")
            .json(&json!({"token": JUNK, "new_password": NEW_PASSWORD})),
        Call::post("/api/auth/change-password")
            .bearer(token)
            .json(&json!({"current_password": WRONG_PASSWORD, "new_password": NEW_PASSWORD})),
        world
            .by_administrator("POST", "/api/auth/users")
            .json(&json!({"email": "x", "name": "", "password": WRONG_PASSWORD})),
    ]
}

#[tokio::test]
async fn no_secret_is_seen_anywhere() {
    let service = crate::support::service::Service::echo().await;
    let scripted = Scripted::start().await;
    let setup = Setup::before(service.address)
        .log_level("debug")
        .upstream("scripted", scripted.address)
        .route("/ws", "scripted", "");
    let mut world = setup.start().await;
    let user = world.new_user("ada", "viewer").await;
    let key = world.new_key(&user).await;
    let mut shown = Vec::new();

    for version in Version::ALL {
        for call in calls(&world, &user.token, &key.key) {
            let mut client = world.client(version).await;
            let answer = client.call(&call).await;
            if answer.status >= 400 {
                shown.extend(answer.body);
            }
        }
    }
    let offered = format!("dariet.bearer.{}", key.key);
    let call = upgrade("/ws").header("Sec-WebSocket-Protocol", &offered);
    let mut client = world.wire().await;
    client.send(call.bytes()).await;
    let mut upstream = scripted.accept().await;
    upstream.accept_websocket("").await;
    client.upgraded().await;
    world.revoke(&key).await;
    let user = world.change_password(&user, NEW_PASSWORD).await;
    world.log_out(&user).await;
    shown.extend(world.ask_ops("/metrics").await.body);
    world.node_mut().stop().await;
    shown.extend(world.node().log.text().bytes());
    shown.extend(world.node().access.text().bytes());

    let shown = String::from_utf8_lossy(&shown);
    let token = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in [
        PASSWORD.to_owned(),
        NEW_PASSWORD.to_owned(),
        WRONG_PASSWORD.to_owned(),
        QUERY.to_owned(),
        COOKIE.to_owned(),
        JUNK.to_owned(),
        token(&user.token),
        token(&world.administrator().token),
        key.key[11..].to_owned(),
        "PRIVATE KEY".to_owned(),
    ] {
        if let Some(at) = shown.find(&secret) {
            let from = shown[..at].rfind('\n').map_or(0, |at| at + 1);
            panic!(
                "{secret} is seen: {}",
                shown[from..].lines().next().unwrap()
            );
        }
    }
    assert!(shown.contains(&user.user), "it is the log of this run");
}
