use bytes::Bytes;

use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::{BINARY, CLOSE, TEXT, frame, upgrade};
use crate::support::wire::{End, Wire};
use crate::support::world::World;

/// A WebSocket that has begun, both ends.
pub async fn open(world: &World, service: &Scripted, credential: &str) -> (Wire, Wire) {
    let mut client = world.wire().await;
    client.send(upgrade("/ws").bearer(credential).bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    client.upgraded().await;
    (client, upstream)
}

/// It ends with Close 1008 and nothing else.
pub async fn says_goodbye(mut client: Wire) {
    let close = client.frame().await.unwrap();
    assert_eq!(close.opcode, CLOSE);
    assert_eq!(&close.payload[..2], 1008_u16.to_be_bytes());
    let (rest, end) = client.rest().await;
    assert_eq!((rest, end), (Bytes::new(), End::CloseNotify));
}

#[tokio::test]
async fn a_websocket_is_closed_where_a_frame_has_ended() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let (mut client, mut upstream) = open(&world, &service, &key.key).await;
    upstream.send_frame(TEXT, b"hello").await;
    assert_eq!(client.frame().await.unwrap().payload, "hello");
    world.revoke(&key).await;
    let _ = upstream.try_send(frame(TEXT, b"late")).await;

    says_goodbye(client).await;
    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_quiet_websocket_is_closed() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let (client, mut upstream) = open(&world, &service, &key.key).await;
    world.revoke(&key).await;

    says_goodbye(client).await;
    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_websocket_is_reset_in_the_middle_of_a_frame() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let (mut client, mut upstream) = open(&world, &service, &key.key).await;
    let frame = frame(BINARY, &[7; 1000]);
    upstream.send(&frame[..500]).await;
    assert_eq!(client.exactly(500).await.unwrap(), frame[..500]);
    world.revoke(&key).await;
    let _ = upstream.try_send(&frame[500..]).await;

    assert_eq!(client.rest().await, (Bytes::new(), End::Reset));
}

#[tokio::test]
async fn what_a_client_sends_after_the_revocation_reaches_nobody() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let (mut client, mut upstream) = open(&world, &service, &key.key).await;
    client.send_masked(TEXT, b"hello").await;
    assert_eq!(upstream.frame().await.unwrap().payload, "hello");
    world.revoke(&key).await;
    let _ = client.try_send(frame(TEXT, b"late")).await;

    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_websocket_of_another_credential_goes_on() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let other = world.new_key(world.administrator()).await;

    let (cut, _upstream) = open(&world, &service, &key.key).await;
    let (mut client, mut upstream) = open(&world, &service, &other.key).await;
    world.revoke(&key).await;

    says_goodbye(cut).await;
    upstream.send_frame(TEXT, b"hello").await;
    assert_eq!(client.frame().await.unwrap().payload, "hello");
    client.send_masked(TEXT, b"hello").await;
    assert_eq!(upstream.frame().await.unwrap().payload, "hello");
}
