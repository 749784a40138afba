use serde_json::{Value, json};

use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

/// The access line of a request, by its user agent.
async fn line(world: &World, agent: &str) -> Value {
    let is_it = |line: &Value| line["user_agent"] == agent;
    world.node().access.wait_for("an access line", is_it).await
}

fn has_durations(line: &Value) {
    assert!(line["duration_ms"].as_f64().unwrap() >= 0.0, "{line}");
    let time = line["timestamp"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
}

#[tokio::test]
async fn a_forwarded_request_has_its_line() {
    let mut service =
        Service::answering("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello").await;
    let setup = Setup::new()
        .upstream("reports", service.address)
        .route("/reports", "reports", "");
    let world = setup.start().await;
    let key = world.new_key(world.administrator()).await;

    for (version, name) in Version::ALL.into_iter().zip(["1.1", "2"]) {
        let mut client = world.client(version).await;
        let call = Call::post("/reports/7?secret=1")
            .header("User-Agent", name)
            .bearer(&key.key)
            .body("four");
        client.call(&call).await.expect(201);

        let line = line(&world, name).await;
        let id = service.next().await;
        let id = id.headers.get("x-request-id").unwrap();
        for (field, value) in [
            ("request_id", json!(id)),
            ("client.ip", json!("127.0.0.1")),
            ("method", json!("POST")),
            ("host", json!("localhost")),
            ("path", json!("/reports/7")),
            ("version", json!(name)),
            ("route", json!("/reports")),
            ("status", json!(201)),
            ("principal.id", json!(world.administrator().user)),
            ("principal.method", json!("api_key")),
            ("key.id", json!(key.id)),
            ("upstream", json!("reports")),
            ("bytes.received", json!(4)),
            ("bytes.sent", json!(5)),
        ] {
            assert_eq!(line[field], value, "{field}: {line}");
        }
        let server = line["server"].as_str().unwrap();
        assert!(server.contains(&service.address.to_string()), "{server}");
        assert!(line["upstream_ms"].is_number(), "{line}");
        assert!(
            line.get("code").is_none() && line.get("end").is_none(),
            "{line}"
        );
        has_durations(&line);
    }
}

#[tokio::test]
async fn a_refused_request_has_its_line() {
    let setup = Setup::new()
        .upstream("service", Scripted::start().await.address)
        .route("/x", "service", "");
    let world = setup.start_empty().await;

    for (agent, target, status, code, route) in [
        ("a", "/x", 401, "credential_missing", "/x"),
        ("b", "/y", 404, "no_route", "(none)"),
        ("c", "/x;y", 400, "path_refused", "/x"),
        ("d", "/api/auth/me", 401, "credential_missing", "(gateway)"),
    ] {
        let call = Call::get(target).header("User-Agent", agent);
        let answer = world.call(&call).await;

        let line = line(&world, agent).await;
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["code"], code, "{line}");
        assert_eq!(line["route"], route, "{line}");
        assert_eq!(line["request_id"], answer.json()["request_id"]);
        assert!(line.get("principal.id").is_none(), "{line}");
        has_durations(&line);
    }
}

#[tokio::test]
async fn a_request_that_is_no_http_has_its_line() {
    let world = Setup::new().start_empty().await;

    let mut wire = world.wire().await;
    wire.send("GET / HTTP/1.1\r\n\r\n").await;
    let id = wire.answer("GET").await.json()["request_id"].clone();

    let is_it = |line: &Value| line["request_id"] == id;
    let line = world.node().access.wait_for("its line", is_it).await;
    assert_eq!(line["status"], 400);
    assert_eq!(line["code"], "malformed_request");
}

#[tokio::test]
async fn a_call_of_the_gateways_own_has_its_line() {
    let world = Setup::new().start().await;

    let call = world
        .by_administrator("GET", "/api/auth/me")
        .header("User-Agent", "me");
    world.call(&call).await.expect(200);

    let line = line(&world, "me").await;
    assert_eq!(line["route"], "(gateway)");
    assert_eq!(line["status"], 200);
    assert_eq!(line["principal.id"], world.administrator().user);
    assert_eq!(line["principal.method"], "session");
    assert!(line["bytes.sent"].as_u64().unwrap() > 0, "{line}");
}

#[tokio::test]
async fn the_line_of_a_broken_answer_says_who_broke_it() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    for (agent, end) in [("k", "cut"), ("u", "upstream"), ("c", "client")] {
        let credential = match end {
            "cut" => &key.key,
            _ => &world.administrator().token,
        };
        let call = Call::get("/x")
            .header("User-Agent", agent)
            .bearer(credential);
        let mut wire = world.wire().await;
        wire.send(call.bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nmore")
            .await;
        wire.head().await;
        match end {
            "cut" => world.revoke(&key).await,
            "upstream" => drop(upstream),
            _ => drop(wire),
        }

        let line = line(&world, agent).await;
        assert_eq!(line["end"], end, "{line}");
        assert_eq!(line["status"], 200, "{line}");
        assert_eq!(line["bytes.sent"], 4, "{line}");
    }
}

#[tokio::test]
async fn the_line_names_the_host_that_the_route_was_found_by() {
    let world = Setup::new().start_empty().await;
    let call = Call::get("http://admin.example/x")
        .host("harmless.example")
        .header("User-Agent", "absolute");

    world.call(&call).await.expect(404);

    let line = line(&world, "absolute").await;
    assert_eq!(line["host"], "admin.example", "{line}");
}

#[tokio::test]
async fn nothing_that_a_client_sends_breaks_a_line() {
    let world = Setup::new().start_empty().await;
    let agent = "\u{1b}[31m\" \\ x=1, \u{e9}";

    let call = Call::get("/%22%0").header("User-Agent", agent);
    world.call(&call).await.expect(400);
    let call = Call::get("/a\"b").header("User-Agent", "second");
    world.call(&call).await;

    line(&world, "second").await;
    let text = world.node().access.text();
    assert_eq!(text.lines().count(), world.node().access.json().len());
    assert!(!text.contains('\u{1b}'), "{text}");
}
