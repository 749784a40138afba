//! What clients see while the store, or the way to it, fails.
//!
//! In each the same holds: a revoked credential is not let in later than the bound, and a good one
//! is never said to be bad.

use std::time::Duration;

use redis::Value;
use rustix::process::Signal;
use serde_json::json;

use crate::fleet::{Fleet, MAX_STALENESS, PROMPT, at};
use crate::redis_server::{RedisBuilder, RedisServer};
use crate::relay::Network;
use crate::support::message::Call;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_store_is_missed_within_the_bound_and_found_again() {
    let mut redis = RedisBuilder::default()
        .setting("appendonly yes")
        .setting("appendfsync always")
        .start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    redis.kill();
    clients.all_get(503).await;
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    let refused = fleet.nodes[0].call(&call).await;
    assert!(refused.headers.has("retry-after"));
    assert_eq!(refused.refusal(), (503, "store_unavailable".to_owned()));
    redis.restart();
    clients.all_get(200).await;

    clients.tell("store killed and started again");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_store_is_missed_within_the_bound_and_found_again() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    redis.signal(Signal::STOP);
    clients.all_get(503).await;
    redis.signal(Signal::CONT);
    clients.all_get(200).await;

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
    for _ in 0..3 {
        fleet.networks[0].set(Network::Cut);
        fleet.networks[0].set(Network::Whole);
        fleet.nodes[0]
            .node()
            .log
            .wait_for("the link to be back", |line| {
                line["message"] == "store link up"
            })
            .await;
        clients.all_get(200).await;
    }

    clients.tell("connection flickers");
    clients.were_never_refused();
    clients.were_never_unavailable();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_a_second_late_is_still_fresh_enough() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
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
    let call =
        Call::delete(&format!("/api/api-keys/{}", key.id)).bearer(&fleet.administrator().token);
    let refused = fleet.nodes[0].call(&call).await;
    assert_eq!(refused.refusal(), (503, "store_unavailable".to_owned()));
    let call = Call::get("/x").bearer(&key.key);
    fleet.nodes[1].call(&call).await.expect(200);
    redis.ask::<Value>(&["CONFIG", "SET", "maxmemory", "0"]);
    fleet.revoke(0, &key).await;
    clients.all_get(200).await;

    clients.tell("store full");
    clients.were_never_refused();
    clients.were_never_unavailable();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lost_everything_is_not_taken_for_the_old_one() {
    let redis = RedisServer::start();
    let other = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    for network in &fleet.networks {
        network.lead_to(at(&other));
    }
    clients.all_get(503).await;
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    for node in &fleet.nodes {
        node.node()
            .log
            .wait_for("the store to be missed", |line| {
                line["message"] == "store replaced"
            })
            .await;
        let refusal = node.call(&call).await.refusal();
        assert_eq!(refusal, (503, "store_replaced".to_owned()));
    }
    assert_eq!(other.ask::<u64>(&["DBSIZE"]), 0);
    for network in &fleet.networks {
        network.lead_to(at(&redis));
    }
    clients.all_get(200).await;

    clients.tell("empty store in the old one's place");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_at_the_same_address_is_not_taken_for_the_old_one() {
    let (redis, other) = (RedisServer::start(), RedisServer::start());
    let fleet = Fleet::of(2, at(&redis)).await;
    let stranger = Fleet::of(1, at(&other)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    fleet.networks[1].lead_to(at(&other));
    clients.get_from(1, 503).await;
    let call = Call::get("/x").bearer(&stranger.administrator().token);
    let refusal = fleet.nodes[1].call(&call).await.refusal();
    assert_eq!(refusal.0, 503, "{}", refusal.1);
    fleet.networks[1].lead_to(at(&redis));
    clients.all_get(200).await;

    clients.tell("another store");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_became_a_replica_is_not_believed() {
    let (redis, other) = (RedisServer::start(), RedisServer::start());
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    let port = at(&other).port().to_string();
    // What a failover does to the old primary; here the new one is empty, and nobody follows it.
    redis.ask::<Value>(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
    other.signal(Signal::STOP);
    redis.ask::<Value>(&["REPLICAOF", "127.0.0.1", &port]);
    clients.all_get(503).await;
    let change = Call::new(
        "PATCH",
        &format!("/api/auth/users/{}", fleet.administrator().user),
    )
    .bearer(&fleet.administrator().token)
    .json(&json!({"name": "Other"}));
    assert_eq!(fleet.nodes[0].call(&change).await.status, 503);
    redis.ask::<Value>(&["REPLICAOF", "NO", "ONE"]);
    other.signal(Signal::CONT);
    clients.all_get(200).await;

    clients.tell("store demoted and promoted again");
    clients.were_never_refused();
}
