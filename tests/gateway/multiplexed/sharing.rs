//! How many connections there are.

use super::before;
use crate::support::http2_service::{Http2Service, ok};
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::{TEXT, upgrade};

const CONNECTS: &str = "dariet_upstream_connects_total";

#[tokio::test]
async fn requests_at_once_share_a_connection() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut http2 = world.http2().await;
    let mut streams = Vec::new();
    for at in 0..50 {
        let call = Call::get(&format!("/public/{at}"));
        streams.push(http2.start(&call).await);
    }

    let mut upstream = service.accept().await;
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(upstream.next().await);
    }
    assert!(service.is_quiet().await);
    // The last that came is answered first.
    while let Some(call) = calls.pop() {
        let path = call.head.uri.path().to_owned();
        call.answer(ok(path));
    }

    for (at, stream) in streams.into_iter().enumerate() {
        let answer = stream.answer().await.unwrap().expect(200);
        assert_eq!(answer.body, format!("/public/{at}"));
    }
    world.metric(&format!("{CONNECTS} 1")).await;
    let idle = "dariet_upstream_requests_in_flight{upstream=\"service\"} 0";
    world.metric(idle).await;
}

#[tokio::test]
async fn another_connection_is_opened_where_one_is_full() {
    let service = Http2Service::start().await;
    let lines = "[upstreams.service.http2]\nmax_streams = 2";
    let world = before(&service, lines).start().await;
    let mut http2 = world.http2().await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(http2.start(&Call::get("/public")).await);
    }

    let mut one = service.accept().await;
    let calls = [one.next().await, one.next().await];
    let mut other = service.accept().await;
    other.next().await.answer(ok(""));
    for call in calls {
        call.answer(ok(""));
    }

    for stream in streams {
        stream.answer().await.unwrap().expect(200);
    }
    assert!(one.is_quiet() && other.is_quiet());
}

#[tokio::test]
async fn a_service_gets_no_more_at_once_than_it_takes() {
    let service = Http2Service::start().await.max_streams(1);
    let world = before(&service, "").start().await;
    let mut http2 = world.http2().await;
    // Once it has the first answer the gateway knows the bound.
    let known = http2.start(&Call::get("/public")).await;
    let mut one = service.accept().await;
    one.next().await.answer(ok(""));
    known.answer().await.unwrap().expect(200);
    let first = http2.start(&Call::post("/public").body("1")).await;
    let call = one.next().await;

    let second = http2.start(&Call::post("/public").body("2")).await;
    let mut other = service.accept().await;
    other.next().await.answer(ok("2"));
    assert_eq!(second.answer().await.unwrap().expect(200).body, "2");
    call.answer(ok("1"));
    assert_eq!(first.answer().await.unwrap().expect(200).body, "1");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let service = Http2Service::start().await;
    let world = before(&service, "keep_alive = \"100ms\"").start().await;
    let mut http2 = world.http2().await;

    for _ in 0..2 {
        let stream = http2.start(&Call::get("/public")).await;
        let mut upstream = service.accept().await;
        upstream.next().await.answer(ok(""));
        stream.answer().await.unwrap().expect(200);
        upstream.ended().await;
    }
}

#[tokio::test]
async fn a_websocket_has_a_connection_of_its_own() {
    let service = Scripted::start().await;
    let setup = Setup::new()
        .upstream_of("service", &[service.address], "protocol = \"h2c\"")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut client = world.wire().await;

    client.send(upgrade("/ws").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    client.upgraded().await;

    upstream.send_frame(TEXT, b"hello").await;
    assert_eq!(client.frame().await.unwrap().payload, "hello");
}

#[tokio::test]
async fn a_check_asks_by_http2() {
    let service = Http2Service::start().await;
    let lines = "[upstreams.service.health_check]\npath = \"/health\"\ninterval = \"50ms\"";
    let world = before(&service, lines).start().await;
    let healthy = |value| {
        let server = service.address;
        format!(
            "dariet_upstream_server_healthy{{upstream=\"service\",server=\"{server}\"}} {value}"
        )
    };
    let mut upstream = service.accept().await;
    let mut question = upstream.next().await;
    assert_eq!(question.whole().await.target, "/health");
    let mut answer = ok("");
    *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    question.answer(answer);

    world.metric(&healthy(0)).await;
    for _ in 0..3 {
        service.accept().await.next().await.answer(ok("well"));
    }
    world.metric(&healthy(1)).await;
}
