//! What is revoked on one node fails on the others, in flight too.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::fleet::{Fleet, PROMPT, at};
use crate::probe::Probe;
use crate::redis_server::RedisServer;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::wire::End;
use crate::support::world::Version;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_deleted_on_one_node_fails_on_the_others() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(3, at(&redis)).await;
    let key = fleet.new_key(0).await;
    let probes = fleet.probe(&key.key);
    for probe in &probes {
        probe.gets(200).await;
    }

    let revoked = fleet.revoke(1, &key).await;

    for probe in &probes {
        let refusal = probe.gets(401).await;
        assert_eq!(refusal.code, "key_revoked");
        probe.was_not_let_in(revoked, PROMPT);
    }
    probes[1].was_not_let_in(revoked, Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_on_other_nodes_are_cut() {
    let redis = RedisServer::start();
    let service = Scripted::start().await;
    let fleet = Fleet::of(2, at(&redis)).await;
    let node = fleet.node_before(&service, at(&redis)).await;
    let key = fleet.new_key(0).await;
    let call = Call::get("/scripted").bearer(&key.key);
    let mut waiting = node.wire().await;
    waiting.send(call.bytes()).await;
    let mut unanswered = service.accept().await;
    unanswered.request().await;
    let mut reading = node.wire().await;
    reading.send(call.bytes()).await;
    let mut answering = service.accept().await;
    answering.request().await;
    answering
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nmore")
        .await;
    reading.head().await;
    assert_eq!(reading.exactly(4).await.unwrap(), "more");

    fleet.revoke(1, &key).await;

    let refusal = waiting.answer("GET").await.refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
    let (rest, end) = reading.rest().await;
    assert_eq!((&rest[..], end), (&b""[..], End::Reset));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_revocation_reaches_the_other_nodes() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let (here, there) = (&fleet.nodes[0], &fleet.nodes[1]);

    let user = here.new_user("logs-out", "viewer").await;
    let probe = Probe::of(there, &user.token);
    probe.gets(200).await;
    here.log_out(&user).await;
    assert_eq!(probe.gets(401).await.code, "session_revoked");

    let user = here.new_user("changes-password", "viewer").await;
    let key = here.new_key(&user).await;
    let (probe, kept) = (Probe::of(there, &user.token), Probe::of(there, &key.key));
    probe.gets(200).await;
    let renewed = here.change_password(&user, "another-long-password-7").await;
    assert_eq!(probe.gets(401).await.code, "session_revoked");
    Probe::of(there, &renewed.token).gets(200).await;
    kept.gets(200).await;
    kept.was_never_refused();

    let user = here.new_user("is-deactivated", "viewer").await;
    let key = here.new_key(&user).await;
    let probe = Probe::of(there, &key.key);
    probe.gets(200).await;
    here.patch_user(&user, &json!({"is_active": false})).await;
    assert_eq!(probe.gets(401).await.code, "user_inactive");
    here.patch_user(&user, &json!({"is_active": true})).await;
    probe.gets(200).await;
    here.delete_user(&user).await;
    probe.gets(401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_counts_on_every_node() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let (here, there) = (&fleet.nodes[0], &fleet.nodes[1]);
    let user = here.new_user("rises", "viewer").await;
    let list = Call::get("/api/auth/users").bearer(&user.token);
    there.call(&list).await.expect(403);

    here.patch_user(&user, &json!({"role": "admin"})).await;

    let since = Instant::now();
    while there.call(&list).await.status != 200 {
        assert!(since.elapsed() < PROMPT, "the old role still counts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_works_on_every_node_at_once() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;

    for _ in 0..50 {
        let key = fleet.new_key(0).await;
        let call = Call::get("/x").bearer(&key.key);
        fleet.nodes[1].call(&call).await.expect(200);
    }
    let user = fleet.nodes[1].new_user("new", "viewer").await;
    for version in Version::ALL {
        let mut client = fleet.nodes[0].client(version).await;
        let me = Call::get("/api/auth/me").bearer(&user.token);
        client.call(&me).await.expect(200);
    }
}
