use h2::Reason;

use crate::support::message::Call;
use crate::support::service::{Scripted, Service, nowhere};
use crate::support::setup::Setup;
use crate::support::wire::End;
use crate::support::world::{Version, World};

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn gateway_before(service: &Scripted, lines: &str) -> World {
    let setup = Setup::new()
        .upstream_of("service", &[service.address], lines)
        .route("/", "service", "public = true");
    setup.start_empty().await
}

#[tokio::test]
async fn a_service_that_takes_no_connection_is_told_as_such_and_left_alone_for_a_moment() {
    let setup = Setup::new()
        .upstream("service", nowhere())
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;

    let first = wire.call(&Call::get("/x")).await;
    let second = wire.call(&Call::get("/x")).await;

    assert_eq!(first.refusal(), refusal(502, "upstream_refused"));
    assert_eq!(second.refusal(), refusal(503, "upstream_unavailable"));
    assert!(second.headers.has("retry-after"));
    let is_told = |line: &serde_json::Value| {
        line["level"] == "WARN" && line["upstream"] == "service" && line["server"].is_string()
    };
    world.node().log.wait_for("the cause", is_told).await;
}

#[tokio::test]
async fn a_service_that_talks_no_http_has_broken_off() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nhello",
        "\0\0\0\0\r\n\r\n",
    ] {
        let service = Service::answering(garbage).await;
        let world = Setup::before(service.address).start().await;
        for version in Version::ALL {
            let mut client = world.client(version).await;
            let answer = client.call(&world.by_administrator("GET", "/x")).await;
            assert_eq!(
                answer.refusal(),
                refusal(502, "upstream_broken"),
                "{garbage:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_service_that_closes_before_it_answers_has_broken_off() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "").await;
    let mut wire = world.wire().await;

    for beginning in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        wire.send(Call::get("/x").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(beginning).await;
        drop(upstream);

        let answer = wire.answer("GET").await;
        assert_eq!(answer.refusal(), refusal(502, "upstream_broken"));
        let id = answer.json()["request_id"].clone();
        let is_told = |line: &serde_json::Value| line["request_id"] == id;
        let line = world.node().log.wait_for("the cause", is_told).await;
        assert_eq!(line["upstream"], "service");
    }
}

#[tokio::test]
async fn a_service_that_is_too_slow_to_answer_is_given_up() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, r#"response_timeout = "300ms""#).await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let answer = client.call(&Call::get("/x")).await;
        assert_eq!(answer.refusal(), refusal(504, "upstream_timeout"));
        let mut upstream = service.accept().await;
        upstream.request().await;
        assert_ne!(upstream.rest().await.1, End::CloseNotify, "and let go");
    }
}

#[tokio::test]
async fn an_upstream_has_a_bound_of_requests_in_flight() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "max_in_flight = 1").await;

    let mut first = world.wire().await;
    first.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    let refused = world.call(&Call::get("/x")).await;
    assert_eq!(refused.refusal(), refusal(503, "upstream_unavailable"));
    assert!(refused.headers.has("retry-after"));

    upstream
        .send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    first.answer("GET").await.expect(200);
    first.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    first.answer("GET").await.expect(200);
}

/// Beginnings of answers that are not whole.
const CUT: [&str; 2] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
];

#[tokio::test]
async fn an_answer_that_a_service_breaks_off_looks_broken_off_over_http1() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "").await;

    for beginning in CUT {
        let mut wire = world.wire().await;
        wire.send(Call::get("/x").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(beginning).await;
        let head = wire.head().await;
        let begun = if head.headers.has("content-length") {
            wire.exactly(5).await.unwrap()
        } else {
            wire.chunk().await.unwrap()
        };
        assert_eq!(begun, "hello");

        drop(upstream);

        let (rest, end) = wire.rest().await;
        assert_eq!((&rest[..], end), (&b""[..], End::Reset));
    }
}

#[tokio::test]
async fn an_answer_that_a_service_breaks_off_looks_broken_off_over_http2() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "").await;
    let mut http2 = world.http2().await;

    for beginning in CUT {
        let stream = http2.start(&Call::get("/x")).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(beginning).await;
        let mut incoming = stream.head().await.unwrap();
        assert_eq!(incoming.piece().await.unwrap().unwrap(), "hello");

        drop(upstream);

        assert_ne!(incoming.broken_off().await, Reason::NO_ERROR);
        assert!(http2.is_open().await);
    }
}
