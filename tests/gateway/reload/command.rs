use serde_json::{Value, json};

use super::{add, edit, exchange, reload};
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

const MORE: &str = "[[routes]]\npath = \"/y\"\nupstream = \"service\"";

async fn gateway(service: &Service) -> World {
    let setup = Setup::new()
        .server("# server")
        .upstream("service", service.address)
        .route("/x", "service", "");
    setup.start_empty().await
}

fn said(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = world.command(arguments, "");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn check_diff_tells_what_a_reload_would_change_and_what_needs_a_restart() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    let (code, same, _) = said(&world, &["check", "--diff"]);
    assert_eq!(code, Some(0));
    assert!(same.ends_with("is what the gateway runs by\n"), "{same}");

    edit(&world, add(MORE));
    edit(
        &world,
        exchange("# server", "workers = 7\ntrusted_proxies = [\"10.0.0.7\"]"),
    );
    let (code, diff, _) = said(&world, &["check", "--diff"]);

    assert_eq!(code, Some(0));
    assert_eq!(
        diff,
        "changes that a reload applies:\n  server.trusted_proxies changed\n  route \"/y\" added\n\
         changes that need a restart; a reload is refused until then:\n  server.workers changed\n"
    );
    let (_, json, _) = said(&world, &["check", "--diff", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["restart"], json!(["server.workers"]));
    assert_eq!(
        json["changes"][1],
        json!({"what": "route \"/y\"", "how": "added"})
    );
    world.metric("dariet_config_generation 1").await;
    world
        .metric("dariet_config_reloads_total{result=\"refused\"} 0")
        .await;
}

#[tokio::test]
async fn without_a_node_there_is_nothing_to_reload_or_to_compare() {
    let (folder, config) = Setup::new().write();
    let world = World::of(folder, config);
    for arguments in [&["reload"][..], &["check", "--diff"]] {
        let (code, out, error) = said(&world, arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(
            error.starts_with("dariet-gateway: no gateway answers over "),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_reload_by_the_operator_is_audited_without_names() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    edit(&world, add(MORE));
    reload(&world);
    edit(&world, exchange("# server", "worker = 7"));
    super::refusal(&world);

    let is_it = |line: &Value| line["event"] == "config_reloaded";
    let line = world.node().log.wait_for("the audit line", is_it).await;
    assert_eq!(line["target"], "audit");
    assert_eq!(line["actor"], "operator");
    assert_eq!(line["fields"], "routes");
    let is_it = |line: &Value| line["event"] == "config_reload_refused";
    world.node().log.wait_for("the other line", is_it).await;
}

#[tokio::test]
async fn a_reload_that_changes_nothing_says_so() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    let said = reload(&world);
    assert!(
        said.ends_with(".toml: nothing in it has changed\n"),
        "{said}"
    );
}
