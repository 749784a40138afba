//! Nodes whose machines disagree on the time.

use std::time::Duration;

use crate::fleet::{Fleet, PROMPT, at};
use crate::redis_server::RedisServer;
use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::Call;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_clocks_are_a_minute_apart_take_each_others_sessions() {
    let redis = RedisServer::start();
    let mut fleet = Fleet::of(1, at(&redis)).await;
    for ahead in ["-60s", "+60s"] {
        let mut node = fleet.setup(at(&redis)).clock(ahead).start_empty().await;
        node.set_administrator(fleet.administrator().clone());
        fleet.nodes.push(node);
    }

    let mut sessions = Vec::new();
    for node in &fleet.nodes {
        sessions.push(node.log_in(ADMINISTRATOR, PASSWORD).await);
    }

    for (issuer, session) in sessions.iter().enumerate() {
        for (asked, node) in fleet.nodes.iter().enumerate() {
            let answer = node.call(&Call::get("/x").bearer(&session.token)).await;
            let status = answer.status;
            assert_eq!(status, 200, "of node {issuer} at node {asked}: {answer:?}");
        }
    }
    for node in &fleet.nodes[1..] {
        let differs = |line: &serde_json::Value| line["ahead_ms"].is_i64();
        let told = node.node().log.wait_for("the difference", differs).await;
        let ahead = told["ahead_ms"].as_i64().unwrap().unsigned_abs();
        assert!((59_000..61_000).contains(&ahead), "{told}");
    }
    let key = fleet.new_key(1).await;
    let doomed = fleet.probe(&key.key);
    for probe in &doomed {
        probe.gets(200).await;
    }
    let revoked = fleet.revoke(2, &key).await;
    for probe in &doomed {
        probe.gets(401).await;
        probe.was_not_let_in(revoked, PROMPT);
    }
    doomed[2].was_not_let_in(revoked, Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_days_off_is_an_error_that_somebody_must_see() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(0, at(&redis)).await;

    let node = fleet.setup(at(&redis)).clock("+3d").start_empty().await;

    let is_told = |line: &serde_json::Value| line["level"] == "ERROR" && line["ahead_ms"].is_i64();
    node.node().log.wait_for("the error", is_told).await;
    let metrics = node.metrics().await;
    let difference = metrics
        .lines()
        .find_map(|line| line.strip_prefix("dariet_store_clock_difference_seconds "));
    let difference = difference.and_then(|seconds| seconds.parse::<f64>().ok());
    assert!(
        difference.is_some_and(|seconds| (seconds - 3.0 * 86_400.0).abs() < 60.0),
        "{difference:?}"
    );
}
