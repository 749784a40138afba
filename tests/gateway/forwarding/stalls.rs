//! Who stalls costs one connection and nothing more.

use std::time::{Duration, Instant};

use h2::Reason;

use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::{End, Wire};
use crate::support::world::World;

async fn gateway_before(service: &Scripted, server: &str, upstream: &str) -> World {
    let setup = Setup::new()
        .server(server)
        .upstream_of("service", &[service.address], upstream)
        .route("/", "service", "public = true");
    setup.start_empty().await
}

/// Others are served while somebody stalls.
async fn others_go_on(world: &World, service: &Scripted) {
    let mut wire = world.wire().await;
    wire.send(Call::get("/other").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        .await;
    assert_eq!(wire.answer("GET").await.expect(200).body, "ok");
}

/// Begins an answer that never ends, and writes until nobody takes more.
async fn flood(upstream: &mut Wire) {
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    while upstream.try_send(vec![7; 65_536]).await.is_ok() {}
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_body_is_told_and_let_go() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, r#"body_timeout = "300ms""#, "").await;

    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Content-Length: 10\r\n\r\nhello"))
        .await;
    let mut upstream = service.accept().await;
    others_go_on(&world, &service).await;

    let answer = wire.answer("POST").await;
    assert_eq!(answer.refusal(), (408, "request_timeout".to_owned()));
    assert_eq!(wire.rest().await.0, "");
    let (seen, _) = upstream.rest().await;
    assert!(seen.ends_with(b"\r\n\r\nhello"), "{seen:?}");
}

#[tokio::test]
async fn an_http2_client_that_stops_in_the_middle_of_its_body_loses_that_stream() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, r#"body_timeout = "300ms""#, "").await;
    let mut http2 = world.http2().await;

    let mut stream = http2.begin(&Call::post("/x"), false).await;
    stream.send("hello".into(), false).await.unwrap();
    let _upstream = service.accept().await;

    let answer = stream.head().await.unwrap();
    assert_eq!(answer.status, 408);
    assert!(http2.is_open().await);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go_and_so_is_its_service() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, r#"write_timeout = "500ms""#, "").await;

    let mut wire = world.narrow_wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    // It ends when the gateway closes its connection to the service.
    flood(&mut upstream).await;
    others_go_on(&world, &service).await;

    assert_eq!(wire.rest().await.1, End::Reset);
}

#[tokio::test]
async fn an_http2_client_that_takes_nothing_of_a_stream_loses_that_stream() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, r#"write_timeout = "500ms""#, "").await;
    let mut http2 = world.http2().await;

    let stream = http2.start(&Call::get("/x")).await;
    let mut upstream = service.accept().await;
    flood(&mut upstream).await;

    let mut incoming = stream.head().await.unwrap();
    assert_ne!(incoming.broken_off().await, Reason::NO_ERROR);
    assert!(http2.is_open().await);
    others_go_on(&world, &service).await;
}

#[tokio::test]
async fn a_service_that_stops_in_the_middle_of_its_answer_is_let_go() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "", r#"idle_timeout = "300ms""#).await;

    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        .await;
    others_go_on(&world, &service).await;

    assert_eq!(wire.head().await.status(), 200);
    let (begun, end) = wire.rest().await;
    assert_eq!((&begun[..], end), (&b"hello"[..], End::Reset));
    upstream.rest().await;
}

#[tokio::test]
async fn an_event_stream_may_be_quiet() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "", r#"idle_timeout = "200ms""#).await;

    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut events = service.accept().await;
    events.request().await;
    events
        .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        .await;
    assert_eq!(wire.head().await.status(), 200);
    assert_eq!(wire.chunk().await.unwrap(), "data: 1\n\n");
    // An answer that is no event stream ends by the same deadline: then it has passed.
    let mut other = world.wire().await;
    other.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        .await;
    assert_eq!(other.rest().await.1, End::Reset);

    events.send("data: 2\n\n").await;
    assert_eq!(wire.chunk().await.unwrap(), "data: 2\n\n");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "", "").await;

    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    drop(wire);

    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_stream_that_its_client_resets_takes_its_request_along() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "", "").await;
    let mut http2 = world.http2().await;

    let waiting = http2.start(&Call::get("/x")).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    drop(waiting);
    assert_eq!(upstream.rest().await.0, "");

    let stream = http2.start(&Call::get("/x")).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nmore")
        .await;
    drop(stream.head().await.unwrap());
    assert_eq!(upstream.rest().await.0, "");
    assert!(http2.is_open().await);
}

#[tokio::test]
async fn a_service_that_thinks_longer_than_a_client_may_pause_in_its_body_is_waited_for() {
    const PAUSE: Duration = Duration::from_secs(1);
    let service = Scripted::start().await;
    let world = gateway_before(
        &service,
        r#"body_timeout = "1s""#,
        r#"response_timeout = "60s""#,
    );
    let world = world.await;
    let mut other = world.wire().await;

    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    // Requests that the gateway answers by itself make the pauses.
    let end = Instant::now() + 2 * PAUSE;
    let mut sent = 0;
    while Instant::now() < end {
        other.call(&Call::get("/api/auth/me")).await.expect(401);
        wire.send("1\r\nx\r\n").await;
        sent += 1;
    }
    wire.send("0\r\n\r\n").await;
    let mut upstream = service.accept().await;
    assert_eq!(upstream.request().await.body.len(), sent);
    let end = Instant::now() + 2 * PAUSE;
    while Instant::now() < end {
        other.call(&Call::get("/api/auth/me")).await.expect(401);
    }
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;

    assert_eq!(wire.answer("POST").await.expect(200).body, "ok");
}
