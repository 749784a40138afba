//! Another configuration for a node that shares its store with others.

use rustix::process::Signal;

use crate::fleet::{FIFTY_AT_ONCE, Fleet, at};
use crate::redis_server::RedisServer;
use crate::support::message::Call;
use crate::support::reloading::{add, exchange};
use crate::support::service::Scripted;
use crate::support::world::World;

/// A route that anybody may use.
fn public(path: &str) -> String {
    format!("[[routes]]\npath = {path:?}\nupstream = \"service\"\npublic = true")
}

/// A number in a node's metrics.
async fn number(node: &World, name: &str) -> u64 {
    let metrics = node.metrics().await;
    let line = format!("dariet_{name} ");
    let value = metrics.lines().find_map(|it| it.strip_prefix(&line));
    value.unwrap().parse().unwrap()
}

/// Has a node read its file by the signal, and waits until it has.
async fn signal(node: &World) {
    let before = number(node, "config_generation").await;
    node.node().signal(Signal::HUP);
    node.metric(&format!("dariet_config_generation {}", before + 1))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_costs_no_client_an_answer_and_no_node_its_link() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let mut clients = fleet.watch().await;
    let (one, other) = (&fleet.nodes[0], &fleet.nodes[1]);
    let links = (
        number(one, "store_link_connects_total").await,
        number(other, "store_link_connects_total").await,
    );

    clients.begin();
    for round in 0..5 {
        let path = format!("/open-{round}");
        for node in [one, other] {
            node.call(&Call::get(&path)).await.expect(401);
            node.edit(add(&public(&path)));
        }
        let said = one.reload();
        assert!(said.contains(&format!("route {path:?} added")), "{said}");
        signal(other).await;
        for node in [one, other] {
            node.call(&Call::get(&path)).await.expect(200);
        }
        clients.all_get(200).await;
    }

    clients.were_never_unavailable();
    clients.were_never_refused();
    let links_now = (
        number(one, "store_link_connects_total").await,
        number(other, "store_link_connects_total").await,
    );
    assert_eq!(links_now, links);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_a_reload_is_cut_by_another_node_as_ever() {
    let redis = RedisServer::start();
    let service = Scripted::start().await;
    let fleet = Fleet::of(1, at(&redis)).await;
    let node = fleet.node_before(&service, at(&redis)).await;
    let key = fleet.new_key(0).await;
    let mut waiting = node.wire().await;
    waiting
        .send(Call::get("/scripted").bearer(&key.key).bytes())
        .await;
    let mut unanswered = service.accept().await;
    unanswered.request().await;
    let again = Call::get("/x").bearer(&key.key);
    let mut kept = node.wire().await;
    kept.call(&again).await.expect(200);

    node.edit(add(&public("/open")));
    node.reload();
    kept.call(&again).await.expect(200);
    fleet.revoke(0, &key).await;

    let refusal = waiting.answer("GET").await.refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
    let refusal = kept.call(&again).await.refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_stays_is_kept_together_with_the_others() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let nodes = fleet.two_with(at(&redis), FIFTY_AT_ONCE).await;
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    let sent = async |node: &World, count: usize| {
        let mut wire = node.wire().await;
        let mut passed = 0;
        for _ in 0..count {
            passed += usize::from(wire.call(&call).await.status == 200);
        }
        passed
    };

    let mut passed = sent(&nodes[0], 20).await + sent(&nodes[1], 20).await;
    assert_eq!(passed, 40);
    for node in &nodes {
        node.edit(add(&public("/open")));
        node.reload();
    }
    passed += sent(&nodes[0], 50).await + sent(&nodes[1], 50).await;

    assert!((40..=60).contains(&passed), "{passed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_needs_no_store() {
    let mut redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let node = &fleet.nodes[0];
    redis.kill();
    node.metric("dariet_store_knowledge_fresh 0").await;

    node.edit(add(&public("/open")));
    node.reload();

    node.call(&Call::get("/open")).await.expect(200);
    let signed_in = Call::get("/x").bearer(&fleet.administrator().token);
    assert_eq!(node.call(&signed_in).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_needs_a_restart() {
    let redis = RedisServer::start();
    let fleet = Fleet::with(1, at(&redis), "max_staleness = \"3s\"").await;
    let node = &fleet.nodes[0];
    let port = fleet.networks[0].address.port();

    node.edit(add(&public("/open")));
    node.edit(exchange("max_staleness = \"3s\"", "max_staleness = \"4s\""));
    let said = node.refused_reload();
    assert!(
        said.contains("store is another, which takes a restart"),
        "{said}"
    );
    node.edit(exchange("max_staleness = \"4s\"", "max_staleness = \"3s\""));
    node.edit(exchange(&format!("127.0.0.1:{port}"), "127.0.0.1:1"));
    node.refused_reload();

    node.call(&Call::get("/open")).await.expect(401);
    let signed_in = Call::get("/x").bearer(&fleet.administrator().token);
    node.call(&signed_in).await.expect(200);
}
