//! What is in `deploy/` fits together.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dariet_gateway::config::{Config, Environment, ProxyProtocol, StoreUrl};

fn deployed(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/");
    fs::read_to_string(Path::new(folder).join(name)).unwrap()
}

/// The example for production, with the secrets that its unit hands over.
fn config() -> Config {
    let secrets = tempfile::tempdir().unwrap();
    for (name, _) in credentials() {
        fs::write(secrets.path().join(name), "secret").unwrap();
    }
    let directory = secrets.path().to_str().unwrap().to_owned();
    let env = Environment::from([("CREDENTIALS_DIRECTORY".to_owned(), directory)]);
    let text = deployed("gateway.toml");
    Config::parse(&text, "gateway.toml", Path::new("/etc/dariet"), &env).unwrap()
}

/// The example of several nodes.
fn config_of_nodes() -> Config {
    let secrets = tempfile::tempdir().unwrap();
    let password = secrets.path().join("redis-password");
    fs::write(&password, "secret").unwrap();
    let text = deployed("compose/gateway.toml");
    let text = text.replace("/run/secrets/redis-password", password.to_str().unwrap());
    Config::parse(
        &text,
        "gateway.toml",
        Path::new("/etc/dariet"),
        &Environment::new(),
    )
    .unwrap()
}

/// What stands behind each `name=` of the unit.
fn unit(name: &str) -> Vec<String> {
    let text = deployed("dariet-gateway.service");
    let values = text.lines().filter_map(|line| match line.split_once('=') {
        Some((key, value)) if key == name => Some(value.to_owned()),
        _ => None,
    });
    values.collect()
}

fn credentials() -> Vec<(String, String)> {
    let pairs = unit("LoadCredential").into_iter();
    let pairs = pairs.filter_map(|pair| {
        let (name, file) = pair.split_once(':')?;
        Some((name.to_owned(), file.to_owned()))
    });
    pairs.collect()
}

#[test]
fn the_unit_and_the_image_have_the_folders_of_the_example() {
    let config = config();
    let StoreUrl::Embedded(store) = &config.store else {
        panic!("the example has an embedded store");
    };

    assert_eq!(unit("StateDirectory"), ["dariet"]);
    assert_eq!(unit("RuntimeDirectory"), ["dariet"]);
    assert!(store.starts_with("/var/lib/dariet"));
    assert!(config.admin.socket.starts_with("/run/dariet"));
    let image = deployed("Dockerfile");
    for folder in [
        "VOLUME /var/lib/dariet",
        "install -d -o dariet -g dariet -m 0700 /var/lib/dariet /run/dariet",
    ] {
        assert!(image.contains(folder), "{folder}");
    }
}

#[test]
fn the_nodes_of_the_example_listen_where_the_balancer_looks_for_them() {
    let config = config_of_nodes();

    let balancer = deployed("compose/haproxy.cfg");
    assert!(balancer.contains("send-proxy-v2\n"));
    // A client that Docker lends an address of the network must not be trusted with headers.
    let [trusted] = &config.server.trusted_proxies[..] else {
        panic!("one balancer");
    };
    let own = format!("ipv4_address: {} ", trusted.addr());
    assert!(deployed("compose/compose.yaml").contains(&own), "{own}");
    assert_eq!(trusted.prefix_len(), trusted.max_prefix_len());
    let listen = &config.server.listen[0];
    assert_eq!(listen.proxy_protocol, ProxyProtocol::Required);
    for node in ["node-1", "node-2"] {
        let server = format!("{node}:{}\n", listen.address.port());
        assert!(balancer.contains(&server), "{server}");
    }
    let check = format!("check port {}", config.admin.listen.port());
    assert!(balancer.contains(&check), "{check}");
    assert!(config.server.drain_delay >= Duration::from_secs(5));
}

#[test]
fn the_users_of_redis_have_the_rights_that_the_documents_name() {
    let documents = include_str!("../../docs/configuration.md");
    let begin = documents.find("user gateway on >PASSWORD").unwrap();
    let named = documents[begin..].split("```").next().unwrap();
    let named: Vec<_> = named.split_whitespace().skip(2).collect();

    let users = deployed("redis-users.acl");
    let (default, gateway) = users.trim_end().split_once('\n').unwrap();
    assert_eq!(default, "user default off");
    let gateway: Vec<_> = gateway.split_whitespace().collect();
    assert_eq!(gateway[..2], ["user", "gateway"]);
    assert_eq!(gateway[2..], named);
}

#[test]
fn the_image_exposes_where_the_example_listens() {
    for listen in &config().server.listen {
        let expose = format!("EXPOSE {}\n", listen.address.port());
        assert!(deployed("Dockerfile").contains(&expose), "{expose}");
    }
}

#[test]
fn the_unit_waits_for_longer_than_the_gateway_drains() {
    let server = config().server;
    let patience = unit("TimeoutStopSec");
    let patience = patience[0].strip_suffix('s').unwrap().parse().unwrap();
    let mails = Duration::from_secs(5);
    assert!(Duration::from_secs(patience) > server.drain_delay + server.drain_timeout + mails);
}

#[test]
fn a_wrong_configuration_is_not_started_again() {
    assert!(
        unit("RestartPreventExitStatus")[0]
            .split(' ')
            .any(|code| code == "78")
    );
}
