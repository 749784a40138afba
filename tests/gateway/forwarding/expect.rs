//! `Expect: 100-continue`, and what services say before their answer.

use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Sends only the head of a request that waits for the word to go on.
async fn ask(wire: &mut Wire, call: &Call) {
    let head = call.head();
    wire.send(format!(
        "{head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    ))
    .await;
}

async fn told_to_go_on(wire: &mut Wire) {
    let head = wire.head().await;
    assert_eq!(head.status(), 100, "{head:?}");
    wire.send("hello").await;
}

fn upload(world: &World) -> Call {
    world.by_administrator("PUT", "/x")
}

#[tokio::test]
async fn a_client_is_told_to_go_on_when_the_service_says_so() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    ask(&mut wire, &upload(&world)).await;
    let mut upstream = service.accept().await;
    let head = upstream.head().await;
    assert_eq!(head.headers.get("expect"), Some("100-continue"));
    upstream.send("HTTP/1.1 100 Continue\r\n\r\n").await;

    told_to_go_on(&mut wire).await;
    assert_eq!(upstream.exactly(5).await.unwrap(), "hello");
    upstream.send(OK).await;
    assert_eq!(wire.answer("PUT").await.expect(200).body, "ok");
}

#[tokio::test]
async fn a_client_is_told_to_go_on_after_a_second_where_the_service_says_nothing() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    ask(&mut wire, &upload(&world)).await;

    told_to_go_on(&mut wire).await;
    assert_eq!(wire.answer("PUT").await.expect(200).body, "hello");
    assert_eq!(service.next().await.body, "hello");
}

#[tokio::test]
async fn an_http2_client_that_waits_is_told_to_go_on_too() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut http2 = world.http2().await;

    let call = upload(&world).header("Expect", "100-continue");
    let mut stream = http2.begin(&call, false).await;
    let mut upstream = service.accept().await;
    let head = upstream.head().await;
    assert_eq!(head.headers.get("expect"), Some("100-continue"));
    upstream.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(stream.interim().await, 100);

    stream.send("hello".into(), true).await.unwrap();
    assert_eq!(upstream.chunk().await.unwrap(), "hello");
    upstream.send(OK).await;
    assert_eq!(stream.answer().await.unwrap().expect(200).body, "ok");
}

#[tokio::test]
async fn a_client_that_is_refused_is_never_told_to_go_on() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    let mut wire = world.wire().await;
    ask(&mut wire, &Call::new("PUT", "/x")).await;
    assert_eq!(wire.head().await.status(), 401);
    let mut wire = world.wire().await;
    ask(&mut wire, &Call::new("PUT", "/a;b")).await;
    assert_eq!(wire.head().await.status(), 400);

    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_service_that_refuses_at_once_never_gets_the_body() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    ask(&mut wire, &upload(&world)).await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream
        .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await;

    assert_eq!(wire.head().await.status(), 413);
    let (rest, _) = upstream.rest().await;
    assert_eq!(rest, "");
}

#[tokio::test]
async fn what_a_service_says_before_its_answer_is_dropped_and_counted() {
    let answer = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
         HTTP/1.1 102 Processing\r\n\r\n{OK}"
    );
    let service = Service::answering(answer).await;
    let world = Setup::before(service.address).start().await;

    let answer = world.call(&world.by_administrator("GET", "/x")).await;
    assert_eq!(answer.expect(200).body, "ok");
    let mut http2 = world.http2().await;
    let answer = http2.call(&world.by_administrator("GET", "/x")).await;
    assert_eq!(answer.expect(200).body, "ok");

    let metrics = world.ask_ops("/metrics").await.body;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    let counted = metrics
        .lines()
        .any(|line| line.starts_with("dariet_upstream_interim_dropped") && line.ends_with(" 4"));
    assert!(counted, "{metrics}");
}

#[tokio::test]
async fn a_service_that_switches_protocols_unasked_has_broken_off() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                  Connection: Upgrade\r\n\r\n";
    let service = Service::answering(answer).await;
    let world = Setup::before(service.address).start().await;

    let answer = world.call(&world.by_administrator("GET", "/x")).await;

    assert_eq!(answer.refusal(), (502, "upstream_broken".to_owned()));
}
