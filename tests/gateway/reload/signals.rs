use std::sync::Arc;

use rustix::process::Signal;

use super::{add, edit, exchange, reload, reload_meanwhile};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, answer};
use crate::support::setup::Setup;
use crate::support::within;
use crate::support::world::World;
use crate::tls::authority::{Authority, connect, plain_client, shown};

const RELOADED: &str = "configuration reloaded";

async fn gateway(service: &Service) -> World {
    let setup =
        Setup::new()
            .upstream("service", service.address)
            .route("/x", "service", "public = true");
    setup.start_empty().await
}

fn more(path: &str) -> String {
    format!("[[routes]]\npath = {path:?}\nupstream = \"service\"\npublic = true")
}

#[tokio::test]
async fn sighup_reloads_and_one_line_says_what_has_changed() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    edit(&world, add(&more("/y")));

    world.node().signal(Signal::HUP);
    let is_it = |line: &serde_json::Value| line["message"] == RELOADED;
    let line = world.node().log.wait_for(RELOADED, is_it).await;

    assert_eq!(line["changes"], "route \"/y\" added");
    assert_eq!(line["generation"], 2);
    world.wire().await.call(&Call::get("/y")).await.expect(200);
}

#[tokio::test]
async fn two_reloads_at_once_come_one_after_the_other() {
    let service = Service::echo().await;
    let world = Arc::new(gateway(&service).await);
    edit(&world, add(&more("/y")));

    let reloading: Vec<_> = (0..4)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { reload_meanwhile(&world).await })
        })
        .collect();
    let mut changed = 0;
    for said in reloading {
        let said = said.await.unwrap();
        changed += usize::from(said.contains("route \"/y\" added"));
    }

    assert_eq!(changed, 1);
    world.metric("dariet_config_generation 5").await;
    world.wire().await.call(&Call::get("/y")).await.expect(200);
}

#[tokio::test]
async fn a_node_that_shuts_down_takes_no_other_configuration_and_ends_as_ever() {
    let service = Scripted::start().await;
    let setup =
        Setup::new()
            .upstream("service", service.address)
            .route("/x", "service", "public = true");
    let mut world = setup.start_empty().await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    edit(&world, add(&more("/y")));

    world.node().signal(Signal::TERM);
    let leaving = async { while world.ask_ops("/readyz").await.status == 200 {} };
    within("the node to say that it is not ready", leaving).await;
    world.node().signal(Signal::HUP);
    let refused = world.node().log.wait_for("the refusal", |line| {
        line["mistakes"] == "the gateway is shutting down"
    });
    refused.await;
    upstream.send(answer(&"hello".into())).await;

    assert_eq!(wire.answer("GET").await.expect(200).body, "hello");
    assert_eq!(world.node_mut().exited().await.code(), Some(0));
}

#[tokio::test]
async fn another_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let authority = Authority::new("Reload");
    let (folder, config) = Setup::new().write();
    let new = authority.host(&["a.example"]);
    new.write(folder.path(), "a");
    let mut world = World::of(folder, config);
    world.start().await;
    let mut open = world.wire().await;
    let client = plain_client(&authority.pem());
    assert!(connect(world.https(), "a.example", &client).await.is_err());

    let pair = "[[server.tls.certificates]]\ncertificate = \"a.crt\"\nprivate_key = \"a.key\"\n";
    edit(&world, exchange("[admin]", &format!("{pair}[admin]")));
    assert!(reload(&world).ends_with("  [server.tls] changed\n"));

    let stream = connect(world.https(), "a.example", &client).await.unwrap();
    assert_eq!(shown(&stream), new.der());
    assert_eq!(open.call(&Call::get("/x")).await.code(), "no_route");
    // Files that are others now are used at once, and told of.
    let newer = authority.host(&["a.example"]);
    newer.write(world.config().parent().unwrap(), "a");
    reload(&world);
    let stream = connect(world.https(), "a.example", &client).await.unwrap();
    assert_eq!(shown(&stream), newer.der());
}

#[tokio::test]
async fn the_level_of_the_log_is_exchanged() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    edit(&world, exchange("level = \"info\"", "level = \"error\""));
    reload(&world);
    edit(&world, add(&more("/y")));
    reload(&world);
    edit(&world, exchange("level = \"error\"", "level = \"info\""));
    reload(&world);

    let is_last = |line: &serde_json::Value| line["generation"] == 4;
    world.node().log.wait_for("the last reload", is_last).await;
    let lines = world.node().log.json();
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == RELOADED)
        .collect();
    assert!(told.iter().all(|line| line["generation"] != 3), "{told:?}");
}
