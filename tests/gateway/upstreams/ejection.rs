use serde_json::Value;

use super::{ask, beside_another, gateway_before, of_server, of_upstream, taken, was_left_alone};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, nowhere};
use crate::support::world::World;

fn failing(status: u16) -> impl Future<Output = Service> {
    Service::answering(format!(
        "HTTP/1.1 {status} Failing\r\nContent-Length: 0\r\n\r\n"
    ))
}

async fn told(world: &World, message: &str) -> Value {
    let is_it = |line: &Value| line["message"] == message;
    world.node().log.wait_for(message, is_it).await
}

#[tokio::test]
async fn a_server_that_fails_so_often_in_a_row_is_left_alone_and_others_do_its_work() {
    let mut services = [failing(503).await, Service::echo().await];
    let addresses = [services[0].address, services[1].address];
    let lines = "balance = \"round_robin\"\n[upstreams.service.ejection]\nstatuses = [503]\nfailures = 3\ntime = \"1m\"\nmax_time = \"1m\"";
    let world = gateway_before(&addresses, lines).await;
    let mut wire = world.wire().await;

    for _ in 0..20 {
        wire.call(&Call::get("/x")).await;
    }

    assert_eq!(taken(&mut services), [3, 17]);
    let line = told(&world, "upstream server left alone").await;
    assert_eq!(line["server"], addresses[0].to_string());
    assert_eq!(
        (&line["level"], &line["seconds"]),
        (&"WARN".into(), &60.0.into())
    );
    was_left_alone(&world, addresses[0], 1).await;
    world
        .metric(&of_server("upstream_server_healthy", addresses[0], 0))
        .await;
    world
        .metric(&of_server("upstream_server_healthy", addresses[1], 1))
        .await;
}

#[tokio::test]
async fn failures_that_are_not_in_a_row_are_forgiven() {
    let service = Service::answering_with(|request| {
        let status = if request.target == "/bad" { 503 } else { 200 };
        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").into()
    });
    let service = service.await;
    let lines = "[upstreams.service.ejection]\nstatuses = [503]\nfailures = 2";
    let world = gateway_before(&[service.address], lines).await;
    let mut wire = world.wire().await;

    for _ in 0..5 {
        wire.call(&Call::get("/bad")).await.expect(503);
        wire.call(&Call::get("/good")).await.expect(200);
    }

    was_left_alone(&world, service.address, 0).await;
}

#[tokio::test]
async fn a_server_comes_back_slowly() {
    let gone = nowhere();
    let mut other = Service::echo().await;
    let lines = "slow_start = \"1h\"\n[upstreams.service.ejection]\ntime = \"200ms\"";
    let world = gateway_before(&[gone, other.address], lines).await;
    ask(&world, 20).await;
    told(&world, "upstream server left alone").await;
    let back = Service::echo_at(gone).await;
    world
        .metric(&of_server("upstream_server_healthy", gone, 1))
        .await;
    other.taken();

    ask(&world, 400).await;

    let mut services = [back, other];
    let [back, other] = taken(&mut services);
    assert_eq!(back + other, 400);
    // A tenth of its share beside a whole one: 36 of 400, where it would be 200.
    assert!((5..=80).contains(&back), "{back} of 400");
    let line = told(&world, "upstream server answers again").await;
    assert_eq!(line["server"], gone.to_string());
}

#[tokio::test]
async fn no_more_servers_are_left_alone_than_the_share_while_one_works() {
    let mut services = [
        failing(503).await,
        failing(503).await,
        failing(503).await,
        Service::echo().await,
    ];
    let addresses = [0, 1, 2, 3].map(|index| services[index].address);
    let lines = "balance = \"round_robin\"\n[upstreams.service.ejection]\nstatuses = [503]\nfailures = 1\nmax_share = 0.5\ntime = \"1m\"\nmax_time = \"1m\"";
    let world = gateway_before(&addresses, lines).await;
    let mut wire = world.wire().await;

    for _ in 0..10 {
        wire.call(&Call::get("/x")).await;
    }

    // Two are left alone after one request each; the third goes on taking its turns.
    assert_eq!(taken(&mut services), [1, 1, 4, 4]);
}

#[tokio::test]
async fn when_every_server_fails_the_answer_comes_at_once_until_a_trial_goes_well() {
    let (one, other) = (nowhere(), nowhere());
    let lines = "[upstreams.service.ejection]\ntime = \"500ms\"\nmax_time = \"1h\"";
    let world = gateway_before(&[one, other], lines).await;
    let mut wire = world.wire().await;

    let mut answers = Vec::new();
    while answers.last() != Some(&"upstream_unavailable".to_owned()) {
        answers.push(wire.call(&Call::get("/x")).await.code());
    }
    assert_eq!(answers[0], "upstream_refused");
    assert_eq!(answers.len(), 2, "the first request tried both");
    world
        .metric(&of_server("upstream_server_healthy", one, 0))
        .await;
    world
        .metric(&of_server("upstream_server_healthy", other, 0))
        .await;

    let _back = (Service::echo_at(one).await, Service::echo_at(other).await);
    while wire.call(&Call::get("/x")).await.status != 200 {}
    told(&world, "upstream server answers again").await;
}

#[tokio::test]
async fn a_server_that_breaks_its_answers_off_or_is_too_slow_has_failed() {
    for lines in ["", "response_timeout = \"200ms\"", "timeout = \"200ms\""] {
        let service = Scripted::start().await;
        let (world, _other) = beside_another(&service, lines).await;
        let mut wire = world.wire().await;

        wire.send(Call::post("/x").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        if lines.is_empty() {
            drop(upstream);
        }
        wire.answer("POST").await;

        for _ in 0..4 {
            wire.call(&Call::get("/x")).await.expect(200);
        }
        was_left_alone(&world, service.address, 1).await;
    }
}

#[tokio::test]
async fn the_last_server_that_stands_goes_on_whatever_a_client_brings_it_to() {
    let services = [Scripted::start().await, Scripted::start().await];
    let addresses = services.each_ref().map(|service| service.address);
    let lines = "balance = \"round_robin\"\n[upstreams.service.ejection]\nfailures = 1\ntime = \"1m\"\nmax_time = \"1m\"";
    let world = gateway_before(&addresses, lines).await;
    let mut wire = world.wire().await;
    let [first, last] = &services;

    for service in [first, last, last, last] {
        // A request that no server survives.
        wire.send(Call::post("/x").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        drop(upstream);
        let answer = wire.answer("POST").await;
        assert_eq!(answer.refusal(), (502, "upstream_broken".to_owned()));
    }

    was_left_alone(&world, first.address, 1).await;
    was_left_alone(&world, last.address, 0).await;
}

#[tokio::test]
async fn a_server_that_breaks_off_in_the_middle_of_an_answer_has_failed() {
    let service = Scripted::start().await;
    let (world, _other) = beside_another(&service, "").await;
    let mut wire = world.wire().await;

    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        .await;
    drop(upstream);
    wire.rest().await;

    world
        .metric(&of_server("upstream_server_healthy", service.address, 0))
        .await;
    world.metric(&of_upstream("upstream_servers", 2)).await;
}
