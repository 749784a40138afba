//! A client that still owes a part of its request, or takes its answer late: what the server does meanwhile is
//! its own doing, unless the client has kept it waiting.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use serde_json::Value;

use super::{beside_another, gateway_before, was_left_alone};
use crate::support::http2::{Http2, Incoming};
use crate::support::http2_service::{Http2Service, head};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, reset};
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::{Version, World};

/// Longer than any server's patience is taken to be at the least. That span is the promise, so it must pass.
async fn keep_it_waiting() {
    tokio::time::sleep(Duration::from_millis(2_500)).await;
}

/// What a server says before it closes the connection in the middle of a request.
const LAST_WORDS: [&str; 5] = [
    "",
    "HTTP/1.1 200 OK\r\nContent-Le",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello",
    "220 ready\r\n",
];

#[tokio::test]
async fn a_server_that_breaks_off_while_its_client_sends_has_failed() {
    for words in LAST_WORDS {
        let service = Scripted::start().await;
        let (world, _other) = beside_another(&service, "").await;
        let mut wire = world.wire().await;

        let mut upstream = service.half_a_request(&mut wire).await;
        upstream.send(words).await;
        drop(upstream);
        wire.rest().await;

        was_left_alone(&world, service.address, 1).await;
    }
}

#[tokio::test]
async fn a_server_that_resets_its_connection_while_its_client_sends_has_failed() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "").await;
    let mut wire = world.wire().await;

    let head = Call::post("/x").head();
    wire.send(format!("{head}Content-Length: 10\r\n\r\nhello"))
        .await;
    let upstream = service.accept_stream().await;
    upstream.peek(&mut [0]).await.unwrap();
    reset(upstream);

    let answer = wire.answer("POST").await;
    assert_eq!(answer.refusal(), (502, "upstream_broken".to_owned()));
    was_left_alone(&world, service.address, 1).await;
}

#[tokio::test]
async fn a_server_that_waits_for_a_client_in_vain_has_not_failed() {
    for words in &LAST_WORDS[..3] {
        let service = Scripted::start().await;
        let (world, _other) = beside_another(&service, "").await;
        let mut wire = world.wire().await;

        let mut upstream = service.half_a_request(&mut wire).await;
        keep_it_waiting().await;
        // As services do that have waited long enough.
        upstream.send(words).await;
        drop(upstream);
        wire.rest().await;

        was_left_alone(&world, service.address, 0).await;
    }
}

#[tokio::test]
async fn a_server_that_gives_up_on_a_client_which_keeps_pace_has_not_failed() {
    // By either rate a byte now and then is enough.
    for lines in ["min_rate = \"1B\"", "min_rate = \"0B\""] {
        let service = Scripted::start().await;
        // The only server of an upstream is never left alone.
        let other = Service::echo().await;
        let servers = [service.address, other.address];
        let ejection = "balance = \"round_robin\"\n[upstreams.service.ejection]\nfailures = 1";
        let setup = Setup::new()
            .server(lines)
            .upstream_of("service", &servers, ejection)
            .route("/", "service", "public = true");
        let world = setup.start_empty().await;
        let mut wire = world.wire().await;

        let mut upstream = service.half_a_request(&mut wire).await;
        // Each wait is short, and all of them together are longer than any patience is taken to be.
        for piece in ["w", "o", "r"] {
            tokio::time::sleep(Duration::from_millis(900)).await;
            wire.send(piece).await;
            assert_eq!(upstream.exactly(1).await.unwrap(), piece);
        }
        drop(upstream);
        wire.rest().await;

        was_left_alone(&world, service.address, 0).await;
    }
}

#[tokio::test]
async fn a_server_that_a_slow_client_left_no_time_has_not_failed() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "timeout = \"1s\"").await;
    let mut wire = world.wire().await;

    let mut upstream = service.half_a_request(&mut wire).await;
    // Most of the time that the exchange has: it must pass.
    tokio::time::sleep(Duration::from_millis(700)).await;
    wire.send("world").await;
    assert_eq!(upstream.exactly(5).await.unwrap(), "world");

    let answer = wire.answer("POST").await;
    assert_eq!(answer.refusal(), (504, "upstream_timeout".to_owned()));
    was_left_alone(&world, service.address, 0).await;
}

#[tokio::test]
async fn a_server_that_says_nonsense_has_failed_however_long_it_waited() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "").await;
    let mut wire = world.wire().await;

    let mut upstream = service.half_a_request(&mut wire).await;
    keep_it_waiting().await;
    upstream.send(LAST_WORDS[4]).await;
    wire.rest().await;

    was_left_alone(&world, service.address, 1).await;
}

#[tokio::test]
async fn a_server_that_refuses_before_it_has_read_all_has_not_failed() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "").await;
    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Content-Length: 1000000\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;

    wire.send(vec![b'x'; 100_000]).await;
    upstream.exactly(1).await.unwrap();
    upstream
        .send(
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge",
        )
        .await;
    // Much of it is unread, which makes it a reset.
    drop(upstream);

    assert_eq!(wire.answer("POST").await.expect(413).body, "large");
    was_left_alone(&world, service.address, 0).await;
}

#[tokio::test]
async fn a_client_that_breaks_off_its_request_is_no_failure_of_the_server() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "").await;
    let mut wire = world.wire().await;

    wire.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        .await;
    wire.head().await;
    wire.send("no chunk\r\n").await;
    wire.rest().await;

    let is_it = |line: &Value| line["path"] == "/x";
    let line = world.node().access.wait_for("the access line", is_it).await;
    assert_eq!(line["end"], "client");
    was_left_alone(&world, service.address, 0).await;
}

#[tokio::test]
async fn a_server_whose_answer_waits_for_a_client_has_not_failed() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "idle_timeout = \"300ms\"").await;
    let mut http2 = world.http2().await;

    let mut stream = http2.begin(&Call::post("/x"), false).await;
    stream.send("hello".into(), false).await.unwrap();
    let mut upstream = service.accept().await;
    upstream.head().await;
    assert_eq!(upstream.chunk().await.unwrap(), "hello");
    upstream
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .await;
    // The echo goes on when the client does, which it never does.
    let (mut incoming, _sending) = stream.both().await.unwrap();
    assert_eq!(incoming.exactly(5).await, "hello");
    incoming.broken_off().await;

    was_left_alone(&world, service.address, 0).await;
}

/// A client that was told of a long answer and has taken nothing of it.
enum Waited {
    Http1(Wire),
    Http2(Incoming, Http2),
}

impl Waited {
    /// One, and its server.
    async fn begin(world: &World, version: Version, service: &Scripted) -> (Self, Wire) {
        let call = Call::get("/x");
        match version {
            Version::Http1 => {
                let mut client = world.narrow_wire().await;
                client.send(call.bytes()).await;
                let upstream = service.begin_long_answer().await;
                client.head().await;
                (Self::Http1(client), upstream)
            }
            Version::Http2 => {
                let mut client = world.http2().await;
                let stream = client.start(&call).await;
                let upstream = service.begin_long_answer().await;
                let incoming = stream.head().await.unwrap();
                (Self::Http2(incoming, client), upstream)
            }
        }
    }

    /// Takes what there is, to its end.
    async fn take(self) {
        match self {
            Self::Http1(mut client) => drop(client.rest().await),
            Self::Http2(mut incoming, _client) => drop(incoming.broken_off().await),
        }
    }
}

/// A server that breaks off an answer, which its client takes late, has failed so many times.
async fn broken_answers_count(is_late: bool, times: u64) {
    for version in Version::ALL {
        let service = Scripted::start().await;
        let (world, _other) = beside_another(&service, "").await;
        let (client, mut upstream) = Waited::begin(&world, version, &service).await;
        if is_late {
            upstream.flood().await;
            keep_it_waiting().await;
        }

        drop(upstream);
        client.take().await;

        was_left_alone(&world, service.address, times).await;
    }
}

#[tokio::test]
async fn a_server_that_breaks_its_answer_off_has_failed() {
    broken_answers_count(false, 1).await;
}

#[tokio::test]
async fn a_server_that_gives_up_on_a_client_which_takes_nothing_has_not_failed() {
    broken_answers_count(true, 0).await;
}

/// A request over HTTP/2 whose body has begun, before two servers that speak it too.
async fn begun_over_http2(client: &mut Http2, services: &[Http2Service; 2]) -> (Begun, usize) {
    let mut stream = client.begin(&Call::post("/x"), false).await;
    stream.send("hello".into(), false).await.unwrap();
    let (mut upstream, index) = tokio::select! {
        upstream = services[0].accept() => (upstream, 0),
        upstream = services[1].accept() => (upstream, 1),
    };
    let mut call = upstream.next().await;
    assert_eq!(call.piece().await.unwrap().unwrap(), "hello");
    let begun = Begun {
        stream,
        call,
        _upstream: upstream,
    };
    (begun, index)
}

struct Begun {
    stream: crate::support::http2::Stream,
    call: crate::support::http2_service::Http2Call,
    _upstream: crate::support::http2_service::Http2Upstream,
}

async fn before_http2() -> ([Http2Service; 2], World) {
    let services = [Http2Service::start().await, Http2Service::start().await];
    let addresses = services.each_ref().map(|service| service.address);
    let lines = "protocol = \"h2c\"\n[upstreams.service.ejection]\nfailures = 1\ntime = \"1m\"\nmax_time = \"1m\"";
    let world = gateway_before(&addresses, lines).await;
    (services, world)
}

/// A server that resets a stream whose client has sent nothing for this long has failed so many times.
async fn resets_count(is_waiting: bool, times: u64) {
    let (services, world) = before_http2().await;
    let mut client = world.http2().await;
    let (mut begun, index) = begun_over_http2(&mut client, &services).await;
    if is_waiting {
        keep_it_waiting().await;
    }

    begun.call.reset(Reason::INTERNAL_ERROR);

    let answer = begun.stream.answer().await.unwrap();
    assert_eq!(answer.refusal(), (502, "upstream_broken".to_owned()));
    was_left_alone(&world, services[index].address, times).await;
}

/// The same in the middle of its answer.
async fn resets_of_answers_count(is_waiting: bool, times: u64) {
    let (services, world) = before_http2().await;
    let mut client = world.http2().await;
    let (mut begun, index) = begun_over_http2(&mut client, &services).await;
    let mut answer = begun.call.begin(head(200, &[]));
    answer.send("hel");
    let (mut incoming, _sending) = begun.stream.both().await.unwrap();
    assert_eq!(incoming.exactly(3).await, "hel");
    if is_waiting {
        keep_it_waiting().await;
    }

    answer.sending.send_reset(Reason::INTERNAL_ERROR);

    assert_ne!(incoming.broken_off().await, Reason::NO_ERROR);
    was_left_alone(&world, services[index].address, times).await;
}

#[tokio::test]
async fn a_stream_that_its_server_resets_while_its_client_sends_is_a_failure() {
    resets_count(false, 1).await;
    resets_of_answers_count(false, 1).await;
}

#[tokio::test]
async fn a_stream_that_its_server_resets_after_it_has_waited_for_the_client_is_none() {
    resets_count(true, 0).await;
    resets_of_answers_count(true, 0).await;
}

#[tokio::test]
async fn a_server_that_answers_whole_and_wants_no_more_has_not_failed() {
    let (services, world) = before_http2().await;
    let mut client = world.http2().await;
    let (mut begun, index) = begun_over_http2(&mut client, &services).await;

    let mut answer = begun.call.begin(head(413, &[]));
    answer.finish(Bytes::from("large"));
    // The rest is unread, which makes it a reset.
    drop(begun.call);

    let answer = begun.stream.answer().await.unwrap();
    assert_eq!(answer.expect(413).body, "large");
    was_left_alone(&world, services[index].address, 0).await;
}
