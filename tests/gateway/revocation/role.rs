use serde_json::json;

use super::Download;
use super::websocket::{open, says_goodbye};
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::TEXT;
use crate::support::world::World;

async fn for_administrators(service: &Scripted) -> World {
    let setup = Setup::new().upstream("service", service.address).route(
        "/",
        "service",
        r#"allow = [{ role = "admin" }]"#,
    );
    setup.start().await
}

#[tokio::test]
async fn what_lasts_is_cut_when_the_new_role_may_not_have_it_and_a_download_finishes() {
    let service = Scripted::start().await;
    let world = for_administrators(&service).await;
    let user = world.new_user("ada", "admin").await;
    let key = world.new_key(&user).await;

    for credential in [&user.token, &key.key] {
        world.patch_user(&user, &json!({"role": "admin"})).await;
        let (websocket, mut upstream) = open(&world, &service, credential).await;
        let events = Download::begin_events(&world, &service, credential).await;
        let download = Download::begin(&world, &service, credential).await;

        world.patch_user(&user, &json!({"role": "viewer"})).await;

        says_goodbye(websocket).await;
        upstream.rest().await;
        events.was_cut().await;
        download.finishes().await;
    }
}

#[tokio::test]
async fn what_lasts_goes_on_when_the_new_role_may_have_it() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("ada", "admin").await;

    let (mut websocket, mut upstream) = open(&world, &service, &user.token).await;
    let mut events = Download::begin_events(&world, &service, &user.token).await;
    for role in ["viewer", "admin", "viewer"] {
        world.patch_user(&user, &json!({"role": role})).await;
        upstream.send_frame(TEXT, b"hello").await;
        assert_eq!(websocket.frame().await.unwrap().payload, "hello");
        events.goes_on().await;
    }

    world.log_out(&user).await;
    says_goodbye(websocket).await;
    events.gets_cut().await;
}
