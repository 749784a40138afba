//! The keys that sign session tokens.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use super::tokens::parts;
use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

async fn public_keys(world: &World) -> Vec<Value> {
    let answer = world.call(&Call::get("/.well-known/jwks.json")).await;
    let keys = answer.expect(200).json();
    keys["keys"].as_array().unwrap().clone()
}

/// Makes a key, and adds it to the configuration.
fn add_key(world: &World, name: &str, lines: &str) {
    let file = world.config().parent().unwrap().join(name);
    let made = world.command(&["signing-key", "create", file.to_str().unwrap()], "");
    let why = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{}: {why}", made.status);
    let key = format!("[[sessions.signing_keys]]\nfile = {name:?}\n{lines}\n");
    append(world.config(), &key);
}

fn append(file: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn kid(token: &str) -> Value {
    parts(token).0["kid"].clone()
}

#[tokio::test]
async fn tokens_are_signed_with_es256_where_the_configuration_says_so() {
    let service = Service::echo().await;
    let sessions = "[sessions]\nalgorithm = \"ES256\"";
    let world = Setup::before(service.address).toml(sessions).start().await;
    let token = &world.administrator().token;

    let call = Call::get("/x").bearer(token);
    world.call(&call).await.expect(200);

    let (header, _, signature) = parts(token);
    assert_eq!(header["alg"], "ES256");
    assert_eq!(BASE64.decode(signature).unwrap().len(), 64);
    let keys = public_keys(&world).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    let key = &keys[0];
    for (member, value) in [("kty", "EC"), ("crv", "P-256"), ("alg", "ES256")] {
        assert_eq!(key[member], value, "{key}");
    }
    assert_eq!(key["kid"], header["kid"]);
    assert!(key.get("d").is_none(), "the private part is not shown");
}

#[tokio::test]
async fn a_new_signing_key_logs_nobody_out() {
    let service = Service::echo().await;
    let (folder, config) = Setup::before(service.address).write();
    let mut world = World::of(folder, config);
    add_key(&world, "first.pem", "");
    world.make_administrator();
    world.start().await;
    let old = world.log_in(ADMINISTRATOR, PASSWORD).await.token;

    world.node_mut().stop().await;
    add_key(&world, "second.pem", "sign_from = 2020-01-01T00:00:00");
    world.start().await;
    let new = world.log_in(ADMINISTRATOR, PASSWORD).await.token;

    assert_ne!(kid(&old), kid(&new));
    for token in [&old, &new] {
        let call = Call::get("/x").bearer(token);
        world.call(&call).await.expect(200);
    }
    let keys = public_keys(&world).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    for kid in [kid(&old), kid(&new)] {
        assert!(keys.iter().any(|key| key["kid"] == kid), "{keys:?}");
    }
}

#[tokio::test]
async fn a_signing_key_whose_time_has_not_come_is_known_and_signs_nothing() {
    let service = Service::echo().await;
    let (folder, config) = Setup::before(service.address).write();
    let mut world = World::of(folder, config);
    add_key(&world, "first.pem", "");
    world.make_administrator();
    world.start().await;
    let before = world.log_in(ADMINISTRATOR, PASSWORD).await.token;

    world.node_mut().stop().await;
    add_key(&world, "second.pem", "sign_from = 2199-01-01T00:00:00");
    world.start().await;
    let after = world.log_in(ADMINISTRATOR, PASSWORD).await.token;

    assert_eq!(kid(&before), kid(&after));
    assert_eq!(public_keys(&world).await.len(), 2);
}
