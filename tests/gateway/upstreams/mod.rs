//! Which server takes a request, and what becomes of it when servers fail.

mod addresses;
mod balance;
mod bounds;
mod deadlines;
mod ejection;
mod health;
mod https;
mod names;
mod patience;
mod retries;
mod spent;

use std::net::SocketAddr;

use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::world::World;

/// A gateway before these servers, which everybody may use.
async fn gateway_before(servers: &[SocketAddr], lines: &str) -> World {
    let setup =
        Setup::new()
            .upstream_of("service", servers, lines)
            .route("/", "service", "public = true");
    setup.start_empty().await
}

/// Makes requests one after the other, which must go well.
async fn ask(world: &World, times: usize) {
    let mut wire = world.wire().await;
    for _ in 0..times {
        wire.call(&Call::get("/x")).await.expect(200);
    }
}

/// How many requests each took since it was last asked.
fn taken<const N: usize>(services: &mut [Service; N]) -> [usize; N] {
    let mut services = services.iter_mut();
    std::array::from_fn(|_| services.next().unwrap().taken().len())
}

/// The line of a metric of a server of `service`.
fn of_server(name: &str, server: SocketAddr, value: u64) -> String {
    format!("dariet_{name}{{upstream=\"service\",server=\"{server}\"}} {value}")
}

/// The line of a metric of `service`.
fn of_upstream(name: &str, value: u64) -> String {
    format!("dariet_{name}{{upstream=\"service\"}} {value}")
}

/// A server whose every step the test decides takes the first request, and another one the next.
async fn beside_another(service: &Scripted, lines: &str) -> (World, Service) {
    let other = Service::echo().await;
    let addresses = [service.address, other.address];
    let lines = format!(
        "balance = \"round_robin\"\n{lines}\n[upstreams.service.ejection]\nfailures = 1\ntime = \"1m\"\nmax_time = \"1m\""
    );
    (gateway_before(&addresses, &lines).await, other)
}

async fn was_left_alone(world: &World, server: SocketAddr, times: u64) {
    let line = of_server("upstream_server_ejections_total", server, times);
    world.metric(&line).await;
}
