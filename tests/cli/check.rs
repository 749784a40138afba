use std::fs;

use serde_json::json;

use crate::world::{House, tree};

const ROUTES: &str = r#"
[upstreams.reports]
servers = ["http://10.0.0.5:9000"]
[[routes]]
path = "/reports"
upstream = "reports"
allow = [{ role = "admin" }, { role = "viewer", methods = ["GET"] }]
[[routes]]
path = "/"
upstream = "reports"
public = true
"#;

#[test]
fn check_prints_what_the_configuration_means_and_touches_nothing() {
    let house = House::new();
    house.configure(ROUTES);
    let before = tree(&house.path(""));

    let ran = house.run(&["check"]);

    assert!(ran.err.contains("warning: no [mail]"), "{}", ran.err);
    let told = ran.ok();
    for line in [
        "listen  https://127.0.0.1:",
        "any   /reports  admin, viewer (GET)  reports (",
        "any   /         anyone               reports (",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert_eq!(tree(&house.path("")), before);
}

#[test]
fn a_program_gets_the_same_as_json() {
    let house = House::new();
    house.configure(ROUTES);
    let mut ran = house.json(&["check"]);
    assert_eq!(ran["file"], json!(house.config()));
    assert_eq!(ran["listen"], json!([house.url("")]));
    let routes = ran["routes"].take();
    assert_eq!(routes[0]["path"], "/reports");
    assert_eq!(routes[0]["upstream"], "reports");
    assert_eq!(
        routes[0]["allow"][1],
        json!({"role": "viewer", "methods": ["GET"]})
    );
    assert_eq!(routes[1]["public"], true);
    assert!(ran["warnings"].as_array().unwrap().len() >= 2);
}

#[test]
fn every_mistake_is_told_by_every_command_that_reads_the_configuration() {
    let house = House::new();
    house.configure("[sessions]\nlifetime = \"long\"\n[loging]\n");
    for command in [
        &["check"][..],
        &["serve"],
        &["user", "list"],
        &["key", "list", "ada@example.com"],
        &["store", "backup", "b.db"],
    ] {
        let said = house.run(command).failed(78);
        for part in ["gateway.toml:8", "lifetime", "loging", "logging"] {
            assert!(said.contains(part), "{command:?}: {said}");
        }
    }
}

#[test]
fn a_rule_that_can_never_match_is_a_mistake_at_start() {
    let house = House::new();
    let route = "[[routes]]\nupstream = \"a\"\n";
    house.configure(&format!(
        "[upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n\
         {route}path = \"/a\"\n{route}path = \"/a/\"\n{route}path = \"/api/auth/x\"\n\
         {route}path = \"/b\"\nmethods = [\"GET\"]\nallow = [{{ role = \"admin\", methods = [\"PUT\"] }}]\n"
    ));
    for command in ["check", "serve"] {
        let said = house.run(&[command]).failed(78);
        for part in [
            "path \"/a/\" has another route already",
            "path is the gateway's own",
            "so the rule can never fit",
        ] {
            assert!(said.contains(part), "{command}: {part} in {said}");
        }
    }
}

#[test]
fn files_that_the_configuration_names_must_be_of_use() {
    let house = House::new();
    for (more, part) in [
        (
            "[server.tls]\ncertificate = \"a.crt\"\nprivate_key = \"a.key\"\n",
            "a.crt",
        ),
        (
            "[[sessions.signing_keys]]\nfile = \"none.pem\"\n",
            "signing-key create",
        ),
    ] {
        house.configure(more);
        for command in ["check", "serve"] {
            let said = house.run(&[command]).failed(78);
            assert!(said.contains(part), "{command}: {said}");
        }
    }
    assert!(fs::metadata(house.path("data")).is_err() || tree(&house.path("data")).len() <= 1);
}

#[test]
fn a_program_gets_what_else_a_route_does() {
    let house = House::new();
    house.configure(
        r#"
[upstreams.app]
servers = ["http://10.0.0.5:9000"]
[[limits]]
per = "address"
rate = "1000 per 1m"
[[routes]]
hosts = ["*.example.com"]
exact = "/app"
methods = ["GET"]
upstream = "app"
strip_prefix = "/app"
max_body = "1KiB"
cors = { origins = ["https://app.example.com"] }
[[routes]]
path = "/"
redirect = { to = "/app", status = 302 }
"#,
    );
    let mut ran = house.json(&["check"]);
    let routes = ran["routes"].take();
    for (name, value) in [
        ("hosts", json!(["*.example.com"])),
        ("exact", json!(true)),
        ("methods", json!(["GET"])),
        ("strip_prefix", json!("/app")),
        ("max_body", json!(1024)),
        ("redirect", json!(null)),
        (
            "limits",
            json!([{"per": "address", "rate": "1000 per 1m", "burst": 1000}]),
        ),
    ] {
        assert_eq!(routes[0][name], value, "{name}");
    }
    let origins = &routes[0]["cors"]["origins"];
    assert_eq!(*origins, json!(["https://app.example.com"]));
    let redirect = json!({"to": "/app", "status": 302, "keep_path": false});
    assert_eq!(routes[1]["redirect"], redirect);
    assert_eq!(routes[1]["upstream"], json!(null));
}
