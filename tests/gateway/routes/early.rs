//! Redirects, preflights and refusals are said before the body was read: what is left of it is never a
//! request, and the connection goes on where that costs little.

use crate::support::http2::Http2;
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

const ROUTES: &str = r#"
[[routes]]
path = "/old"
redirect = { to = "/new" }

[[routes]]
path = "/app"
upstream = "service"
max_body = "1KiB"
public = true
cors = { origins = ["https://app.example.com"] }

[[routes]]
path = "/slow"
upstream = "service"
limits = [{ per = "address", rate = "1 per 1h" }]
public = true
"#;

/// What the body says: a request that the service would see.
const SMUGGLED: &str = "GET /app/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn world(service: &Service) -> World {
    let setup = Setup::new().upstream("service", service.address);
    let world = setup.toml(ROUTES).start_empty().await;
    world.call(&Call::get("/slow")).await.expect(200);
    world
}

/// What is answered before the body is looked at, and how.
fn calls() -> [(Call, u16); 4] {
    let preflight = Call::new("OPTIONS", "/app")
        .header("Origin", "https://app.example.com")
        .header("Access-Control-Request-Method", "POST");
    [
        (Call::post("/old"), 307),
        (preflight, 204),
        (Call::post("/app"), 413),
        (Call::post("/slow"), 429),
    ]
}

#[tokio::test]
async fn a_connection_goes_on_after_a_short_body_that_nobody_wanted() {
    let mut service = Service::echo().await;
    let world = world(&service).await;
    service.next().await;
    let mut wire = world.wire().await;
    let mut http2 = world.http2().await;

    for (call, status) in calls() {
        let call = call.body(SMUGGLED.repeat(30));
        let answer = wire.call(&call).await.expect(status);
        assert_eq!(answer.headers.get("connection"), None, "{call:?}");
        http2.call(&call).await.expect(status);
    }
    let next = Call::post("/app/next").body("hello");
    for answer in [wire.call(&next).await, http2.call(&next).await] {
        assert_eq!(answer.expect(200).body, "hello");
        assert_eq!(service.next().await.target, "/app/next");
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_connection_ends_where_the_rest_of_a_body_would_have_to_be_waited_for() {
    let mut service = Service::echo().await;
    let world = world(&service).await;
    service.next().await;

    for (call, status) in calls() {
        let mut wire = world.wire().await;
        let head = call.head();
        wire.send(format!("{head}Content-Length: 1000000\r\n\r\n{SMUGGLED}"))
            .await;
        let answer = wire.answer(&call.method).await.expect(status);
        assert_eq!(answer.headers.get("connection"), Some("close"), "{call:?}");
        let _ = wire.try_send(SMUGGLED).await;
        wire.finish().await;
        assert_eq!(wire.rest().await.0, "");
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_stream_that_is_answered_early_leaves_its_connection_to_the_others() {
    let mut service = Service::echo().await;
    let world = world(&service).await;
    service.next().await;
    let mut http2 = world.http2().await;

    for (call, status) in calls() {
        let call = call.header("Content-Length", "1000000");
        let stream = http2.begin(&call, false).await;
        stream.answer().await.unwrap().expect(status);
        go_on(&mut http2, &mut service).await;
    }
    assert!(service.is_quiet());
}

async fn go_on(http2: &mut Http2, service: &mut Service) {
    let next = Call::post("/app/next").body("hello");
    assert_eq!(http2.call(&next).await.expect(200).body, "hello");
    assert_eq!(service.next().await.target, "/app/next");
}
