//! After an answer that came before the body was read, the body is never read as a request.

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

/// What the body says: a request that the service would see.
const SMUGGLED: &str = "GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn gateway_before(service: &Service) -> World {
    let setup = Setup::before(service.address).route("/public", "service", "public = true");
    setup.start_empty().await
}

/// Bodies of different sizes; larger ones are more than anybody drains.
fn bodies() -> [String; 3] {
    [1, 1000, 20_000].map(|times| SMUGGLED.repeat(times))
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_never_a_request() {
    let mut service = Service::echo().await;
    let world = gateway_before(&service).await;

    for body in bodies() {
        for call in [
            Call::post("/x").body(body.clone()),
            Call::post("/x").body(body.clone()).chunked(),
            Call::post("/api/auth/me").body(body.clone()),
            Call::post("/api/auth/login").body(body.clone()),
        ] {
            let mut wire = world.wire().await;
            let sent = wire.try_send(call.bytes()).await;

            let answer = wire.answer("POST").await;
            assert!((400..500).contains(&answer.status), "{answer:?}");
            // Where the connection goes on, the next request is the next request.
            let next = Call::post("/public/next").body("hello");
            if sent.is_ok()
                && wire.try_send(next.bytes()).await.is_ok()
                && let Ok(answer) = wire.try_answer("POST").await
            {
                assert_eq!(answer.expect(200).body, "hello");
                assert_eq!(service.next().await.target, "/public/next");
            }
            assert!(service.is_quiet());
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_never_a_request() {
    let service = Service::echo().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;

    let head = Call::post("/x").head();
    wire.send(format!("{head}Content-Length: 1000000\r\n\r\n{SMUGGLED}"))
        .await;
    assert_eq!(wire.answer("POST").await.code(), "credential_missing");
    wire.finish().await;

    assert_eq!(wire.rest().await.0, "");
    assert!(service.is_quiet());
}

#[tokio::test]
async fn the_body_of_an_answer_that_came_early_from_the_service_is_never_a_request() {
    let service = crate::support::service::Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    let head = world.by_administrator("POST", "/x").head();
    wire.send(format!("{head}Content-Length: 1000\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream
        .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await;
    wire.answer("POST").await.expect(413);
    let _ = wire.try_send(SMUGGLED).await;
    wire.finish().await;

    assert_eq!(wire.rest().await.0, "");
    let (seen, _) = upstream.rest().await;
    assert!(!seen.windows(4).any(|bytes| bytes == b"HTTP"), "{seen:?}");
}
