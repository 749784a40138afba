//! Who stalls costs one connection and nothing more.

use std::time::{Duration, Instant};

use h2::Reason;

use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::upgrade;
use crate::support::wire::{End, Wire};
use crate::support::within;
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

/// A client has a second, all in all, and then it must keep up.
const KEEP_UP: &str = "min_rate = \"64KiB\"\nmin_rate_grace = \"1s\"";
/// How slow a client is that does not: nothing tells of time but time.
const BETWEEN_BYTES: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_does_not_come_for_ever() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, KEEP_UP, "").await;

    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Content-Length: 100000\r\n\r\n"))
        .await;
    let mut http2 = world.http2().await;
    let mut stream = http2.begin(&Call::post("/x"), false).await;
    let mut count = 0;
    while wire.try_send("x").await.is_ok() && stream.send("x".into(), false).await.is_ok() {
        count += 1;
        assert!(count < 200, "it goes on for ever");
        tokio::time::sleep(BETWEEN_BYTES).await;
    }

    assert_eq!(stream.head().await.unwrap().status, 408);
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_beside_its_answer_does_not_come_for_ever() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, KEEP_UP, "").await;
    let chunked = format!(
        "{}Transfer-Encoding: chunked\r\n\r\n",
        Call::post("/x").head()
    );
    let begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    let mut wire = world.wire().await;
    wire.send(chunked).await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream.send(begin).await;
    wire.head().await;
    let mut http2 = world.http2().await;
    let stream = http2.begin(&Call::post("/x"), false).await;
    let mut other = service.accept().await;
    other.head().await;
    other.send(begin).await;
    let (mut incoming, mut sending) = stream.both().await.unwrap();

    // What it answers to each byte keeps the service from being too slow.
    let one = async {
        while wire.try_send("1\r\nx\r\n").await.is_ok() && upstream.chunk().await.is_ok() {
            upstream.send("1\r\nx\r\n").await;
            if wire.chunk().await.is_err() {
                return;
            }
            tokio::time::sleep(BETWEEN_BYTES).await;
        }
    };
    within("the end of a request over HTTP/1.1", one).await;
    let one = async {
        while sending.send_data("x".into(), false).is_ok() && other.chunk().await.is_ok() {
            other.send("1\r\nx\r\n").await;
            if !matches!(incoming.piece().await, Some(Ok(_))) {
                return;
            }
            tokio::time::sleep(BETWEEN_BYTES).await;
        }
    };
    within("the end of a request over HTTP/2", one).await;
    assert!(http2.is_open().await);
}

#[tokio::test]
async fn who_keeps_up_is_waited_for_longer_than_the_grace() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, KEEP_UP, "").await;
    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;

    let piece = vec![b'x'; 0x10000];
    for _ in 0..8 {
        wire.send("10000\r\n").await;
        wire.send(&piece).await;
        wire.send("\r\n").await;
        let mut left = piece.len();
        while left > 0 {
            left -= upstream.chunk().await.unwrap().len();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    wire.send("0\r\n\r\n").await;
    assert_eq!(upstream.chunk().await.unwrap(), "");
}

#[tokio::test]
async fn a_websocket_whose_client_takes_its_time_goes_on() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, KEEP_UP, "").await;
    let mut wire = world.wire().await;
    wire.send(upgrade("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    wire.upgraded().await;
    let sending =
        tokio::spawn(async move { while upstream.try_send(vec![7; 65_536]).await.is_ok() {} });

    // What lies in between is full each time, so that all of it is waiting.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        wire.exactly(4_000_000).await.unwrap();
    }
    sending.abort();
}
