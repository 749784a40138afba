//! Services that break the rules of HTTP: nobody gets what was not meant for them.

use h2::Reason;
use tokio::io::AsyncReadExt as _;

use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::wire::{End, Wire};
use crate::support::world::{Version, World};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn gateway_before(service: &Scripted) -> World {
    let setup = Setup::open_before(service.address);
    setup.start_empty().await
}

#[tokio::test]
async fn an_answer_that_could_be_read_in_two_ways_is_none() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(70_000));
    let waiting = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000);
    for answer in [
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n c\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\rC: d\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        &many,
        &long,
        &waiting,
    ] {
        let service = Service::answering(answer).await;
        let world = Setup::before(service.address).start().await;
        let mut wire = world.wire().await;

        let refused = wire.call(&world.by_administrator("GET", "/x")).await;

        let beginning = answer.get(..60).unwrap_or(answer);
        let broken = (502, "upstream_broken".to_owned());
        assert_eq!(refused.refusal(), broken, "{beginning:?}");
        let id = refused.json()["request_id"].clone();
        let is_told = |line: &serde_json::Value| line["request_id"] == id;
        let line = world.node().log.wait_for("the cause", is_told).await;
        assert!(line["error"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn what_comes_behind_an_answer_is_nobodys() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
    ] {
        let service = Service::answering(format!("{answer}{evil}")).await;
        let world = Setup::before(service.address).start().await;
        for version in Version::ALL {
            let mut client = world.client(version).await;
            let before = service.connections();
            for times in 1..=3 {
                let answer = client.call(&world.by_administrator("GET", "/x")).await;
                assert!(
                    ["ok", ""].iter().any(|body| answer.body == body),
                    "{answer:?}"
                );
                assert_eq!(service.connections() - before, times, "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_service_says_unasked_is_nobodys() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;

    wire.send(Call::get("/x").bytes()).await;
    let mut kept = service.accept().await;
    kept.request().await;
    kept.send(OK).await;
    wire.answer("GET").await.expect(200);
    kept.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        .await;

    wire.send(Call::get("/x").bytes()).await;
    let mut fresh = service.accept().await;
    fresh.request().await;
    fresh.send(OK).await;
    assert_eq!(wire.answer("GET").await.expect(200).body, "ok");
}

#[tokio::test]
async fn an_answer_whose_body_breaks_the_rules_looks_broken_off() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut http2 = world.http2().await;

    for rest in [
        "g\r\n",
        "2\r\nokk\r\n",
        "2 \r\nok\r\n",
        "2\nok\n",
        "0\r\na b: c\r\n\r\n",
    ] {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let mut wire = world.wire().await;
        wire.send(Call::get("/x").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(head).await;
        assert_eq!(wire.head().await.status(), 200);
        assert_eq!(wire.chunk().await.unwrap(), "hello");
        upstream.send(rest).await;
        assert_eq!(wire.rest().await.1, End::Reset, "{rest:?}");

        let stream = http2.start(&Call::get("/x")).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(head).await;
        let mut incoming = stream.head().await.unwrap();
        assert_eq!(incoming.piece().await.unwrap().unwrap(), "hello");
        upstream.send(rest).await;
        assert_ne!(incoming.broken_off().await, Reason::NO_ERROR, "{rest:?}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_arrives_whole() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;

    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    let answer = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Fine\r\nA: b\r\n\
                  Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for byte in answer.bytes() {
        upstream.send([byte]).await;
    }

    let head = wire.head().await;
    assert_eq!(head.line, "HTTP/1.1 200 Fine");
    assert_eq!(head.headers.get("a"), Some("b"));
    let mut body = Vec::new();
    loop {
        let chunk = wire.chunk().await.unwrap();
        if chunk.is_empty() {
            break;
        }
        body.extend(chunk);
    }
    assert_eq!(body, b"hello");
}

#[tokio::test]
async fn an_answer_may_begin_before_the_request_has_ended() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;
    let head = Call::post("/x").head();

    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    ))
    .await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    assert_eq!(upstream.chunk().await.unwrap(), "hello");
    upstream
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        .await;
    assert_eq!(wire.head().await.status(), 200);
    assert_eq!(wire.chunk().await.unwrap(), "ok");

    wire.send("5\r\nworld\r\n0\r\n\r\n").await;
    assert_eq!(upstream.chunk().await.unwrap(), "world");
    assert_eq!(upstream.chunk().await.unwrap(), "");
    upstream.send("3\r\nend\r\n0\r\n\r\n").await;
    assert_eq!(wire.chunk().await.unwrap(), "end");
    assert_eq!(wire.chunk().await.unwrap(), "");
}

#[tokio::test]
async fn a_connection_on_which_a_request_was_answered_before_its_end_is_not_used_again() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;

    let mut upstream = service.half_a_request(&mut wire).await;
    upstream
        .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        .await;

    assert_eq!(wire.head().await.status(), 413);
    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_service_that_switches_to_another_protocol_has_broken_off() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
    let service = Service::answering(answer).await;
    let world = Setup::before(service.address).start().await;
    let call = world
        .by_administrator("GET", "/x")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");

    let answer = world.call(&call).await;

    assert_eq!(answer.refusal(), (502, "upstream_broken".to_owned()));
}

/// How a service lies, and what the client has of it: the refusal, or an answer that looks broken off.
#[derive(Debug, Clone, Copy)]
enum Lie {
    Says(&'static str),
    SaysForEver(&'static str),
    SaysNothing,
    Resets,
    AnswersAgainUnasked(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Truth {
    Refused(u16, &'static str),
    BrokenOff,
    Whole,
}

const LIES: [(&str, Lie, Truth); 9] = [
    (
        "a short body",
        Lie::Says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"),
        Truth::BrokenOff,
    ),
    (
        "a short body in chunks",
        Lie::Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
        Truth::BrokenOff,
    ),
    (
        "a long body",
        Lie::Says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"),
        Truth::Whole,
    ),
    (
        "a garbage head",
        Lie::Says("\x01\x02 nothing of HTTP\r\n\r\n"),
        Truth::Refused(502, "upstream_broken"),
    ),
    (
        "closes",
        Lie::Says(""),
        Truth::Refused(502, "upstream_broken"),
    ),
    (
        "stalls",
        Lie::SaysNothing,
        Truth::Refused(504, "upstream_timeout"),
    ),
    (
        "resets",
        Lie::Resets,
        Truth::Refused(502, "upstream_broken"),
    ),
    (
        "answers before it was asked",
        Lie::AnswersAgainUnasked("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        Truth::Whole,
    ),
    (
        "1xx for ever",
        Lie::SaysForEver("HTTP/1.1 102 Processing\r\n\r\n"),
        Truth::Refused(502, "upstream_broken"),
    ),
];

#[tokio::test]
async fn an_upstream_that_lies_is_told_as_such_and_the_next_client_gets_the_truth() {
    for (what, lie, truth) in LIES {
        let service = Scripted::start().await;
        let setup = Setup::new()
            .server("workers = 1")
            .upstream_of(
                "service",
                &[service.address],
                "response_timeout = \"300ms\"\n[upstreams.service.retries]\nattempts = 1",
            )
            .route("/", "service", "public = true");
        let world = setup.start_empty().await;
        for version in Version::ALL {
            let mut client = world.client(version).await;
            let mut kept = None;
            let lying = async { tell(lie, service.accept().await).await };
            let call = Call::get("/x");

            let (answer, upstream) = tokio::join!(client.try_call(&call), lying);
            if let (Lie::AnswersAgainUnasked(text), Some(mut upstream)) = (lie, upstream) {
                upstream.send(text).await;
                kept = Some(upstream);
            }

            match (truth, answer) {
                (Truth::BrokenOff, None) => {}
                (Truth::Whole, Some(answer)) => assert_eq!(answer.expect(200).body, "ok", "{what}"),
                (Truth::Refused(status, code), Some(answer)) => {
                    let refusal = (status, code.to_owned());
                    assert_eq!(answer.refusal(), refusal, "{what}, {version:?}");
                }
                (truth, answer) => panic!("{what}, {version:?}: {truth:?}, {answer:?}"),
            }
            // Nothing of it is left on any connection.
            let mut next = world.client(version).await;
            let honest = async {
                let mut upstream = service.accept().await;
                upstream.request().await;
                upstream.send(OK).await;
                upstream
            };
            let (answer, _upstream) = tokio::join!(next.call(&call), honest);
            assert_eq!(answer.expect(200).body, "ok", "{what}, {version:?}");
            drop(kept);
        }
    }
}

/// Does what the service does to one request. The connection, where it stays open.
async fn tell(lie: Lie, mut upstream: Wire) -> Option<Wire> {
    if let Lie::Resets = lie {
        // The system resets a connection that is closed with something unread.
        upstream.into_io().read_u8().await.unwrap();
        return None;
    }
    upstream.request().await;
    match lie {
        Lie::Says(text) => upstream.send(text).await,
        Lie::SaysForEver(text) => while upstream.try_send(text).await.is_ok() {},
        Lie::SaysNothing => assert_eq!(upstream.rest().await.0, ""),
        Lie::AnswersAgainUnasked(_) => {
            upstream.send(OK).await;
            return Some(upstream);
        }
        Lie::Resets => {}
    }
    None
}
