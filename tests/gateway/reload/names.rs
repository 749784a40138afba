//! Servers that are given by names, which are looked up while the gateway runs.
//!
//! The tests have more than one thread, so that the name server answers while they wait for the command.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{edit, exchange, reload};
use crate::support::message::Call;
use crate::support::names::Names;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::within;
use crate::support::world::World;

const NAME: &str = "app.test";
const OTHER: &str = "other.test";

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// A service, and a port of it where nobody listens at the other address.
async fn service_and_nobody() -> (Service, SocketAddr) {
    let service = Service::echo().await;
    let nobody = SocketAddr::new(loopback(2), service.address.port());
    (service, nobody)
}

/// An upstream by name that stays, and one by another name that the tests change.
async fn gateway(names: &Names, service: &Service, lines: &str) -> World {
    let port = service.address.port();
    let setup = Setup::new()
        .toml(&names.config())
        .upstream_at("stays", &format!("\"http://{NAME}:{port}\""), lines)
        .upstream_at(
            "changes",
            &format!("\"http://{OTHER}:{port}\""),
            "max_idle = 7",
        )
        .route("/stays", "stays", "public = true")
        .route("/changes", "changes", "public = true");
    setup.start_empty().await
}

/// Exchanges the other upstream so many times, with requests to both over one connection between.
async fn exchange_the_other(world: &World, times: usize) {
    let mut wire = world.wire().await;
    for max in 0..=times {
        for path in ["/stays", "/changes"] {
            wire.call(&Call::get(path)).await.expect(200);
        }
        if max < times {
            let (old, new) = (
                format!("max_idle = {}", max + 7),
                format!("max_idle = {}", max + 8),
            );
            edit(world, exchange(&old, &new));
            let said = reload(world);
            assert!(said.ends_with("  [upstreams.changes] changed\n"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stays_keeps_its_addresses_and_connections() {
    let (service, _) = service_and_nobody().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 3600);
    names.say(OTHER, &[loopback(1)], 3600);
    let world = gateway(&names, &service, "").await;

    exchange_the_other(&world, 4).await;

    // One connection that stayed, and a new one with each other upstream.
    assert_eq!(service.connections(), 1 + 5);
    // A question is one for IPv4 and one for IPv6.
    assert_eq!((names.asked(NAME), names.asked(OTHER)), (2, 2 * 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stays_knows_how_its_addresses_are() {
    let (mut service, nobody) = service_and_nobody().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1), loopback(2)], 3600);
    names.say(OTHER, &[loopback(1)], 3600);
    let check = "[upstreams.stays.health_check]\npath = \"/health\"\ninterval = \"1h\"\n\
                 [upstreams.stays.ejection]\ntime = \"1h\"\nmax_time = \"1h\"";
    let world = gateway(&names, &service, check).await;
    let of = |name: &str, server: SocketAddr, value: u64| {
        format!("dariet_upstream_server_{name}{{upstream=\"stays\",server=\"{server}\"}} {value}")
    };
    world.metric(&of("healthy", nobody, 0)).await;
    world.metric(&of("healthy", service.address, 1)).await;

    exchange_the_other(&world, 2).await;

    // Nobody was asked anew: the next question is an hour away.
    let metrics = world.metrics().await;
    let failed = of("health_checks_failed_total", nobody, 1);
    for line in [of("healthy", nobody, 0), failed] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let asked = service.taken().into_iter();
    assert_eq!(asked.filter(|it| it.target == "/health").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stays_goes_on_following_its_name() {
    let (mut service, nobody) = service_and_nobody().await;
    let new = Service::echo_at(nobody).await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 1);
    names.say(OTHER, &[loopback(1)], 1);
    let world = gateway(&names, &service, "").await;
    exchange_the_other(&world, 1).await;
    service.taken();

    names.say(NAME, &[loopback(2)], 1);
    let at_new =
        format!("dariet_upstream_server_healthy{{upstream=\"stays\",server=\"{nobody}\"}} 1");
    world.metric(&at_new).await;

    world.call(&Call::get("/stays")).await.expect(200);
    assert_eq!((service.taken().len(), new.connections()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_in_no_configuration_any_more_is_asked_for_no_more() {
    let (service, _) = service_and_nobody().await;
    let names = Names::start().await;
    names.say(NAME, &[loopback(1)], 1);
    names.say(OTHER, &[loopback(1)], 1);
    names.say("third.test", &[loopback(1)], 3600);
    let world = gateway(&names, &service, "").await;

    edit(&world, exchange(OTHER, "third.test"));
    reload(&world);
    world.call(&Call::get("/changes")).await.expect(200);
    let asked = names.asked(OTHER);
    // The name beside it is asked for every second.
    let beside = names.asked(NAME);
    names.asked_for(NAME, beside + 3 * 2).await;

    // A question that was under way may have been answered.
    assert!(names.asked(OTHER) <= asked + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_name_servers_are_asked_from_the_reload_on() {
    let (service, nobody) = service_and_nobody().await;
    let new = Service::echo_at(nobody).await;
    let (names, others) = (Names::start().await, Names::start().await);
    for name in [NAME, OTHER] {
        names.say(name, &[loopback(1)], 3600);
        others.say(name, &[loopback(2)], 3600);
    }
    let world = gateway(&names, &service, "").await;
    let mut wire = world.wire().await;
    wire.call(&Call::get("/stays")).await.expect(200);

    edit(&world, exchange(&names.config(), &others.config()));
    reload(&world);

    let arrives = async {
        while new.connections() == 0 {
            wire.call(&Call::get("/stays")).await.expect(200);
        }
    };
    within("a request at the new address", arrives).await;
    assert!(others.asked(NAME) > 0);
}
