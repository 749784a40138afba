use std::time::{Duration, Instant};

use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::wire::{End, Wire};
use crate::support::world::World;

async fn world(line: &str) -> World {
    Setup::new().plain().server(line).start_empty().await
}

#[tokio::test]
async fn a_client_that_does_not_finish_the_handshake_is_let_go() {
    let world = world(r#"handshake_timeout = "300ms""#).await;

    let mut silent = Wire::plain(world.https()).await;
    assert_eq!(silent.rest().await.0, "");
    let mut slow = Wire::plain(world.https()).await;
    slow.send([0x16, 3, 1]).await;
    assert_eq!(slow.rest().await.0, "");
}

#[tokio::test]
async fn a_client_that_asks_nothing_is_let_go() {
    let world = world(r#"head_timeout = "300ms""#).await;

    let mut silent = world.wire().await;
    assert_eq!(silent.rest().await.0, "");
    let mut silent = Wire::plain(world.http()).await;
    assert_eq!(silent.rest().await.0, "");
    let mut silent = Wire::of_tls(world.tls(&[b"h2"], rustls::ALL_VERSIONS).await);
    assert!(!silent.rest().await.0.starts_with(b"HTTP/"));
}

#[tokio::test]
async fn a_client_that_is_too_slow_with_its_head_is_told() {
    let world = world(r#"head_timeout = "300ms""#).await;

    for is_plain in [false, true] {
        let mut wire = if is_plain {
            Wire::plain(world.http()).await
        } else {
            world.wire().await
        };
        wire.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow")
            .await;
        let answer = wire.answer("GET").await;
        assert_eq!(answer.refusal(), (408, "request_timeout".to_owned()));
        assert_eq!(answer.headers.get("connection"), Some("close"));
        assert_eq!(wire.rest().await.0, "");
    }
}

#[tokio::test]
async fn a_head_that_drips_is_too_slow_too() {
    let world = world(r#"head_timeout = "500ms""#).await;
    let mut wire = world.wire().await;

    wire.send("GET / HTTP/1.1\r\nX: ").await;
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        // Requests of somebody else make the pauses.
        world.call(&Call::get("/x")).await;
        wire.send("y").await;
    }

    let answer = wire.answer("GET").await;
    assert_eq!(answer.refusal(), (408, "request_timeout".to_owned()));
}

#[tokio::test]
async fn a_connection_that_is_kept_without_use_is_closed() {
    let world = world(r#"idle_timeout = "300ms""#).await;

    let mut wire = world.wire().await;
    wire.call(&Call::get("/x")).await;
    assert_eq!(wire.rest().await, (bytes::Bytes::new(), End::CloseNotify));
    let mut http2 = world.http2().await;
    http2.call(&Call::get("/x")).await;
    http2.ended().await.unwrap();
}
