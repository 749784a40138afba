//! Another server answers where the store was, or the same one without what it held.

use redis::Value;
use rustix::process::Signal;
use serde_json::json;

use crate::fleet::{Fleet, MAX_STALENESS, at};
use crate::probe::Seen;
use crate::redis_server::RedisServer;
use crate::support::message::Call;
use crate::support::within;
use crate::support::world::World;

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
                line["message"]
                    .as_str()
                    .is_some_and(|it| it.starts_with("store replaced"))
            })
            .await;
        let refusal = node.call(&call).await.refusal();
        assert_eq!(refusal, (503, "store_replaced".to_owned()));
    }
    assert_eq!(other.ask::<u64>(&["DBSIZE"]), 0);
    for node in &fleet.nodes {
        let connects = connects(node).await;
        let looked = async { while self::connects(node).await < connects + 3 {} };
        within("the store to be looked for", looked).await;
        let log = node.node().log.text();
        assert_eq!(log.matches("store link found no store").count(), 1, "{log}");
    }
    for network in &fleet.networks {
        network.lead_to(at(&redis));
    }
    clients.all_get(200).await;

    clients.tell("empty store in the old one's place");
    clients.were_never_refused();
}

/// How often a node has come to a server of the store.
async fn connects(node: &World) -> u64 {
    let metrics = node.metrics().await;
    let name = "dariet_store_link_connects_total ";
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_empty_after_a_restart_is_refused_until_an_operator_accepts_it() {
    let mut redis = RedisServer::start();
    let mut fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;

    clients.begin();
    redis.restart();
    let replaced = |seen: &Seen| seen.code == "store_replaced";
    clients.all_find("the store to be missed", replaced).await;
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]), 0);
    clients.were_never_refused();
    drop(clients);
    fleet.nodes[0].ask_ops("/readyz").await.expect(503);
    assert!(fleet.nodes[0].node_mut().stop().await.success());
    fleet.nodes[0].start().await;

    // The restarted node begins a new store, in which nobody is; the other still waits for the old one.
    fleet.nodes[0].ask_ops("/readyz").await.expect(200);
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    assert_eq!(fleet.nodes[0].call(&call).await.status, 401);
    let refusal = fleet.nodes[1].call(&call).await.refusal();
    assert_eq!(refusal, (503, "store_replaced".to_owned()));
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
    let call = Call::get("/x").bearer(&stranger.new_key(0).await.key);
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
    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    doomed[1].gets(200).await;

    clients.begin();
    let revoked = fleet.revoke(0, &key).await;
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

    for probe in &doomed {
        probe.gets(401).await;
        probe.was_not_let_in(revoked, MAX_STALENESS);
    }
    clients.tell("store demoted and promoted again");
    clients.were_never_refused();
}
