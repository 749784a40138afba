//! Session tokens that are not ours, or not any more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

/// The parts of a token: header and claims as JSON, and the signature.
pub fn parts(token: &str) -> (Value, Value, String) {
    let parts: Vec<_> = token.split('.').collect();
    let json = |part| serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap();
    (json(parts[0]), json(parts[1]), parts[2].to_owned())
}

fn token(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

async fn code(world: &World, token: &str) -> String {
    let answer = world.call(&Call::get("/x").bearer(token)).await;
    assert_eq!(answer.status, 401, "{token}");
    answer.code()
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("ada", "viewer").await;
    let (header, claims, signature) = parts(&user.token);

    let mut other = claims.clone();
    other["sub"] = json!(world.administrator().user);
    let stolen = token(&header, &other, &signature);
    assert_eq!(code(&world, &stolen).await, "token_invalid");
    let mut longer = claims.clone();
    longer["exp"] = json!(claims["exp"].as_i64().unwrap() + 3600);
    let longer = token(&header, &longer, &signature);
    assert_eq!(code(&world, &longer).await, "token_invalid");
    let cut = code(&world, &user.token[..user.token.len() - 4]).await;
    assert!(["token_invalid", "credential_malformed"].contains(&cut.as_str()));

    world
        .call(&Call::get("/x").bearer(&user.token))
        .await
        .expect(200);
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn the_algorithm_is_never_the_tokens_to_choose() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let (header, claims, signature) = parts(&world.administrator().token);

    for algorithm in ["none", "None", "HS256", "ES256", "RS256"] {
        let mut header = header.clone();
        header["alg"] = json!(algorithm);
        for signature in ["", &signature] {
            let forged = token(&header, &claims, signature);
            let code = code(&world, &forged).await;
            let is_right = ["token_invalid", "credential_malformed"].contains(&code.as_str());
            assert!(is_right, "{algorithm}: {code}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn what_is_no_token_at_all_is_malformed() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    for junk in ["hello", "a.b", "a.b.c", "....", "eyJhbGciOiJub25lIn0.e30."] {
        let code = code(&world, junk).await;
        let is_right = ["token_invalid", "credential_malformed"].contains(&code.as_str());
        assert!(is_right, "{junk}: {code}");
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_session_ends_with_its_lifetime() {
    let service = Service::echo().await;
    let sessions = "[sessions]\nlifetime = \"2s\"";
    let world = Setup::before(service.address).toml(sessions).start().await;
    let user = world.log_in(ADMINISTRATOR, PASSWORD).await;
    let mut wire = world.wire().await;
    let call = Call::get("/x").bearer(&user.token);

    let mut answer = wire.call(&call).await.expect(200);
    while answer.status == 200 {
        answer = wire.call(&call).await;
    }

    assert_eq!(answer.refusal(), (401, "session_expired".to_owned()));
}

#[tokio::test]
async fn a_token_outlives_a_restart_of_the_gateway() {
    let service = Service::echo().await;
    let mut world = Setup::before(service.address).start().await;
    let token = world.administrator().token.clone();

    world.node_mut().stop().await;
    world.start().await;

    world
        .call(&Call::get("/x").bearer(&token))
        .await
        .expect(200);
}

#[tokio::test]
async fn the_public_key_of_a_token_can_be_had() {
    let world = Setup::new().start().await;
    let (header, ..) = parts(&world.administrator().token);

    let answer = world.call(&Call::get("/.well-known/jwks.json")).await;

    let keys = answer.expect(200).json();
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!(key["kty"], "OKP");
    assert!(key.get("d").is_none(), "the private part is not shown");
}
