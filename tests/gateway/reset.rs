//! A forgotten password, from the mail to the next log-in.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::accounts::{PASSWORD, Session};
use crate::support::message::{Answer, Call};
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

const PAGE: &str = "/api/auth/reset-password";
const NEW_PASSWORD: &str = "grünes Fahrrad 27";

async fn world_with_mail(service: &Service) -> World {
    let sections = r#"
[sessions]
issuer = "https://gateway.example.com"
[mail]
url = "file:mails/"
from = "Dariet <no-reply@example.com>"
"#;
    Setup::before(service.address).toml(sections).start().await
}

/// Asks for a mail to this user, waits until it was sent, and takes its token.
async fn mailed_token(world: &World, user: &Session) -> String {
    let call = Call::post("/api/auth/forgot-password").json(&json!({"email": user.email}));
    world.call(&call).await.expect(200);
    let is_sent = |line: &Value| line["message"] == "mail sent";
    world.node().log.wait_for("the mail", is_sent).await;

    let mails = mails(world);
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = readable(&std::fs::read_to_string(&mails[0]).unwrap());
    assert!(text.contains(&user.email), "{text}");
    let link = format!("https://gateway.example.com{PAGE}#token=");
    let (_, token) = text.split_once(&link).unwrap();
    token.split_whitespace().next().unwrap().to_owned()
}

/// What a mail program makes of quoted-printable text, as far as a link needs it.
fn readable(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=")
}

fn mails(world: &World) -> Vec<PathBuf> {
    let folder = world.config().parent().unwrap().join("mails");
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .collect()
}

async fn reset(world: &World, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "new_password": password});
    world.call(&Call::post(PAGE).json(&body)).await
}

async fn log_in(world: &World, user: &Session, password: &str) -> Answer {
    let body = json!({"email": user.email, "password": password});
    let call = Call::post("/api/auth/login").json(&body);
    world.call(&call).await
}

#[tokio::test]
async fn a_mailed_token_sets_a_new_password_once_and_ends_every_session() {
    let service = Service::echo().await;
    let world = world_with_mail(&service).await;
    let user = world.new_user("ada", "viewer").await;
    let other = world.log_in(&user.email, PASSWORD).await;
    let token = mailed_token(&world, &user).await;

    let refused = reset(&world, &token, "short").await;
    assert_eq!(refused.expect(422).code(), "invalid");
    let done = reset(&world, &token, NEW_PASSWORD).await.expect(200);
    assert!(done.json()["message"].is_string(), "{done:?}");

    for session in [&user, &other] {
        let answer = world.call(&Call::get("/x").bearer(&session.token)).await;
        assert_eq!(answer.refusal(), (401, "session_revoked".to_owned()));
    }
    let again = reset(&world, &token, "another good one 8").await;
    assert_eq!(again.refusal(), (400, "reset_token_invalid".to_owned()));
    log_in(&world, &user, PASSWORD).await.expect(401);
    let session = world.log_in(&user.email, NEW_PASSWORD).await;
    let call = Call::get("/x").bearer(&session.token);
    world.call(&call).await.expect(200);
}

#[tokio::test]
async fn a_mail_goes_to_nobody_whom_the_gateway_does_not_know() {
    let service = Service::echo().await;
    let world = world_with_mail(&service).await;
    let user = world.new_user("ada", "viewer").await;

    let stranger = json!({"email": "stranger@example.com"});
    let call = Call::post("/api/auth/forgot-password").json(&stranger);
    let to_a_stranger = world.call(&call).await.expect(200);
    // Mails go out in the order in which they were asked for; this one is the only one.
    mailed_token(&world, &user).await;

    let call = call.body(json!({"email": user.email}).to_string());
    let to_a_user = world.call(&call).await.expect(200);
    assert_eq!(to_a_stranger.body, to_a_user.body);
}

#[tokio::test]
async fn the_page_of_the_link_is_guarded_by_its_policy() {
    let service = Service::echo().await;
    let world = world_with_mail(&service).await;

    let page = world.call(&Call::get(PAGE)).await.expect(200);

    let header = |name| page.headers.get(name).unwrap();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_person_sets_a_new_password_in_a_browser() {
    let service = Service::echo().await;
    let world = world_with_mail(&service).await;
    let user = world.new_user("ada", "viewer").await;
    let token = mailed_token(&world, &user).await;
    let browser = Browser::start();

    browser.open(&format!("https://{}{PAGE}#token={token}", world.https()));
    browser.write("#password", NEW_PASSWORD);
    browser.write("#repeat", NEW_PASSWORD);
    browser.click("#choose [type=submit]");

    browser.find("[data-view=done]");
    assert_eq!(browser.text("h1"), "Your password is changed");
    log_in(&world, &user, PASSWORD).await.expect(401);
    log_in(&world, &user, NEW_PASSWORD).await.expect(200);
}
