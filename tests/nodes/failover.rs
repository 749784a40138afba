//! A replica takes over from the primary: writes may be lost, and both may think they are it.

use std::time::{Duration, Instant};

use redis::Value;

use crate::fleet::{Fleet, MAX_STALENESS, PROMPT, at, replica_of};
use crate::redis_server::{RedisServer, Sentinels, until_following};
use crate::relay::{Network, Relay};

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_was_lost_in_a_failover_is_sent_again() {
    let primary = RedisServer::start();
    let way = Relay::to(at(&primary)).await;
    let replica = replica_of(way.address);
    let mut fleet = Fleet::with(2, at(&primary), "require_replica = false\n").await;
    let mut clients = fleet.watch().await;
    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    for probe in &doomed {
        probe.gets(200).await;
    }
    until_following(&primary, &replica);

    clients.begin();
    way.set(Network::HalfOpen);
    let deletion = fleet.nodes[0].call(&fleet.deletion_of(&key)).await;
    let revoked = Instant::now();
    let deletion = deletion.expect(204);
    assert_eq!(deletion.headers.get("dariet-durability"), Some("primary"));
    doomed[1].gets(401).await;
    replica.ask::<Value>(&["REPLICAOF", "NO", "ONE"]);
    for network in &fleet.networks {
        network.lead_to(at(&replica));
    }
    for node in 0..fleet.nodes.len() {
        fleet.doubts(node, "server").await;
    }
    clients.all_get(200).await;

    for probe in &doomed {
        probe.gets(401).await;
        probe.was_not_let_in(revoked, PROMPT);
    }
    // A node that knows nothing of it is told by the store.
    fleet.join(at(&replica)).await;
    let refusal = fleet.probe(&key.key).pop().unwrap().gets(401).await;
    assert_eq!(refusal.code, "key_revoked");
    clients.tell("failover that lost a revocation");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_cut_off_with_its_clients_is_not_believed() {
    let primary = RedisServer::start();
    let way = Relay::to(at(&primary)).await;
    let replica = replica_of(way.address);
    let fleet = Fleet::of(2, at(&primary)).await;
    let mut clients = fleet.watch().await;
    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    doomed[0].gets(200).await;
    until_following(&primary, &replica);

    // The old primary and node 0 see each other, and nobody else; node 1 follows the new one.
    clients.begin();
    way.set(Network::HalfOpen);
    replica.ask::<Value>(&["REPLICAOF", "NO", "ONE"]);
    fleet.networks[1].lead_to(at(&replica));
    fleet.doubts(1, "server").await;
    clients.get_from(1, 200).await;
    let revoked = fleet.revoke(1, &key).await;
    clients.get_from(0, 503).await;

    doomed[0].was_not_let_in(revoked, MAX_STALENESS);
    doomed[1].was_not_let_in(revoked, Duration::ZERO);
    fleet.networks[0].lead_to(at(&replica));
    clients.all_get(200).await;
    assert_eq!(doomed[0].gets(401).await.code, "key_revoked");
    clients.tell("split brain");
    clients.were_never_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_by_sentinels_is_followed_and_what_was_revoked_before_stays_so() {
    let redis = Sentinels::start();
    let mut fleet = Fleet::of(1, at(&redis.servers[0])).await;
    let store = format!("url = \"{}\"\n", redis.url());
    for _ in 0..2 {
        let setup = fleet.setup(at(&redis.servers[0])).store(&store);
        let mut node = setup.start_empty().await;
        node.set_administrator(fleet.administrator().clone());
        fleet.nodes.push(node);
    }
    // The first one knows no Sentinels.
    fleet.nodes.remove(0);
    let mut clients = fleet.watch().await;
    let key = fleet.new_key(0).await;
    let doomed = fleet.probe(&key.key);
    for probe in &doomed {
        probe.gets(200).await;
    }
    let revoked = fleet.revoke(0, &key).await;

    clients.begin();
    redis.sentinels[0].ask::<Value>(&["SENTINEL", "FAILOVER", "mymaster"]);
    for node in 0..fleet.nodes.len() {
        fleet.doubts(node, "server").await;
    }
    clients.all_get(200).await;

    for probe in &doomed {
        probe.gets(401).await;
        probe.was_not_let_in(revoked, PROMPT);
    }
    let made = fleet.new_key(1).await;
    fleet.probe(&made.key)[0].gets(200).await;
    clients.tell("failover by Sentinels");
    clients.were_never_refused();
}
