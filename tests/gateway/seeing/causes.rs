//! What an access line says of a service that failed.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::message::Call;
use crate::support::service::{Scripted, Service, nowhere};
use crate::support::setup::Setup;
use crate::support::world::World;

async fn gateway_before(server: SocketAddr, lines: &str) -> World {
    let setup = Setup::new().upstream_of("service", &[server], lines).route(
        "/",
        "service",
        "public = true",
    );
    setup.start_empty().await
}

async fn cause_of(world: &World, path: &str) -> String {
    let is_it = |line: &Value| line["path"] == path;
    let line = world.node().access.wait_for("an access line", is_it).await;
    let cause = line["cause"].as_str();
    cause
        .unwrap_or_else(|| panic!("no cause: {line}"))
        .to_owned()
}

#[tokio::test]
async fn every_failure_of_a_service_has_its_cause_in_its_access_line() {
    let service = Service::answering("nonsense\r\n\r\n").await;
    let world = gateway_before(service.address, "").await;
    let mut wire = world.wire().await;

    // More than the log tells of.
    for index in 0..60 {
        let call = Call::get(&format!("/{index}"));
        wire.call(&call).await.expect(502);
    }

    for index in 0..60 {
        let cause = cause_of(&world, &format!("/{index}")).await;
        assert!(cause.contains("begin with the status line"), "{cause}");
    }
}

#[tokio::test]
async fn a_cause_tells_what_happened() {
    let silent = Scripted::start().await;
    let full = Scripted::start().await;
    for (server, lines, status, told) in [
        (nowhere(), "", 502, "Connection refused"),
        (
            silent.address,
            "response_timeout = \"100ms\"",
            504,
            "in time",
        ),
        (
            silent.address,
            "protocol = \"h2c\"\nresponse_timeout = \"100ms\"",
            504,
            "in time",
        ),
    ] {
        let world = gateway_before(server, lines).await;
        world.call(&Call::get("/x")).await.expect(status);
        let cause = cause_of(&world, "/x").await;
        assert!(cause.contains(told), "{cause}");
    }

    let world = gateway_before(nowhere(), "").await;
    world.call(&Call::get("/first")).await.expect(502);
    world.call(&Call::get("/x")).await.expect(503);
    let cause = cause_of(&world, "/x").await;
    assert!(cause.contains("refused lately"), "{cause}");

    let world = gateway_before(full.address, "max_in_flight = 1\nmax_waiting = 0").await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/first").bytes()).await;
    let _upstream = full.accept().await;
    world.call(&Call::get("/x")).await.expect(503);
    let cause = cause_of(&world, "/x").await;
    assert!(cause.contains("as many exchanges in flight"), "{cause}");
}

#[tokio::test]
async fn an_answer_that_is_broken_off_has_its_cause() {
    let service = Scripted::start().await;
    let world = gateway_before(service.address, "idle_timeout = \"300ms\"").await;

    for (path, rest, told) in [
        (
            "/closed",
            Some("hello"),
            "closed the connection before its answer was whole",
        ),
        ("/late", None, "too slow"),
    ] {
        let mut wire = world.wire().await;
        wire.send(Call::get(path).bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            .await;
        if let Some(rest) = rest {
            upstream.send(rest).await;
            drop(upstream);
        }
        wire.rest().await;
        let cause = cause_of(&world, path).await;
        assert!(cause.contains(told), "{cause}");
    }
}

#[tokio::test]
async fn what_goes_well_or_is_the_clients_has_no_cause() {
    let mut service = Service::echo().await;
    let world = gateway_before(service.address, "").await;
    let mut wire = world.wire().await;

    wire.call(&Call::get("/good")).await.expect(200);
    service.next().await;
    let head = Call::post("/bad").head();
    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"
    ))
    .await;
    let _ = wire.try_answer("POST").await;

    for path in ["/good", "/bad"] {
        let is_it = |line: &Value| line["path"] == path;
        let line = world.node().access.wait_for("an access line", is_it).await;
        assert!(line.get("cause").is_none(), "{line}");
    }
}
