use super::{gateway_before, of_server, of_upstream};
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// Takes the next request and leaves it without an answer.
async fn hold(service: &Scripted) -> Wire {
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
}

#[tokio::test]
async fn requests_over_the_bound_wait_and_those_over_the_queue_are_refused_at_once() {
    let service = Scripted::start().await;
    let lines = "max_in_flight = 1\nmax_waiting = 1\nwaiting_timeout = \"1h\"";
    let world = gateway_before(&[service.address], lines).await;

    let mut first = world.wire().await;
    first.send(Call::get("/first").bytes()).await;
    let mut upstream = hold(&service).await;
    let mut second = world.wire().await;
    second.send(Call::get("/second").bytes()).await;
    world
        .metric(&of_upstream("upstream_requests_waiting", 1))
        .await;
    let third = world.call(&Call::get("/third")).await;
    assert_eq!(third.refusal(), (503, "upstream_unavailable".to_owned()));

    upstream.send(OK).await;
    first.answer("GET").await.expect(200);
    let mut upstream = hold(&service).await;
    upstream.send(OK).await;
    second.answer("GET").await.expect(200);
    world
        .metric(&of_upstream("upstream_requests_waiting", 0))
        .await;
    world
        .metric(&of_upstream("upstream_requests_in_flight", 0))
        .await;
}

#[tokio::test]
async fn a_request_waits_no_longer_than_it_may() {
    let service = Scripted::start().await;
    let lines = "max_in_flight = 1\nwaiting_timeout = \"200ms\"";
    let world = gateway_before(&[service.address], lines).await;
    let mut first = world.wire().await;
    first.send(Call::get("/x").bytes()).await;
    let _upstream = hold(&service).await;

    let second = world.call(&Call::get("/x")).await;

    assert_eq!(second.refusal(), (503, "upstream_unavailable".to_owned()));
}

#[tokio::test]
async fn each_server_has_a_bound_of_connections_in_use() {
    let services = [Scripted::start().await, Scripted::start().await];
    let addresses = [services[0].address, services[1].address];
    let lines = "max_connections = 1\nwaiting_timeout = \"1h\"";
    let world = gateway_before(&addresses, lines).await;

    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut wire = world.wire().await;
        wire.send(Call::get("/x").bytes()).await;
        clients.push(wire);
    }
    let mut upstreams = [hold(&services[0]).await, hold(&services[1]).await];
    world
        .metric(&of_upstream("upstream_requests_waiting", 1))
        .await;
    for address in addresses {
        world
            .metric(&of_server("upstream_server_requests_in_flight", address, 1))
            .await;
    }

    upstreams[1].send(OK).await;
    let mut third = hold(&services[1]).await;
    third.send(OK).await;
    upstreams[0].send(OK).await;
    for mut client in clients {
        client.answer("GET").await.expect(200);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_waits_no_more() {
    let service = Scripted::start().await;
    let lines = "max_in_flight = 1\nwaiting_timeout = \"1h\"";
    let world = gateway_before(&[service.address], lines).await;
    let mut first = world.wire().await;
    first.send(Call::get("/x").bytes()).await;
    let _upstream = hold(&service).await;
    let mut second = world.wire().await;
    second.send(Call::get("/x").bytes()).await;
    world
        .metric(&of_upstream("upstream_requests_waiting", 1))
        .await;

    drop(second);

    world
        .metric(&of_upstream("upstream_requests_waiting", 0))
        .await;
}
