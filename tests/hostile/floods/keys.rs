use std::sync::atomic::{AtomicU8, Ordering};

use dariet_gateway::domain::ApiKey;

use crate::support::accounts::Session;
use crate::support::message::Call;
use crate::support::service::Service;

use super::Flooded;

async fn flooded() -> Flooded {
    let keys = "[api_keys]\nmax_per_user = 2000";
    let more =
        |setup: crate::support::setup::Setup| setup.toml(keys).route("/signed", "service", "");
    Flooded::of("", more, Service::echo().await).await
}

/// A key that the gateway could have made, and has not.
fn junk(at: u32) -> String {
    static SALT: AtomicU8 = AtomicU8::new(0);
    let mut random = [SALT.fetch_add(1, Ordering::Relaxed); 20];
    random[..4].copy_from_slice(&at.to_be_bytes());
    ApiKey::from_random(&random).expose().to_owned()
}

async fn new_key(flooded: &Flooded, owner: &Session) -> String {
    flooded.world.new_key(owner).await.key
}

#[tokio::test]
async fn keys_that_nobody_made_are_refused_and_forgotten() {
    let flooded = flooded().await;
    let owner = flooded.world.administrator().clone();
    let key = new_key(&flooded, &owner).await;
    let mut wire = flooded.world.wire().await;

    for at in 0..3_000 {
        // Every other one is wrong at first sight.
        let mut junk = junk(at);
        if at % 2 == 0 {
            junk.replace_range(20..21, if &junk[20..21] == "a" { "b" } else { "a" });
        }
        let call = Call::get("/signed").header("X-API-Key", &junk);
        assert_eq!(wire.call(&call).await.status, 401);
    }
    let call = Call::get("/signed").header("X-API-Key", &key);
    wire.call(&call).await.expect(200);

    drop(wire);
    flooded.is_over().await;
}

#[tokio::test]
async fn keys_that_are_all_good_fill_the_cache_with_little() {
    let flooded = flooded().await;
    let owner = flooded.world.administrator().clone();
    let mut keys = Vec::new();
    for _ in 0..100 {
        keys.push(new_key(&flooded, &owner).await);
    }
    let mut wire = flooded.world.wire().await;

    for key in &keys {
        let call = Call::get("/signed").header("X-API-Key", key);
        wire.call(&call).await.expect(200);
    }

    drop(wire);
    flooded.is_over().await;
}
