//! What the gateway itself lacks is no server's fault.

use rustix::process::{Pid, Resource, getrlimit, prlimit};

use super::{gateway_before, of_server};
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::world::World;

/// Has the gateway open nothing more, or as much as this process; what it has open stays so.
fn bound_descriptors(world: &World, is_bound: bool) {
    let mut limits = getrlimit(Resource::Nofile);
    if is_bound {
        limits.current = Some(0);
    }
    let process = Pid::from_raw(world.node().id().try_into().unwrap());
    prlimit(process, Resource::Nofile, limits).unwrap();
}

#[tokio::test]
async fn a_gateway_without_descriptors_blames_no_server() {
    let mut service = Service::echo().await;
    let lines = "[upstreams.service.ejection]\ntime = \"1h\"\nmax_time = \"1h\"\n\
                 [upstreams.service.health_check]\npath = \"/well\"\ninterval = \"50ms\"\nunhealthy_after = 1";
    let world = gateway_before(&[service.address], lines).await;
    while service.next().await.target != "/well" {}
    let mut wire = world.wire().await;

    bound_descriptors(&world, true);
    for _ in 0..40 {
        let answer = wire.call(&Call::get("/x")).await;
        assert_eq!(answer.refusal(), (503, "upstream_unavailable".to_owned()));
        assert!(answer.headers.has("retry-after"));
    }
    let is_it = |line: &serde_json::Value| line["message"] == "upstream gave no answer";
    let line = world.node().log.wait_for("the cause", is_it).await;
    let error = line["error"].to_string();
    assert!(error.contains("descriptors"), "{error}");
    bound_descriptors(&world, false);

    wire.call(&Call::get("/x")).await.expect(200);
    for (name, value) in [
        ("upstream_server_ejections_total", 0),
        ("upstream_server_health_checks_failed_total", 0),
        ("upstream_server_healthy", 1),
    ] {
        let line = of_server(name, service.address, value);
        world.metric(&line).await;
    }
    let told = world.node().log.json();
    let told = told.iter().filter(|line| is_it(line)).count();
    assert!(told < 40, "{told} lines");
}
