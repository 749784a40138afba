use std::net::SocketAddr;
use std::process::{Command, Stdio};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::authority::{Authority, Pair, connect, plain_client, shown};
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

/// A gateway whose certificates are for `localhost`, and for what these pairs are.
async fn started(a: &Pair, b: &Pair) -> World {
    let (folder, config) = Setup::new().tls(LISTED).write();
    a.write(folder.path(), "a");
    b.write(folder.path(), "b");
    let mut world = World::of(folder, config);
    world.start().await;
    world
}

/// What `openssl s_client` sees.
fn seen(address: SocketAddr, arguments: &[&str]) -> CertificateDer<'static> {
    let ended = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&ended.stderr).into_owned();
    CertificateDer::from_pem_slice(&ended.stdout).unwrap_or_else(|_| panic!("{why}"))
}

#[tokio::test]
async fn a_client_gets_the_certificate_for_the_host_it_asks_for() {
    let authority = Authority::new("Names");
    let a = authority.host(&["a.example", "*.a.example"]);
    let b = authority.host(&["b.example", "special.a.example", "MIXED.example"]);
    let world = started(&a, &b).await;
    let path = world.config().with_file_name("gateway.crt");
    let first = CertificateDer::from_pem_file(path).unwrap();

    for (host, certificate) in [
        ("a.example", a.der()),
        ("A.Example", a.der()),
        ("www.a.example", a.der()),
        ("special.a.example", b.der()),
        ("b.example", b.der()),
        ("mixed.example", b.der()),
        ("localhost", first.clone()),
        // A wildcard stands for one label, and not for none.
        ("x.www.a.example", first.clone()),
        ("www.b.example", first.clone()),
        ("other.example", first.clone()),
        ("example", first.clone()),
    ] {
        let found = seen(world.https(), &["-servername", host]);
        assert_eq!(found, certificate, "{host}");
    }
    let found = seen(world.https(), &["-noservername"]);
    assert_eq!(found, first, "no host at all");

    let config = plain_client(&authority.pem());
    let stream = connect(world.https(), "www.a.example", &config).await;
    assert_eq!(shown(&stream.unwrap()), a.der());
}

#[tokio::test]
async fn a_client_gets_the_kind_of_key_that_it_understands() {
    let authority = Authority::new("Kinds");
    let (a, b) = (
        authority.host(&["a.example"]),
        authority.rsa_host(&["a.example"]),
    );
    let world = started(&a, &b).await;

    for (algorithms, certificate) in [
        ("ECDSA+SHA256:RSA-PSS+SHA256", &a),
        ("ECDSA+SHA256", &a),
        ("RSA-PSS+SHA256", &b),
    ] {
        let arguments = ["-servername", "a.example", "-sigalgs", algorithms];
        let found = seen(world.https(), &arguments);
        assert_eq!(found, certificate.der(), "{algorithms}");
    }
}
