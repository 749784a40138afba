//! What clients see while the store, or the way to it, fails.
//!
//! In each the same holds: a revoked credential is not let in later than the bound, and a good one
//! is never said to be bad.

use std::time::{Duration, Instant};

use redis::Value;
use rustix::process::Signal;

use crate::fleet::{Fleet, MAX_STALENESS, PROMPT, at};
use crate::redis_server::{RedisBuilder, RedisServer};
use crate::relay::Network;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::wire::End;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_store_is_missed_within_the_bound_and_found_again() {
    let mut redis = RedisBuilder::default()
        .setting("appendonly yes")
        .setting("appendfsync always")
        .start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    doomed[1].gets(200).await;

    clients.begin();
    let revoked = fleet.revoke(0, &key).await;
    redis.kill();
    clients.all_get(503).await;
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    let refused = fleet.nodes[0].call(&call).await;
    assert!(refused.headers.has("retry-after"));
    assert_eq!(refused.refusal(), (503, "store_unavailable".to_owned()));
    redis.restart();
    clients.all_get(200).await;

    for probe in &doomed {
        assert_eq!(probe.gets(401).await.code, "key_revoked");
        probe.was_not_let_in(revoked, MAX_STALENESS);
    }
    clients.tell("store killed and started again");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_store_is_missed_within_the_bound_and_found_again() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    doomed[1].gets(200).await;

    let user = fleet.nodes[0].new_user("logs-out", "viewer").await;
    let doomed = fleet.probe(&user.token);
    doomed[1].gets(200).await;

    clients.begin();
    redis.signal(Signal::STOP);
    let log_out = Call::post("/api/auth/logout").bearer(&user.token);
    let unknown = fleet.nodes[0].call(&log_out).await;
    let said = Instant::now();
    assert_eq!(unknown.refusal(), (503, "outcome_unknown".to_owned()));
    clients.all_get(503).await;
    redis.signal(Signal::CONT);
    clients.all_get(200).await;

    // It is cancelled at once where it was asked for, and repeated until it is known.
    for probe in &doomed {
        assert_eq!(probe.gets(401).await.code, "session_revoked");
    }
    doomed[0].was_not_let_in(said, Duration::ZERO);
    clients.tell("store paused and resumed");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_lets_nobody_in_past_the_bound() {
    cut_off(Network::Cut, "connection cut").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_connection_is_half_open_lets_nobody_in_past_the_bound() {
    cut_off(Network::HalfOpen, "connection half-open").await;
}

/// One of two nodes loses the store; what is revoked on the other meanwhile must not work there.
async fn cut_off(network: Network, what: &str) {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;
    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    doomed[1].gets(200).await;

    clients.begin();
    fleet.networks[1].set(network);
    let revoked = fleet.revoke(0, &key).await;
    clients.get_from(1, 503).await;
    doomed[1].gets(503).await;
    fleet.networks[1].set(Network::Whole);
    clients.all_get(200).await;

    assert_eq!(doomed[1].gets(401).await.code, "key_revoked");
    doomed[0].was_not_let_in(revoked, Duration::ZERO);
    doomed[1].was_not_let_in(revoked, MAX_STALENESS);
    clients.tell(what);
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flicker_of_the_connection_costs_no_request() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    for connects in 2..5 {
        fleet.networks[0].set(Network::Cut);
        fleet.networks[0].set(Network::Whole);
        let connected = format!("dariet_store_link_connects_total {connects}");
        fleet.nodes[0].metric(&connected).await;
        clients.all_get(200).await;
    }

    clients.tell("connection flickers");
    clients.were_never_refused();
    clients.were_never_unavailable();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_a_second_late_is_still_fresh_enough() {
    let redis = RedisServer::start();
    let fleet = Fleet::with(2, at(&redis), "max_staleness = \"10s\"\n").await;
    let mut clients = fleet.watch().await;
    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    doomed[1].gets(200).await;

    clients.begin();
    fleet.networks[1].set(Network::Slow(Duration::from_millis(500)));
    let revoked = fleet.revoke(0, &key).await;
    doomed[1].gets(401).await;
    // Long enough for several beats.
    for _ in 0..8 {
        fleet.new_key(1).await;
    }

    doomed[1].was_not_let_in(revoked, Duration::from_millis(500) + PROMPT);
    clients.tell("store a second late");
    clients.were_never_refused();
    clients.were_never_unavailable();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_changes_and_goes_on_otherwise() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;
    let key = fleet.new_key(0).await;

    clients.begin();
    redis.ask::<Value>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = fleet.nodes[0].call(&fleet.deletion_of(&key)).await;
    assert_eq!(refused.refusal(), (503, "store_unavailable".to_owned()));
    let call = Call::get("/x").bearer(&key.key);
    fleet.nodes[1].call(&call).await.expect(200);
    redis.ask::<Value>(&["CONFIG", "SET", "maxmemory", "0"]);
    let doomed = fleet.probe(&key.key);
    let revoked = fleet.revoke(0, &key).await;
    doomed[1].gets(401).await;
    clients.all_get(200).await;

    doomed[0].was_not_let_in(revoked, Duration::ZERO);
    doomed[1].was_not_let_in(revoked, PROMPT);

    clients.tell("store full");
    clients.were_never_refused();
    clients.were_never_unavailable();
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_in_flight_go_on_past_the_bound_unless_they_are_to_be_cut() {
    let mut redis = RedisServer::start();
    let service = Scripted::start().await;
    let fleet = Fleet::of(1, at(&redis)).await;
    let mut nodes = Vec::new();
    for on_stale in ["keep", "cut"] {
        let lines = format!("url = \"{}\"\non_stale = \"{on_stale}\"\n", redis.url());
        let setup = fleet.setup(at(&redis)).store(&lines);
        let setup = setup.upstream("scripted", service.address);
        nodes.push(setup.route("/scripted", "scripted", "").start_empty().await);
    }
    let call = Call::get("/scripted").bearer(&fleet.administrator().token);
    let mut exchanges = Vec::new();
    for node in &nodes {
        let mut client = node.wire().await;
        client.send(call.bytes()).await;
        let mut answering = service.accept().await;
        answering.request().await;
        answering
            .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nmore")
            .await;
        client.head().await;
        assert_eq!(client.exactly(4).await.unwrap(), "more");
        exchanges.push((client, answering));
    }

    redis.kill();

    let (mut cut, _) = exchanges.pop().unwrap();
    let (rest, end) = cut.rest().await;
    assert_eq!((&rest[..], end), (&b""[..], End::Reset));
    nodes[0].metric("dariet_store_knowledge_fresh 0").await;
    assert_eq!(nodes[0].call(&call).await.status, 503);
    let (mut kept, mut answering) = exchanges.pop().unwrap();
    answering.send(" more").await;
    assert_eq!(kept.exactly(5).await.unwrap(), " more");
}
