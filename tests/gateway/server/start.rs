use std::net::TcpListener;

use crate::support::node::Node;
use crate::support::setup::Setup;

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let (_folder, config) = Setup::new().write();
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replacen("127.0.0.1:0", &address, 1);
    std::fs::write(&config, text).unwrap();

    let mut node = Node::spawn(&config);

    assert_eq!(node.exited().await.code(), Some(1));
    let why = node.log.text();
    assert!(why.contains(&address), "{why}");
}

#[tokio::test]
async fn a_second_node_on_the_same_port_is_an_error() {
    let world = Setup::new().start_empty().await;
    let (_folder, config) = Setup::new().write();
    let text = std::fs::read_to_string(&config).unwrap();
    let address = world.https().to_string();
    let text = text.replacen("127.0.0.1:0", &address, 1);
    std::fs::write(&config, text).unwrap();

    let mut node = Node::spawn(&config);

    assert_eq!(node.exited().await.code(), Some(1));
}

#[tokio::test]
async fn a_store_that_another_node_has_is_an_error() {
    let world = Setup::new().start_empty().await;

    let mut node = Node::spawn(world.config());

    assert_eq!(node.exited().await.code(), Some(1));
    world.ask_ops("/readyz").await.expect(200);
}

#[tokio::test]
async fn every_mistake_of_a_configuration_is_told() {
    let wrong = "[unknown]\nx = 1\n[[routes]]\npath = \"reports\"\nupstream = \"nowhere\"";
    let (_folder, config) = Setup::new().toml(wrong).write();

    let mut node = Node::spawn(&config);

    assert_eq!(node.exited().await.code(), Some(78));
    let why = node.log.text();
    for word in ["unknown", "reports", "nowhere"] {
        assert!(why.contains(word), "{word}: {why}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_missing_or_wrong_is_named() {
    for content in [None, Some("no certificate at all")] {
        let (folder, config) = Setup::new().write();
        let file = folder.path().join("gateway.crt");
        match content {
            None => std::fs::remove_file(&file).unwrap(),
            Some(content) => std::fs::write(&file, content).unwrap(),
        }

        let mut node = Node::spawn(&config);

        assert!(!node.exited().await.success());
        let why = node.log.text();
        assert!(why.contains("gateway.crt"), "{why}");
    }
}
