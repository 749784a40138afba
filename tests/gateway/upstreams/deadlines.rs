use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::gateway_before;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::End;
use crate::support::within;
use crate::support::world::World;

/// A gateway whose route `/short` has a deadline of its own.
async fn with_short(service: &Scripted, upstream: &str, route: &str) -> World {
    let setup = Setup::new()
        .upstream_of("service", &[service.address], upstream)
        .route("/", "service", "public = true")
        .route("/short", "service", &format!("public = true\n{route}"));
    setup.start_empty().await
}

/// Requests that the gateway answers by itself make a pause.
async fn pause(world: &World, span: Duration) {
    let mut wire = world.wire().await;
    let end = Instant::now() + span;
    while Instant::now() < end {
        wire.call(&Call::get("/api/auth/me")).await.expect(401);
    }
}

#[tokio::test]
async fn a_route_may_wait_less_for_the_head_of_an_answer_than_its_upstream() {
    let service = Scripted::start().await;
    let world = with_short(&service, "", "response_timeout = \"200ms\"").await;
    let (mut short, mut long) = (world.wire().await, world.wire().await);

    long.send(Call::get("/long").bytes()).await;
    let mut patient = service.accept().await;
    patient.request().await;
    let answer = short.call(&Call::get("/short")).await;
    assert_eq!(answer.refusal(), (504, "upstream_timeout".to_owned()));

    patient
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    long.answer("GET").await.expect(200);
}

#[tokio::test]
async fn a_route_may_wait_longer_than_its_upstream() {
    let service = Scripted::start().await;
    let world = with_short(
        &service,
        "response_timeout = \"200ms\"",
        "response_timeout = \"1h\"",
    );
    let world = world.await;
    let mut patient = world.wire().await;
    patient.send(Call::get("/short").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;

    let late = world.call(&Call::get("/other")).await;
    assert_eq!(late.refusal(), (504, "upstream_timeout".to_owned()));

    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    patient.answer("GET").await.expect(200);
}

#[tokio::test]
async fn a_route_may_wait_less_between_two_pieces_of_an_answer() {
    let service = Scripted::start().await;
    let world = with_short(&service, "", "idle_timeout = \"200ms\"").await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/short").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;

    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        .await;

    assert_eq!(wire.head().await.status(), 200);
    let (begun, end) = wire.rest().await;
    assert_eq!((&begun[..], end), (&b"hello"[..], End::Reset));
}

#[tokio::test]
async fn a_route_may_wait_less_for_a_connection() {
    // A socket that nobody accepts from and whose queue is full: the kernel takes no more.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _fill = std::net::TcpStream::connect(address).unwrap();
    let patient = "connect_timeout = \"1h\"";
    let setup = Setup::new()
        .upstream_of("service", &[address], patient)
        .route("/", "service", "public = true\nconnect_timeout = \"200ms\"");
    let world = setup.start_empty().await;

    let answer = world.call(&Call::get("/x")).await;

    assert_eq!(answer.refusal(), (504, "upstream_timeout".to_owned()));
}

#[tokio::test]
async fn the_whole_of_an_exchange_has_a_deadline_although_it_moves() {
    let service = Scripted::start().await;
    let world = with_short(&service, "", "timeout = \"500ms\"").await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/short").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert_eq!(wire.head().await.status(), 200);

    let mut pieces = 0;
    let moving = async {
        while upstream.try_send("1\r\nx\r\n").await.is_ok() && wire.chunk().await.is_ok() {
            pieces += 1;
        }
    };
    within("the end of what moves", moving).await;

    assert!(pieces > 0);
    let mut late = world.wire().await;
    late.send(Call::get("/short").bytes()).await;
    let mut silent = service.accept().await;
    silent.request().await;
    assert_eq!(
        late.answer("GET").await.refusal(),
        (504, "upstream_timeout".to_owned())
    );
}

#[tokio::test]
async fn an_event_stream_may_outlast_the_deadline_of_the_whole() {
    let service = Scripted::start().await;
    let world = with_short(&service, "", "timeout = \"300ms\"").await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/short").bytes()).await;
    let mut events = service.accept().await;
    events.request().await;
    events
        .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        .await;
    assert_eq!(wire.head().await.status(), 200);
    assert_eq!(wire.chunk().await.unwrap(), "data: 1\n\n");

    // Another exchange ends by the deadline that began later.
    let mut other = world.wire().await;
    other.send(Call::get("/short").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    assert_eq!(other.answer("GET").await.status, 504);

    events.send("data: 2\n\n").await;
    assert_eq!(wire.chunk().await.unwrap(), "data: 2\n\n");
}

/// Each of them ends long before a body does that moves slowly.
const SHORT: &str = "response_timeout = \"1s\"\nidle_timeout = \"1s\"";

#[tokio::test]
async fn a_download_that_moves_is_not_cut_by_the_deadlines_of_its_steps() {
    let service = Scripted::start().await;
    let setup = Setup::new()
        .server("body_timeout = \"1s\"\nwrite_timeout = \"1s\"\nidle_timeout = \"1s\"")
        .upstream_of("service", &[service.address], SHORT)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert_eq!(wire.head().await.status(), 200);

    for _ in 0..10 {
        upstream.send("1\r\nx\r\n").await;
        assert_eq!(wire.chunk().await.unwrap(), "x");
        pause(&world, Duration::from_millis(300)).await;
    }

    upstream.send("0\r\n\r\n").await;
    assert_eq!(wire.chunk().await.unwrap(), "");
}

#[tokio::test]
async fn an_upload_that_moves_is_not_cut_by_the_deadlines_of_its_steps() {
    let service = Scripted::start().await;
    let setup = Setup::new()
        .server("body_timeout = \"1s\"\nwrite_timeout = \"1s\"\nidle_timeout = \"1s\"")
        .upstream_of("service", &[service.address], SHORT)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;

    for _ in 0..10 {
        wire.send("1\r\nx\r\n").await;
        assert_eq!(upstream.chunk().await.unwrap(), "x");
        pause(&world, Duration::from_millis(300)).await;
    }

    wire.send("0\r\n\r\n").await;
    assert_eq!(upstream.chunk().await.unwrap(), "");
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    wire.answer("POST").await.expect(200);
}

#[tokio::test]
async fn a_websocket_may_outlast_the_deadline_of_the_whole() {
    let service = Scripted::start().await;
    let world = gateway_before(&[service.address], "timeout = \"300ms\"").await;
    let mut wire = world.wire().await;
    let call = Call::get("/x")
        .header("Connection", "upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    wire.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .await;
    assert_eq!(wire.head().await.status(), 101);

    let mut other = world.wire().await;
    other.send(Call::get("/x").bytes()).await;
    let mut silent = service.accept().await;
    silent.request().await;
    assert_eq!(other.answer("GET").await.status, 504);

    upstream.send(b"\x82\x01x").await;
    assert_eq!(wire.exactly(3).await.unwrap(), &b"\x82\x01x"[..]);
}
