//! What nodes on one store have in common, beside revocations.

use std::collections::BTreeSet;

use serde_json::json;

use crate::fleet::{FIFTY_AT_ONCE, Fleet, at, replica_of};
use crate::redis_server::{RedisServer, until_following};
use crate::support::message::Call;
use crate::support::node::command;
use crate::support::within;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_brake_counts_attempts_on_all_nodes() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let brake = "[login]\nper_account_and_address = \"4 per 1h\"\nper_address = \"1000 per 1m\"\n\
                 per_account = \"1000 per 1m\"\n";
    let nodes = fleet.two_with(at(&redis), brake).await;
    let body = json!({"email": "nobody@example.com", "password": "wrong password"});
    let call = Call::post("/api/auth/login").json(&body);

    let mut statuses = Vec::new();
    for attempt in 0..6 {
        statuses.push(nodes[attempt % 2].call(&call).await.status);
    }

    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_passed_by_no_more_than_a_batch_of_each_node() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let nodes = fleet.two_with(at(&redis), FIFTY_AT_ONCE).await;
    let call = Call::get("/x").bearer(&fleet.administrator().token);
    let sent = async |node: &World| {
        let mut wire = node.wire().await;
        let mut passed = 0;
        for _ in 0..100 {
            let answer = wire.call(&call).await;
            if answer.status == 200 {
                passed += 1;
                continue;
            }
            assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
            let wait: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
            assert!(wait > 0);
        }
        passed
    };

    let (one, other) = tokio::join!(sent(&nodes[0]), sent(&nodes[1]));

    // Either node alone would let all of the burst pass.
    assert!((40..=60).contains(&(one + other)), "{one} {other}");
    assert_eq!(nodes[0].call(&call).await.status, 429);
    assert_eq!(nodes[1].call(&call).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_each_node_keeps_the_limits_by_itself() {
    let mut redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let limit = "[[limits]]\nper = \"address\"\nrate = \"1 per 1h\"\nburst = 20";
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let setup = fleet.setup(at(&redis)).toml(limit);
        let setup = setup.route("/open", "service", "public = true");
        nodes.push(setup.start_empty().await);
    }
    redis.kill();

    for node in &nodes {
        node.metric("dariet_store_link_up 0").await;
        let mut wire = node.wire().await;
        for _ in 0..20 {
            wire.call(&Call::get("/open")).await.expect(200);
        }
        let over = wire.call(&Call::get("/open")).await.refusal();
        assert_eq!(over, (429, "rate_limited".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_request_under_limits_asks_the_store_nothing() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let limits = ["principal", "key", "address", "route"]
        .map(|per| format!("[[limits]]\nper = {per:?}\nrate = \"100000 per 1s\"\n"));
    let node = fleet.setup(at(&redis)).toml(&limits.concat());
    let node = node.start_empty().await;
    let call = Call::get("/x").bearer(&fleet.new_key(0).await.key);
    let mut wire = node.wire().await;
    wire.call(&call).await.expect(200);
    // Each question to the store for a request is a script or a read of a record; what a node does beside
    // requests is neither.
    let asked = || {
        let info: String = redis.ask(&["INFO", "commandstats"]);
        let calls = |name: &str| {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            line.map_or(0, |line| {
                line.split(',').next().unwrap().parse::<u64>().unwrap()
            })
        };
        ["evalsha", "eval", "get", "hget"]
            .map(calls)
            .iter()
            .sum::<u64>()
    };

    let before = asked();
    for _ in 0..500 {
        wire.call(&call).await.expect(200);
    }

    // What was used of a key is written now and then.
    assert!(asked() - before <= 5, "{} questions", asked() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_say_how_safe_they_are() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let made = |name: &str| {
        Call::post("/api/api-keys")
            .bearer(&fleet.administrator().token)
            .json(&json!({"name": name}))
    };
    let answer = fleet.nodes[0].call(&made("alone")).await.expect(201);
    assert_eq!(answer.headers.get("dariet-durability"), Some("primary"));

    let replica = replica_of(at(&redis));
    until_following(&redis, &replica);
    // A node hears of replicas with its next beat, and says less until then. With its first replica a
    // server gives its history a new name, which is looked into.
    let replicated = async {
        loop {
            let answer = fleet.nodes[0].call(&made("together")).await;
            match (answer.status, answer.headers.get("dariet-durability")) {
                (201, Some("primary")) | (503, None) => {}
                said => return assert_eq!(said, (201, Some("replicated"))),
            }
        }
    };
    within("a change to be replicated", replicated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_was_last_used_is_known_to_all_nodes() {
    let redis = RedisServer::start();
    let mut fleet = Fleet::of(2, at(&redis)).await;
    let key = fleet.new_key(0).await;
    let call = Call::get("/x").bearer(&key.key);
    fleet.nodes[1].call(&call).await.expect(200);

    // It is written at the latest when the node ends.
    assert!(fleet.nodes[1].node_mut().stop().await.success());

    let list = Call::get("/api/api-keys").bearer(&fleet.administrator().token);
    let list = fleet.nodes[0].call(&list).await.expect(200).json();
    let found = list
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == *key.id);
    assert!(found.unwrap()["last_used_at"].is_string(), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_key_that_others_sign_with_is_not_ready() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let stranger = Fleet::of(0, at(&redis)).await;
    let node = stranger.setup(at(&redis)).start_empty().await;

    let missed = |line: &serde_json::Value| {
        let message = line["message"].as_str();
        message.is_some_and(|message| message.contains("a key that this node lacks"))
    };
    node.node()
        .log
        .wait_for("the key to be missed", missed)
        .await;

    let answer = node.ask_ops("/readyz").await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 503, "{body}");
    assert!(body.contains("signs sessions with key"), "{body}");
    fleet.nodes[0].ask_ops("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_how_it_keeps_up() {
    let mut redis = RedisServer::start();
    let fleet = Fleet::of(2, at(&redis)).await;
    let key = fleet.new_key(0).await;
    let probe = &fleet.probe(&key.key)[1];
    probe.gets(200).await;
    let node = &fleet.nodes[1];
    // The probe's connection remembers its admission; this one asks the cache.
    let call = Call::get("/x").bearer(&key.key);
    node.call(&call).await.expect(200);
    node.metric("dariet_store_link_up 1").await;
    node.metric("dariet_store_knowledge_fresh 1").await;

    fleet.revoke(0, &key).await;
    probe.gets(401).await;

    node.metric("dariet_admissions_dropped_total{reason=\"key\"} 1")
        .await;
    let metrics = node.metrics().await;
    for name in [
        "store_knowledge_age_seconds",
        "store_changes_applied_total",
        "admission_cache_hits_total",
        "admission_cache_misses_total",
    ] {
        let line = format!("dariet_{name} ");
        let line = metrics.lines().find_map(|it| it.strip_prefix(&line));
        let value = line.and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some_and(|value| value > 0.0), "{name}: {line:?}");
    }
    let round_trips = "dariet_store_change_round_trip_seconds_count ";
    let here = fleet.nodes[0].metrics().await;
    let here = here.lines().find_map(|it| it.strip_prefix(round_trips));
    assert_ne!(here, Some("0"), "its own changes come back to node 0");
    redis.kill();
    node.metric("dariet_store_knowledge_fresh 0").await;
    node.metric("dariet_store_link_up 0").await;
    for message in ["store link lost", "store knowledge stale"] {
        let log = &node.node().log;
        log.wait_for(message, |line| {
            let said = line["message"].as_str();
            said.is_some_and(|said| said.starts_with(message))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_moves_from_a_file_to_redis_and_back_without_loss() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(0, at(&redis)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, second) = (file("first.jsonl"), file("second.jsonl"));

    let embedded = crate::support::setup::Setup::before(fleet.service.address)
        .start()
        .await;
    let user = embedded.new_user("ada", "viewer").await;
    let key = embedded.new_key(&user).await;
    let gone = embedded.new_key(&user).await;
    embedded.revoke(&gone).await;
    embedded.log_out(&user).await;
    ok(&embedded.command(&["store", "export", &first], ""));

    // A node that had begun on the empty store would never believe in another.
    let (_folder, config) = fleet.setup(at(&redis)).write();
    let run = |arguments| command(&config).args(arguments).output().unwrap();
    ok(&run(["store", "import", &first]));
    ok(&run(["store", "export", &second]));
    let shared = fleet.setup(at(&redis)).start_empty().await;

    assert_eq!(records(&first), records(&second));
    let call = Call::get("/x").bearer(&key.key);
    shared.call(&call).await.expect(200);
    let call = Call::get("/x").bearer(&gone.key);
    assert_eq!(shared.call(&call).await.refusal().1, "key_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manual_names_every_metric_and_no_other() {
    let redis = RedisServer::start();
    let fleet = Fleet::of(1, at(&redis)).await;
    let embedded = crate::support::setup::Setup::before(fleet.service.address)
        .start()
        .await;

    let mut told = metrics(&embedded.metrics().await);
    told.extend(metrics(&fleet.nodes[0].metrics().await));

    let manual = include_str!("../../docs/operations.md");
    let is_metric = |word: &&str| {
        word.starts_with("dariet_") && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            // Only where there is a [mail].
            && !word.starts_with("dariet_mails_")
    };
    let named: BTreeSet<_> = manual.split('`').filter(is_metric).collect();
    let told: BTreeSet<_> = told.iter().map(String::as_str).collect();
    assert_eq!(named, told);
}

/// The names of the metrics in an answer, as they are queried.
fn metrics(answer: &str) -> BTreeSet<String> {
    let types = answer
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.map(|line| match line.split_once(' ') {
        Some((name, "counter")) => format!("{name}_total"),
        Some((name, _)) => name.to_owned(),
        None => line.to_owned(),
    });
    names.collect()
}

fn ok(output: &std::process::Output) {
    assert!(output.status.success(), "{output:?}");
}

/// What an export holds, but for what moving changes, in an order of its own.
fn records(file: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut records: Vec<serde_json::Value> = text
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for record in &mut records {
        if let Some(user) = record.get_mut("user").and_then(|user| user.as_object_mut()) {
            user.remove("epoch");
            user.remove("version");
        }
    }
    records.sort_by_key(ToString::to_string);
    records
}
