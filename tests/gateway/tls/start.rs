use rustls::version::{TLS12, TLS13};

use super::authority::{Authority, client, connect};
use crate::support::node::{Node, command};
use crate::support::setup::Setup;
use crate::support::world::World;

const LISTED: &str = r#"
[[server.tls.certificates]]
certificate = "a.crt"
private_key = "a.key"
[[server.tls.certificates]]
certificate = "b.crt"
private_key = "b.key"
"#;

#[tokio::test]
async fn every_certificate_that_cannot_be_used_is_named() {
    let authority = Authority::new("Start");
    let good = authority.host(&["a.example"]);
    let expired = authority.host_with(&["b.example"], |params| {
        params.not_after = rcgen::date_time_ymd(2024, 2, 29);
    });
    let early = authority.host_with(&["b.example"], |params| {
        params.not_before = rcgen::date_time_ymd(2999, 1, 1);
    });
    let mut stranger = authority.host(&["b.example"]);
    stranger.key = authority.host(&["b.example"]).key;
    let mut garbled = authority.host(&["b.example"]);
    garbled.certificate = good.key.clone();
    for (b, words) in [
        (&expired, ["b.crt", "has expired on 2024-02-29T00:00:00"]),
        (&early, ["b.crt", "is not valid before 2999-01-01T00:00:00"]),
        (&stranger, ["b.key", "cannot be used together"]),
        (&garbled, ["b.crt", "holds no certificate"]),
        (
            &authority.host(&["x.example", "a.example"]),
            ["a.crt", "both for a.example"],
        ),
        (&authority.host(&["10.0.0.7"]), ["b.crt", "names no host"]),
    ] {
        let (folder, config) = Setup::new().tls(LISTED).write();
        good.write(folder.path(), "a");
        b.write(folder.path(), "b");

        let mut node = Node::spawn(&config);

        assert_eq!(node.exited().await.code(), Some(78));
        let why = node.log.text();
        assert!(
            words.iter().all(|word| why.contains(word)),
            "{words:?}: {why}"
        );
        let checked = command(&config).arg("check").output().unwrap();
        assert_eq!(checked.status.code(), Some(78), "{words:?}");
    }
}

#[tokio::test]
async fn several_that_cannot_be_used_are_named_at_once() {
    let authority = Authority::new("Several");
    let (folder, config) = Setup::new().tls(LISTED).write();
    let expired = authority.host_with(&["a.example"], |params| {
        params.not_after = rcgen::date_time_ymd(2024, 2, 29);
    });
    expired.write(folder.path(), "a");

    let mut node = Node::spawn(&config);

    assert_eq!(node.exited().await.code(), Some(78));
    let why = node.log.text();
    assert!(why.contains("a.crt") && why.contains("b.crt"), "{why}");
}

#[tokio::test]
async fn a_version_below_the_least_is_refused() {
    let authority = Authority::new("Versions");
    for (least, versions, is_served) in [
        ("1.2", &TLS12, true),
        ("1.2", &TLS13, true),
        ("1.3", &TLS12, false),
        ("1.3", &TLS13, true),
    ] {
        let setup = Setup::new().tls(&format!("min_version = {least:?}\n{LISTED}"));
        let (folder, config) = setup.write();
        authority.host(&["a.example"]).write(folder.path(), "a");
        authority.host(&["b.example"]).write(folder.path(), "b");
        let mut world = World::of(folder, config);
        world.start().await;

        let client = client(&authority.pem(), None, &[versions]);
        let connected = connect(world.https(), "a.example", &client).await;

        assert_eq!(connected.is_ok(), is_served, "{least}: {versions:?}");
    }
}
