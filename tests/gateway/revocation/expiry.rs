use super::Download;
use super::websocket::{open, says_goodbye};
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;

#[tokio::test]
async fn what_lasts_ends_with_its_key_and_a_download_finishes() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key_for_seconds(world.administrator(), 3).await;

    let (websocket, mut upstream) = open(&world, &service, &key.key).await;
    let events = Download::begin_events(&world, &service, &key.key).await;
    let download = Download::begin(&world, &service, &key.key).await;

    says_goodbye(websocket).await;
    upstream.rest().await;
    events.was_cut().await;
    let answer = world.call(&Call::get("/x").bearer(&key.key)).await;
    assert_eq!(answer.refusal(), (401, "key_expired".to_owned()));
    download.finishes().await;
}

#[tokio::test]
async fn what_lasts_ends_with_its_session() {
    let service = Scripted::start().await;
    let sessions = "[sessions]\nlifetime = \"3s\"";
    let world = Setup::before(service.address).toml(sessions).start().await;
    let token = &world.administrator().token;

    let (websocket, mut upstream) = open(&world, &service, token).await;
    let events = Download::begin_events(&world, &service, token).await;

    says_goodbye(websocket).await;
    upstream.rest().await;
    events.was_cut().await;
}
