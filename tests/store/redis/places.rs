//! The contract on each kind of server.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;

use dariet_gateway::store::{Limit, LimitKey, Store as _, Verdict};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::world::{connect, make_on, opened, settings, settings_with};
use crate::redis_server::{Cluster, RedisBuilder, RedisServer, Sentinels};
use crate::support::{Made, at, wait};

pub(crate) fn on_one_server() -> impl Fn() -> Made {
    let server = RedisServer::start();
    make_on(settings(&server.url()), server)
}

/// The user of the manual, for whatever prefix begins with `dk`.
pub(super) fn acl_line() -> String {
    let manual = include_str!("../../../docs/configuration.md");
    let (_, rest) = manual.split_once("user gateway on").unwrap();
    let (line, _) = rest.split_once("```").unwrap();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line
        .replace("~{dk}:*", "~{dk*}:*")
        .replace("~dk:rl:*", "~dk*:rl:*");
    format!("user gateway on {}", line.replace(">PASSWORD", ">hunter2"))
}

pub(super) const OUR_ACCOUNT: &str = "user = 'gateway'\npassword = '${REDIS_PASSWORD}'";

fn over_a_socket() -> impl Fn() -> Made {
    let server = RedisBuilder::default()
        .only_socket()
        .setting(acl_line())
        .start();
    let url = format!("redis+unix:{}?db=3", server.socket().display());
    make_on(settings_with(&url, OUR_ACCOUNT), server)
}

fn over_tls() -> impl Fn() -> Made {
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let server = RedisBuilder::default().tls(folder.path()).start();
    let settings = settings_with(&tls_url(&server), &certificates(folder.path(), true));
    make_on(settings, (server, folder))
}

fn tls_url(server: &RedisServer) -> String {
    format!("rediss://127.0.0.1:{}", server.port)
}

fn certificates(folder: &Path, with_ours: bool) -> String {
    let file = |key: &str, name: &str| format!("{key} = '{}'\n", folder.join(name).display());
    let mut keys = file("ca", "ca.crt");
    if with_ours {
        keys += &file("client_certificate", "client.crt");
        keys += &file("client_key", "client.key");
    }
    keys
}

fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::new([]).unwrap();
    // OpenSSL takes a certificate that is named as its issuer for its own issuer.
    authority
        .distinguished_name
        .push(DnType::CommonName, "Test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.crt"), authority.pem()).unwrap();
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

mod one_server {
    crate::suite::contract!(&super::on_one_server());
}

mod a_socket_with_an_acl {
    crate::suite::contract!(&super::over_a_socket());
}

mod tls {
    crate::suite::contract!(&super::over_tls());
}

mod sentinels {
    crate::suite::contract!(in one test, &super::with_sentinels());
}

mod cluster {
    crate::suite::contract!(in one test, &super::in_a_cluster());
}

fn with_sentinels() -> impl Fn() -> Made {
    let sentinels = Sentinels::start();
    make_on(settings(&sentinels.url()), sentinels)
}

fn in_a_cluster() -> impl Fn() -> Made {
    let cluster = Cluster::start(0);
    make_on(settings(&cluster.url()), cluster)
}

#[test]
fn a_server_that_wants_a_certificate_refuses_who_has_none() {
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let server = RedisBuilder::default().tls(folder.path()).start();
    let url = tls_url(&server);

    for keys in [certificates(folder.path(), false), String::new()] {
        let store = super::world::store(&settings_with(&url, &keys));
        let error = connect(&store).unwrap_err().to_string();
        assert!(
            error.contains(&format!("127.0.0.1:{}", server.port)),
            "{error}"
        );
    }
}

/// An address behind which several servers answer, one connection each in turn.
fn in_turn(servers: &[&RedisServer]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ports: Vec<u16> = servers.iter().map(|it| it.port).collect();
    std::thread::spawn(move || {
        for (client, port) in listener.incoming().zip(ports.into_iter().cycle()) {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else {
                return;
            };
            for (mut from, mut to) in [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    address
}

#[test]
fn what_is_read_never_comes_from_another_server_than_the_log() {
    let (one, other) = (RedisServer::start(), RedisServer::start());
    let name = in_turn(&[&one, &other]);

    let store = super::world::store(&settings(&format!("redis://{name}")));
    let error = connect(&store).unwrap_err().to_string();

    let expected = format!("several redis servers answer at {name}");
    assert!(error.contains(&expected), "{error}");
    let name = in_turn(&[&one]);
    assert!(opened(&settings(&format!("redis://{name}"))).1.is_sure);
}

#[test]
fn limits_are_spread_over_a_cluster_and_taken_together_all_the_same() {
    let cluster = Cluster::start(0);
    let (store, _) = opened(&settings(&cluster.url()));
    let limit = |subject: u32, burst| Limit {
        key: LimitKey::new("test", &[&subject.to_be_bytes()]),
        burst,
        every: std::time::Duration::from_mins(1),
    };

    // Of each pair one has room for one, the other for two.
    for subject in 0..40 {
        let pair = [limit(subject, 1), limit(subject + 100, 2)];
        assert_eq!(wait(store.take(&pair, at(0))).unwrap(), Verdict::Pass);
        let refused = wait(store.take(&pair, at(0))).unwrap();
        assert_eq!(refused, Verdict::Wait(std::time::Duration::from_mins(1)));
        assert_eq!(wait(store.take(&pair[1..], at(0))).unwrap(), Verdict::Pass);
    }

    let keys = |node: &RedisServer| node.ask::<Vec<String>>(&["KEYS", "dk:rl:*"]).len();
    let spread: Vec<_> = cluster.nodes.iter().map(keys).collect();
    assert_eq!(spread.iter().sum::<usize>(), 80, "{spread:?}");
    assert!(spread.iter().all(|keys| *keys > 0), "{spread:?}");
}
