use std::net::SocketAddr;

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::{End, Wire};
use crate::support::within;
use crate::support::world::World;

async fn gateway_before(service: &Scripted, lines: &str) -> World {
    let setup = Setup::new()
        .server(lines)
        .upstream("service", service.address)
        .route("/", "service", "public = true");
    setup.start_empty().await
}

/// Asks the node to end, and waits until it has taken notice.
async fn lead_out(world: &World) {
    world.node().signal(Signal::TERM);
    let noticed = async { while world.ask_ops("/readyz").await.status == 200 {} };
    within("the node to say that it is not ready", noticed).await;
}

async fn refuses(address: SocketAddr) {
    let refused = async {
        // What waits to be accepted as the listener closes is reset instead.
        while TcpStream::connect(address).await.is_ok() {}
    };
    within("the listener to close", refused).await;
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_its_connection_closed() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, "").await;
    let https = world.https();
    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;

    lead_out(&world).await;
    refuses(https).await;
    assert_eq!(world.ask_ops("/livez").await.status, 200);
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        .await;

    let answer = wire.answer("GET").await.expect(200);
    assert_eq!(answer.body, "hello");
    assert_eq!(answer.headers.get("connection"), Some("close"));
    assert_eq!(wire.rest().await.1, End::CloseNotify);
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_download_in_flight_finishes() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, "").await;
    let https = world.https();
    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nmore")
        .await;
    assert_eq!(wire.head().await.status(), 200);

    lead_out(&world).await;
    refuses(https).await;
    upstream.send("done").await;

    assert_eq!(wire.rest().await, ("moredone".into(), End::CloseNotify));
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_kept_connection_without_request_is_closed() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, "").await;
    let mut wire = world.wire().await;
    wire.call(&Call::get("/a;b")).await;
    let mut fresh = world.wire().await;
    let mut http2 = world.http2().await;
    http2.call(&Call::get("/a;b")).await;

    world.node().signal(Signal::TERM);

    assert_eq!(wire.rest().await.1, End::CloseNotify);
    fresh.rest().await;
    http2.ended().await.unwrap();
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn an_http2_connection_says_goodbye_and_its_streams_finish() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, "").await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&Call::get("/x")).await;
    let mut upstream = service.accept().await;
    upstream.request().await;

    lead_out(&world).await;
    let goodbye = async {
        while http2.is_open().await {
            tokio::task::yield_now().await;
        }
    };
    within("the goodbye", goodbye).await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        .await;

    assert_eq!(stream.answer().await.unwrap().expect(200).body, "hello");
    http2.ended().await.unwrap();
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_node_goes_on_accepting_while_it_says_that_it_is_not_ready() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, r#"drain_delay = "2s""#).await;

    lead_out(&world).await;
    let mut late = world.wire().await;
    late.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        .await;

    assert_eq!(late.answer("GET").await.expect(200).body, "hello");
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn what_does_not_end_in_time_is_broken_off() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, r#"drain_timeout = "300ms""#).await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nmore")
        .await;
    assert_eq!(wire.head().await.status(), 200);

    world.node().signal(Signal::TERM);

    let (rest, end) = wire.rest().await;
    assert_eq!(rest, "more");
    assert_ne!(end, End::CloseNotify, "it must not look whole");
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_node_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let service = Scripted::start().await;
        let mut world = gateway_before(&service, r#"drain_timeout = "10m""#).await;
        let mut wire = world.wire().await;
        wire.send(Call::get("/x").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;

        lead_out(&world).await;
        world.node().signal(signal);

        world.node_mut().exited().await;
        assert_eq!(upstream.rest().await.0, "");
    }
}

#[tokio::test]
async fn every_access_line_is_written_before_the_end() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, "").await;
    let mut wire = Box::new(world.wire().await);
    for _ in 0..100 {
        wire.call(&Call::get("/a;b")).await;
    }

    world.node_mut().stop().await;

    assert_eq!(world.node().access.json().len(), 100);
}

#[tokio::test]
async fn a_websocket_in_flight_is_broken_off_at_the_deadline() {
    let service = Scripted::start().await;
    let mut world = gateway_before(&service, r#"drain_timeout = "300ms""#).await;
    let mut client: Wire = world.wire().await;
    let call = crate::support::websocket::upgrade("/ws");
    client.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    client.upgraded().await;

    world.node().signal(Signal::TERM);

    client.rest().await;
    upstream.rest().await;
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}
