use super::{ask, gateway_before, taken};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::world::World;

/// Whether `count` of `all` is what chance makes of `share`, but for one time in millions.
fn is_about(count: usize, all: usize, share: f64) -> bool {
    let (count, all) = (
        f64::from(u32::try_from(count).unwrap()),
        f64::from(u32::try_from(all).unwrap()),
    );
    let deviation = (all * share * (1.0 - share)).sqrt();
    (count - all * share).abs() < 5.5 * deviation
}

async fn weighted(services: &[Service; 3], balance: &str) -> World {
    let [a, b, c] = [0, 1, 2].map(|index| services[index].address);
    let servers = format!(
        r#""http://{a}", {{ url = "http://{b}", weight = 2 }}, {{ url = "http://{c}", weight = 5 }}"#
    );
    let setup = Setup::new()
        .upstream_at("service", &servers, &format!("balance = {balance:?}"))
        .route("/", "service", "public = true");
    setup.start_empty().await
}

async fn echoes() -> [Service; 3] {
    [
        Service::echo().await,
        Service::echo().await,
        Service::echo().await,
    ]
}

#[tokio::test]
async fn idle_servers_share_the_load_by_weight() {
    let mut services = echoes().await;
    let world = weighted(&services, "least_busy").await;

    ask(&world, 800).await;

    let counts = taken(&mut services);
    assert_eq!(counts.iter().sum::<usize>(), 800);
    for (count, weight) in counts.into_iter().zip([1.0, 2.0, 5.0]) {
        assert!(is_about(count, 800, weight / 8.0), "{counts:?}");
    }
}

#[tokio::test]
async fn in_turn_each_server_takes_exactly_its_weight() {
    let mut services = echoes().await;
    let world = weighted(&services, "round_robin").await;

    ask(&world, 80).await;

    assert_eq!(taken(&mut services), [10, 20, 50]);
}

#[tokio::test]
async fn the_less_busy_of_two_servers_takes_the_next_request() {
    let (busy, mut idle) = (Scripted::start().await, Service::echo().await);
    // The idle one is so light that chance alone would hardly ever choose it.
    let servers = format!(
        r#"{{ url = "http://{}", weight = 2 }}, "http://{}""#,
        busy.address, idle.address
    );
    let setup =
        Setup::new()
            .upstream_at("service", &servers, "")
            .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    let mut waiting = Vec::new();
    let mut held = Vec::new();
    while held.is_empty() {
        let mut wire = world.wire().await;
        wire.send(Call::get("/held").bytes()).await;
        tokio::select! {
            mut upstream = busy.accept() => {
                upstream.request().await;
                held.push(upstream);
                waiting.push(wire);
            }
            _ = idle.next() => {}
        }
    }

    ask(&world, 50).await;

    assert_eq!(idle.taken().len(), 50, "on every worker");
}

#[tokio::test]
async fn every_server_takes_requests_without_more_said() {
    let mut services = echoes().await;
    let addresses = [0, 1, 2].map(|index| services[index].address);
    let world = gateway_before(&addresses, "").await;

    ask(&world, 300).await;

    let counts = taken(&mut services);
    for count in counts {
        assert!(is_about(count, 300, 1.0 / 3.0), "{counts:?}");
    }
}
