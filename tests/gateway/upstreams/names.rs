use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{ask, of_server, of_upstream, taken};
use crate::support::message::Call;
use crate::support::names::Names;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::world::World;

const NAME: &str = "app.test";

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Services on one port of several addresses of this machine.
async fn services() -> ([Service; 2], u16) {
    loop {
        let one = Service::echo().await;
        let port = one.address.port();
        let other = SocketAddr::new(loopback(2), port);
        // The port may be taken there.
        if tokio::net::TcpListener::bind(other).await.is_ok() {
            return ([one, Service::echo_at(other).await], port);
        }
    }
}

async fn gateway(names: &Names, port: u16) -> World {
    let setup = Setup::new()
        .toml(&names.config())
        .upstream_at(
            "service",
            &format!("\"http://{NAME}:{port}\""),
            "balance = \"round_robin\"\nslow_start = \"0s\"",
        )
        .route("/", "service", "public = true");
    setup.start_empty().await
}

#[tokio::test]
async fn a_name_stands_for_all_its_addresses() {
    let (mut services, port) = services().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1), loopback(2)], 3600);
    let world = gateway(&names, port).await;

    ask(&world, 20).await;

    assert_eq!(taken(&mut services), [10, 10]);
    world.metric(&of_upstream("upstream_servers", 2)).await;
    let host = services[0].address.to_string();
    let is_it = |line: &serde_json::Value| line["server"] == host;
    world
        .node()
        .access
        .wait_for("an access line with the address", is_it)
        .await;
}

#[tokio::test]
async fn a_name_is_looked_up_again_when_its_answer_expires_and_its_new_addresses_are_used() {
    let (mut services, port) = services().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 1);
    let world = gateway(&names, port).await;
    ask(&world, 5).await;
    assert_eq!(taken(&mut services), [5, 0]);

    names.say(NAME, &[loopback(2)], 1);
    world
        .metric(&of_server(
            "upstream_server_healthy",
            services[1].address,
            1,
        ))
        .await;

    ask(&world, 5).await;
    assert_eq!(taken(&mut services), [0, 5]);
    let metrics = world.metrics().await;
    assert!(
        !metrics.contains(&format!("server=\"{}\"", services[0].address)),
        "{metrics}"
    );
    let is_it = |line: &serde_json::Value| line["servers"] == services[1].address.to_string();
    world.node().log.wait_for("the change", is_it).await;
}

#[tokio::test]
async fn an_exchange_with_an_address_that_is_gone_ends_in_peace() {
    let old = Scripted::start().await;
    let port = old.address.port();
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 1);
    let world = gateway(&names, port).await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = old.accept().await;
    upstream.request().await;

    names.say(NAME, &[loopback(2)], 1);
    let new = SocketAddr::new(loopback(2), port);
    world
        .metric(&of_server("upstream_server_healthy", new, 1))
        .await;

    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(wire.answer("GET").await.expect(200).body, "ok");
    assert_eq!(upstream.rest().await.0, "", "and its connection is closed");
}

#[tokio::test]
async fn a_look_up_that_fails_leaves_what_is_known_in_use() {
    let (mut services, port) = services().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 1);
    let world = gateway(&names, port).await;

    names.fail(NAME);
    let is_told = |line: &serde_json::Value| line["name"] == NAME && line["level"] == "WARN";
    let line = world.node().log.wait_for("the failure", is_told).await;
    assert_eq!(line["upstream"], "service");
    ask(&world, 5).await;
    assert_eq!(taken(&mut services), [5, 0]);
    assert!(
        !world
            .metrics()
            .await
            .contains(&of_upstream("upstream_lookups_failed_total", 0))
    );

    names.say(NAME, &[loopback(2)], 1);
    world
        .metric(&of_server(
            "upstream_server_healthy",
            services[1].address,
            1,
        ))
        .await;
    ask(&world, 5).await;
    assert_eq!(taken(&mut services), [0, 5]);
}

#[tokio::test]
async fn a_name_that_is_not_known_yet_is_503_until_it_is() {
    let (services, port) = services().await;
    let names = Names::start().await;
    let world = gateway(&names, port).await;
    let unknown = world.call(&Call::get("/x")).await;
    assert_eq!(unknown.refusal(), (503, "upstream_unavailable".to_owned()));

    names.say(NAME, &[loopback(1)], 1);
    world
        .metric(&of_server(
            "upstream_server_healthy",
            services[0].address,
            1,
        ))
        .await;

    ask(&world, 1).await;
}

#[tokio::test]
async fn an_answer_that_holds_is_not_asked_for_again() {
    let (_services, port) = services().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 3600);
    names.say("other.test", &[loopback(1)], 1);
    let setup = Setup::new()
        .toml(&names.config())
        .upstream_at("holds", &format!("\"http://{NAME}:{port}\""), "")
        .upstream_at("service", &format!("\"http://other.test:{port}\""), "");
    let _world = setup.start_empty().await;

    // A question is one for IPv4 and one for IPv6: the other name is asked for three times.
    names.asked_for("other.test", 3 * 2).await;

    assert_eq!(names.asked(NAME), 2);
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .toml("[dns]\nservers = [\"127.0.0.1:1\"]")
        .upstream_at(
            "service",
            &format!("\"http://localhost:{}\"", service.address.port()),
            "",
        )
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    ask(&world, 20).await;

    // Its IPv6 address, where nobody listens, costs nobody an answer.
    assert_eq!(service.taken().len(), 20);
}
