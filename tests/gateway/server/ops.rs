use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;

#[tokio::test]
async fn operators_see_that_a_node_lives_and_is_ready() {
    let world = Setup::new().start_empty().await;

    for path in ["/livez", "/readyz"] {
        world.ask_ops(path).await.expect(200);
    }
    let is_ready = |line: &serde_json::Value| line["message"] == "ready";
    world.node().log.wait_for("the word", is_ready).await;
    world.ask_ops("/api/auth/me").await.expect(404);
    let outside = world.call(&Call::get("/readyz")).await;
    assert_eq!(outside.refusal(), (404, "no_route".to_owned()));
}

#[tokio::test]
async fn operators_see_numbers() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let call = world.by_administrator("GET", "/x");
    for _ in 0..3 {
        world.call(&call).await.expect(200);
    }
    world.call(&Call::get("/x")).await.expect(401);

    let answer = world.ask_ops("/metrics").await.expect(200);

    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let kind = answer.headers.get("content-type").unwrap();
    assert!(
        kind.contains("text") || kind.contains("openmetrics"),
        "{kind}"
    );
    let value = |start: &str, label: &str| {
        let line = text.lines().find(|line| {
            line.starts_with(start) && line.contains(label) && line.contains(r#"route="/""#)
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    assert_eq!(
        value("dariet_requests", r#"status="2xx""#),
        Some(3.0),
        "{text}"
    );
    assert_eq!(
        value("dariet_requests", r#"status="4xx""#),
        Some(1.0),
        "{text}"
    );
    assert!(text.contains(r#"code="credential_missing"} 1"#), "{text}");
    for name in [
        "dariet_connections_accepted",
        "dariet_connections_open",
        "dariet_exchanges_cut",
        "dariet_admissions_live",
    ] {
        assert!(text.contains(name), "{name} is missing: {text}");
    }
}
