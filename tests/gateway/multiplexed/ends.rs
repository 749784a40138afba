//! How streams and connections end that were not to.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::Reason;

use super::{H2C, before};
use crate::support::http2_service::{Http2Service, head, ok};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, nowhere};
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

async fn gateway_before(servers: &[SocketAddr], lines: &str) -> World {
    let setup = Setup::new()
        .upstream_of("service", servers, &format!("{H2C}\n{lines}"))
        .route("/", "service", "public = true");
    setup.start_empty().await
}

/// Frames of a server (RFC 9113 §6): its settings, a whole answer without a body, and a goodbye.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

fn answer_to(stream: u8) -> [u8; 10] {
    // `:status 200` is one byte of HPACK.
    [0, 0, 1, 1, 5, 0, 0, 0, stream, 0x88]
}

fn goodbye_after(stream: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend([0, 0, 0, stream, 0, 0, 0, 0]);
    frame
}

/// The payload of the next frame of this kind that a client sends.
async fn frame(wire: &mut Wire, kind: u8) -> Bytes {
    loop {
        let header = wire.exactly(9).await.unwrap();
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let payload = wire.exactly(length as usize).await.unwrap();
        if header[3] == kind {
            return payload;
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const PREFACE: usize = 24;

/// A connection that has carried one request to the end.
async fn kept(service: &Scripted, world: &World) -> (Wire, crate::support::http2::Http2) {
    let mut http2 = world.http2().await;
    let first = http2.start(&Call::get("/x")).await;
    let mut wire = service.accept().await;
    wire.exactly(PREFACE).await.unwrap();
    wire.send(SETTINGS).await;
    frame(&mut wire, HEADERS).await;
    wire.send(answer_to(1)).await;
    first.answer().await.unwrap().expect(200);
    (wire, http2)
}

#[tokio::test]
async fn what_a_service_did_not_act_on_before_its_goodbye_is_sent_again_with_its_body() {
    let service = Scripted::start().await;
    let world = gateway_before(&[service.address], "").await;
    let (mut kept, mut http2) = kept(&service, &world).await;

    let mut stream = http2.begin(&Call::post("/x"), false).await;
    stream.send("hel".into(), false).await.unwrap();
    frame(&mut kept, HEADERS).await;
    assert_eq!(frame(&mut kept, DATA).await, "hel");
    kept.send(goodbye_after(1)).await;

    let mut fresh = service.accept().await;
    fresh.exactly(PREFACE).await.unwrap();
    fresh.send(SETTINGS).await;
    frame(&mut fresh, HEADERS).await;
    assert_eq!(frame(&mut fresh, DATA).await, "hel");
    stream.send("lo".into(), true).await.unwrap();
    assert_eq!(frame(&mut fresh, DATA).await, "lo");
    fresh.send(answer_to(1)).await;
    stream.answer().await.unwrap().expect(200);
}

#[tokio::test]
async fn what_a_service_may_have_acted_on_is_not_sent_again() {
    let service = Scripted::start().await;
    let world = gateway_before(&[service.address], "").await;
    let (mut kept, mut http2) = kept(&service, &world).await;

    let stream = http2.start(&Call::post("/x").body("hello")).await;
    frame(&mut kept, DATA).await;
    kept.send(goodbye_after(3)).await;
    drop(kept);

    let refused = stream.answer().await.unwrap();
    assert_eq!(refused.refusal(), (502, "upstream_broken".to_owned()));
}

#[tokio::test]
async fn a_goodbye_lets_what_was_begun_come_to_its_end() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut http2 = world.http2().await;
    let first = http2.start(&Call::get("/public/1")).await;
    let mut old = service.accept().await;
    let mut begun = old.next().await;
    let mut answer = begun.begin(head(200, &[]));
    let mut first = first.head().await.unwrap();

    old.say_goodbye();
    answer.send("hello");
    assert_eq!(first.piece().await.unwrap().unwrap(), "hello");
    // Which connection the next one takes depends on whether the goodbye has come.
    loop {
        let next = http2.start(&Call::get("/public/2")).await;
        tokio::select! {
            mut fresh = service.accept() => {
                fresh.next().await.answer(ok(""));
                next.answer().await.unwrap().expect(200);
                break;
            }
            call = old.next() => {
                call.answer(ok(""));
                next.answer().await.unwrap().expect(200);
            }
        }
    }
    answer.finish("world");
    assert_eq!(first.piece().await.unwrap().unwrap(), "world");
    assert!(first.piece().await.is_none());
    old.ended().await;
}

#[tokio::test]
async fn a_refused_request_goes_to_another_server() {
    let services = [Http2Service::start().await, Http2Service::start().await];
    let servers = [services[0].address, services[1].address];
    let world = gateway_before(&servers, "").await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&Call::post("/x").body("hello")).await;
    let [one, other] = &services;

    let (mut first, rest) = tokio::select! {
        first = one.accept() => (first, other),
        first = other.accept() => (first, one),
    };
    first.next().await.reset(Reason::REFUSED_STREAM);
    let mut second = rest.accept().await;
    let mut call = second.next().await;
    assert_eq!(call.whole().await.body, "hello");
    call.answer(ok("well"));

    assert_eq!(stream.answer().await.unwrap().expect(200).body, "well");
    let line = "dariet_upstream_retries_total{upstream=\"service\",reason=\"unsent\"} 1";
    world.metric(line).await;
}

#[tokio::test]
async fn a_request_that_was_broken_off_is_sent_again_only_where_that_does_no_harm() {
    let services = [Http2Service::start().await, Http2Service::start().await];
    let servers = [services[0].address, services[1].address];
    let world = gateway_before(&servers, "balance = \"round_robin\"").await;
    let mut http2 = world.http2().await;
    let [one, other] = &services;

    let stream = http2.start(&Call::get("/x")).await;
    let (mut first, rest) = tokio::select! {
        first = one.accept() => (first, other),
        first = other.accept() => (first, one),
    };
    first.next().await.reset(Reason::INTERNAL_ERROR);
    let mut second = rest.accept().await;
    second.next().await.answer(ok("well"));
    assert_eq!(stream.answer().await.unwrap().expect(200).body, "well");

    let stream = http2.start(&Call::post("/x").body("hello")).await;
    let mut call = tokio::select! {
        call = first.next() => call,
        call = second.next() => call,
    };
    call.reset(Reason::INTERNAL_ERROR);
    let refused = stream.answer().await.unwrap();
    assert_eq!(refused.refusal(), (502, "upstream_broken".to_owned()));
    assert!(first.is_quiet() && second.is_quiet());
}

#[tokio::test]
async fn an_answer_that_is_broken_off_looks_broken_off() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&Call::get("/public")).await;
    let mut upstream = service.accept().await;
    let mut call = upstream.next().await;
    let mut answer = call.begin(head(200, &[]));
    answer.send("hello");
    let mut incoming = stream.head().await.unwrap();
    assert_eq!(incoming.piece().await.unwrap().unwrap(), "hello");

    answer.sending.send_reset(Reason::INTERNAL_ERROR);

    assert_ne!(incoming.broken_off().await, Reason::NO_ERROR);
}

#[tokio::test]
async fn a_service_that_speaks_no_http2_is_broken() {
    let service = Service::echo().await;
    let world = gateway_before(&[service.address], "").await;
    let refused = world.call(&Call::get("/x")).await;
    assert_eq!(refused.refusal(), (502, "upstream_broken".to_owned()));

    let world = gateway_before(&[nowhere()], "").await;
    let refused = world.call(&Call::get("/x")).await;
    assert_eq!(refused.refusal(), (502, "upstream_refused".to_owned()));
}

#[tokio::test]
async fn a_quiet_service_is_asked_whether_it_is_there_and_given_up_when_it_does_not_say() {
    let service = Scripted::start().await;
    let lines = "[upstreams.service.http2]\nping_interval = \"1s\"\nping_timeout = \"1s\"";
    let world = gateway_before(&[service.address], lines).await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&Call::post("/x").body("hello")).await;
    let mut wire = service.accept().await;
    wire.exactly(PREFACE).await.unwrap();
    wire.send(SETTINGS).await;

    let ping = frame(&mut wire, PING).await;
    // The answer to the first keeps the connection.
    let mut pong = vec![0, 0, 8, PING, 1, 0, 0, 0, 0];
    pong.extend(ping);
    wire.send(pong).await;
    frame(&mut wire, PING).await;
    wire.rest().await;

    let refused = stream.answer().await.unwrap();
    assert_eq!(refused.refusal(), (502, "upstream_broken".to_owned()));
}
