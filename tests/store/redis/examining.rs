//! What is said of how a server is set up.

use super::world::{opened, settings, settings_with, store};
use crate::redis_server::{Cluster, RedisBuilder, RedisServer, until_following};
use crate::support::wait;

/// What is found, as `severity: message` each.
fn found(url: &str, more: &str) -> Vec<String> {
    let store = store(&settings_with(url, more));
    let findings = wait(store.examine()).unwrap();
    findings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_found(findings: &[String], expected: &[&str]) {
    assert_eq!(findings.len(), expected.len(), "{findings:#?}");
    for (finding, expected) in findings.iter().zip(expected) {
        let (severity, words) = expected.split_once(": ").unwrap();
        assert!(
            finding.starts_with(severity) && finding.contains(words),
            "{findings:#?}"
        );
    }
}

#[test]
fn a_server_that_keeps_nothing_is_warned_of_and_nothing_is_left_on_it() {
    let server = RedisServer::start();

    let findings = found(&server.url(), "");

    assert_found(
        &findings,
        &["warning: keeps nothing on its disk", "note: no replica"],
    );
    assert!(server.ask::<Vec<String>>(&["KEYS", "*"]).is_empty());
}

#[test]
fn how_much_is_lost_depends_on_how_it_is_kept() {
    for (setting, expected) in [
        ("save 60 1", "warning: now and then"),
        ("appendonly yes", "note: the last second"),
    ] {
        let server = RedisBuilder::default().setting(setting).start();
        assert_found(&found(&server.url(), ""), &[expected, "note: no replica"]);
    }
    let server = RedisBuilder::default()
        .setting("appendonly yes")
        .setting("appendfsync always");
    let server = server.start();
    assert_found(&found(&server.url(), ""), &["note: no replica"]);
}

#[test]
fn a_server_that_evicts_is_an_error_unless_it_is_allowed() {
    let server = RedisBuilder::default()
        .setting("appendonly yes")
        .setting("appendfsync always")
        .setting("maxmemory-policy allkeys-lru")
        .start();
    let note = "note: no replica";

    let refused = found(&server.url(), "");
    let allowed = found(&server.url(), "allow_eviction = true");

    assert_found(&refused, &["error: maxmemory-policy allkeys-lru", note]);
    assert_found(&allowed, &["warning: maxmemory-policy allkeys-lru", note]);
}

#[test]
fn a_primary_that_takes_changes_alone_is_warned_of() {
    let safe = || {
        RedisBuilder::default()
            .setting("appendonly yes")
            .setting("appendfsync always")
    };
    let primary = safe().start();
    let replica = RedisBuilder::default().replica_of(primary.port).start();
    until_following(&primary, &replica);

    assert_found(
        &found(&primary.url(), ""),
        &["warning: min-replicas-to-write 0"],
    );
    primary.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_found(&found(&primary.url(), ""), &[]);
}

#[test]
fn rights_that_are_missing_are_named_and_settings_that_may_not_be_read_are_warned_of() {
    let server = RedisBuilder::default()
        .setting("appendonly yes")
        .setting("user gateway on >hunter2 ~* +@all -zadd -xadd -config")
        .start();

    let findings = found(
        &server.url(),
        "user = 'gateway'\npassword = '${REDIS_PASSWORD}'",
    );

    let expected = [
        "error: use ZADD, XADD;",
        "note: the last second",
        "note: no replica",
    ];
    assert_found(&findings, &expected);
    server.ask::<()>(&["CONFIG", "SET", "appendonly", "no"]);
    let findings = found(
        &server.url(),
        "user = 'gateway'\npassword = '${REDIS_PASSWORD}'",
    );
    assert_found(
        &findings[1..2],
        &["warning: does not tell whether it saves"],
    );
}

#[test]
fn each_right_that_a_node_needs_is_missed() {
    let manual = include_str!("../../../docs/configuration.md");
    let begin = manual.find("user gateway on >PASSWORD").unwrap();
    let line = manual[begin..].split("```").next().unwrap();
    let rights: Vec<_> = line.split_whitespace().collect();
    let server = RedisServer::start();
    let account = "user = 'gateway'\npassword = '${REDIS_PASSWORD}'";
    let allow_all_but = |left_out: &str| {
        let allowed = rights[3..].iter().filter(|right| **right != left_out);
        let allowed: Vec<_> = allowed
            .map(|right| right.replace("PASSWORD", "hunter2"))
            .collect();
        let mut words = vec!["ACL", "SETUSER", "gateway", "reset", "on"];
        words.extend(allowed.iter().map(String::as_str));
        server.ask::<()>(&words);
    };
    allow_all_but("");
    let well = found(&server.url(), account);
    assert_found(&well, &["warning: keeps nothing", "note: no replica"]);

    // Without some of them nobody gets as far, and others are for one kind of server alone.
    let others = ["+info", "+select", "+config|get", "+cluster|slots"];
    let commands = rights.iter().filter(|right| right.starts_with('+'));
    for right in commands.filter(|right| !others.contains(right)) {
        allow_all_but(right);
        let name = right[1..].to_uppercase();
        let findings = found(&server.url(), account);
        let severity = if name.ends_with("SCAN") {
            "warning: redis does not let our user use"
        } else {
            "error: redis does not let our user use"
        };
        assert!(
            findings[0].starts_with(&format!("{severity} {name}")),
            "{name}: {findings:#?}"
        );
    }

    allow_all_but("~dk:rl:*");
    let findings = found(&server.url(), account);
    assert!(
        findings[0].contains("use keys that begin with dk:rl:;"),
        "{findings:#?}"
    );
}

#[test]
fn a_wrong_password_says_so() {
    let server = RedisBuilder::default()
        .setting("requirepass secret")
        .start();

    let store = store(&settings_with(
        &server.url(),
        "password = '${REDIS_PASSWORD}'",
    ));
    let error = super::world::connect(&store).unwrap_err().to_string();

    assert!(
        error.contains("neither our user nor our password"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_cluster_and_a_single_server_are_told_apart() {
    let cluster = Cluster::start(0);
    let (_, beat) = opened(&settings(&cluster.url()));
    let (host, port) = beat
        .server
        .0
        .rsplit(' ')
        .next()
        .unwrap()
        .split_once(':')
        .unwrap();
    let single = RedisServer::start();

    let as_single = found(&format!("redis://{host}:{port}"), "");
    assert!(
        as_single[0].contains("write redis+cluster:// instead"),
        "{as_single:?}"
    );
    let store = store(&settings(&format!(
        "redis+cluster://127.0.0.1:{}",
        single.port
    )));
    let error = wait(store.examine()).unwrap_err().to_string();
    assert!(error.contains("cluster support disabled"), "{error}");
}
