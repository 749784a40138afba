//! The command line and the start of a node, with a store in Redis.

use std::path::Path;

use redis::Value;
use serde_json::json;

use crate::fleet::{Fleet, at};
use crate::redis_server::{RedisBuilder, RedisServer};
use crate::support::message::Call;
use crate::support::node::{Node, command};
use crate::support::service::Service;
use crate::support::setup::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_while_no_node_runs_and_bite_on_those_that_run_elsewhere() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let key = fleet.new_key(0).await;
    let doomed = &fleet.probe(&key.key)[0];
    doomed.gets(200).await;
    // Another machine's configuration, on which no node runs.
    let (_folder, config) = fleet.setup(at(&redis)).write();
    let run = |arguments: &[&str]| {
        let ran = command(&config).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ran.stdout).unwrap()
    };

    let made = run(&[
        "--json",
        "user",
        "create",
        "ada@example.com",
        "--name",
        "Ada",
    ]);
    assert!(run(&["user", "list"]).contains("ada@example.com"));
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let password = made["password"].as_str().unwrap();
    fleet.nodes[0].log_in("ada@example.com", password).await;
    run(&["key", "revoke", &key.id]);

    assert_eq!(doomed.gets(401).await.code, "key_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_says_why_it_cannot_reach_the_store() {
    let mut redis = RedisServer::start();
    let fleet = Fleet::of(0, at(&redis)).await;
    let (_folder, config) = fleet.setup(at(&redis)).write();
    redis.kill();

    let ran = command(&config).args(["user", "list"]).output().unwrap();

    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ran.stderr);
    let address = at(&redis).to_string();
    assert!(said.contains(&format!("redis at {address}")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_says_what_could_be_lost_and_fails_where_no_node_must_run() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(0, at(&redis)).await;
    let (_folder, config) = fleet.setup(at(&redis)).write();
    let check = |arguments: &[&str]| {
        let ran = command(&config).arg("check").args(arguments).output();
        let ran = ran.unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        (ran.status.code(), said, ran.stdout)
    };

    let (code, said, _) = check(&["--online"]);
    assert_eq!(code, Some(0), "{said}");
    let lost = "warning: redis keeps nothing on its disk";
    assert!(said.contains(lost), "{said}");
    assert!(
        !check(&[]).1.contains(lost),
        "without --online nobody is asked"
    );
    let (_, _, json) = check(&["--online", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["findings"][0]["severity"], "warning");
    assert_eq!(json["findings"][1]["severity"], "note");

    redis.ask::<Value>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let (code, said, _) = check(&["--online"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: redis has maxmemory-policy"), "{said}");
    let mut node = Node::spawn(&config);
    assert_eq!(node.exited().await.code(), Some(1));
    let said = node.log.text();
    assert!(said.contains("set it to noeviction"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redis_of_the_example_has_what_nodes_need_and_lets_them_do_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (redis, account) = redis_of_the_example(folder.path());

    let fleet = Fleet::with(2, at(&redis), &account).await;

    let (here, there) = (&fleet.nodes[0], &fleet.nodes[1]);
    let user = here.new_user("ada", "viewer").await;
    let key = here.new_key(&user).await;
    let doomed = &fleet.probe(&key.key)[1];
    doomed.gets(200).await;
    let list = Call::get("/api/auth/users").bearer(&fleet.administrator().token);
    there.call(&list).await.expect(200);
    let renewed = there
        .change_password(&user, "another-long-password-7")
        .await;
    there.log_out(&renewed).await;
    here.revoke(&key).await;
    doomed.gets(401).await;
    there.delete_user(&user).await;
    let checked = here.command(&["check", "--online", "--json"], "");
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let findings = checked["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(
        findings[0]["message"]
            .as_str()
            .unwrap()
            .contains("no replica")
    );
    for node in &fleet.nodes {
        let log = node.node().log.text();
        assert!(!log.contains("NOPERM") && !log.contains("ACL"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redis_of_the_example_lets_an_export_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let (redis, account) = redis_of_the_example(folder.path());
    let embedded = Setup::before(Service::echo().await.address).start().await;
    let user = embedded.new_user("ada", "viewer").await;
    let key = embedded.new_key(&user).await;
    let file = folder.path().join("moved.jsonl").display().to_string();
    let exported = embedded.command(&["store", "export", &file], "");
    assert!(exported.status.success(), "{exported:?}");

    let fleet = Fleet::with(0, at(&redis), &account).await;
    let (_folder, config) = fleet.setup(at(&redis)).write();
    let back = folder.path().join("back.jsonl").display().to_string();
    for arguments in [["store", "import", &file], ["store", "export", &back]] {
        let ran = command(&config).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }

    let node = fleet.setup(at(&redis)).start_empty().await;
    node.call(&Call::get("/x").bearer(&key.key))
        .await
        .expect(200);
}

/// The Redis of the example, but for its place and port, and the account of the gateway there.
fn redis_of_the_example(folder: &Path) -> (RedisServer, String) {
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let users = include_str!("../../deploy/redis-users.acl");
    let users = file("users.acl", &users.replace("PASSWORD", "hunter2"));
    let password = file("password", "hunter2\n");
    let mut redis = RedisBuilder::default().setting(format!("aclfile {users}"));
    for line in include_str!("../../deploy/redis.conf").lines() {
        // The rest is where it stands.
        if !["#", "bind", "port", "dir", "aclfile"]
            .iter()
            .any(|it| line.starts_with(it))
        {
            redis = redis.setting(line);
        }
    }
    let account = format!("user = \"gateway\"\npassword_file = {password:?}\n");
    (redis.start(), account)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_before_its_store_serves_as_soon_as_that_is_there() {
    let mut redis = RedisBuilder::default().setting("appendonly yes").start();
    let fleet = Fleet::of(1, at(&redis)).await;
    redis.kill();

    let node = fleet.setup(at(&redis)).start_empty().await;
    node.ask_ops("/readyz").await.expect(503);
    let log = &node.node().log;
    let is_not_ready = |line: &serde_json::Value| line["message"] == "not ready";
    let line = log.wait_for("the reason", is_not_ready).await;
    assert!(line["reason"].is_string(), "{line}");
    let is_ready = |line: &serde_json::Value| line["message"] == "ready";
    assert!(!log.json().iter().any(is_ready), "{}", log.text());
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    let refusal = node.call(&call).await.refusal();
    assert_eq!(refusal, (503, "store_unavailable".to_owned()));
    redis.restart();
    node.metric("dariet_store_knowledge_fresh 1").await;

    node.ask_ops("/readyz").await.expect(200);
    log.wait_for("the node to be ready", is_ready).await;
    node.call(&call).await.expect(200);
    let body = json!({"name": "made there"});
    let create = Call::post("/api/api-keys").json(&body);
    let create = create.bearer(&fleet.administrator().token);
    node.call(&create).await.expect(201);
}
