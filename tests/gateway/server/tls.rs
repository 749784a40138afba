use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::certificates;
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::{End, Wire};
use crate::support::within;

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    let world = Setup::new().start_empty().await;

    for (version, name) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let stream = world.tls(&[b"http/1.1"], &[version]).await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(name));
        let mut wire = Wire::of_tls(stream);
        assert_eq!(wire.call(&Call::get("/x")).await.code(), "no_route");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_its_session() {
    let world = Setup::new().start_empty().await;

    for version in [&TLS12, &TLS13] {
        let client = Arc::new(certificates::client(&[b"http/1.1"], &[version]));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = TcpStream::connect(world.https()).await.unwrap();
            let connector = TlsConnector::from(Arc::clone(&client));
            let connecting = connector.connect("localhost".try_into().unwrap(), stream);
            let stream = within("the TLS handshake", connecting).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
            let mut wire = Wire::of_tls(stream);
            assert_eq!(wire.call(&Call::get("/x")).await.code(), "no_route");
        }
    }
}

#[tokio::test]
async fn the_client_chooses_the_version_of_http() {
    let world = Setup::new().start_empty().await;
    let versions = rustls::ALL_VERSIONS;

    for (offered, chosen) in [
        (&[&b"h2"[..], b"http/1.1"][..], Some(&b"h2"[..])),
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"h2"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = world.tls(offered, versions).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
    let mut without = Wire::of_tls(world.tls(&[], versions).await);
    assert_eq!(without.call(&Call::get("/x")).await.code(), "no_route");
}

#[tokio::test]
async fn a_listener_without_tls_serves_where_the_operator_asks_for_it() {
    let mut service = Service::echo().await;
    let setup = Setup::before(service.address).plain();
    let world = setup.start().await;

    let mut wire = Wire::plain(world.http()).await;
    for _ in 0..2 {
        let call = world.by_administrator("POST", "/x").body("hello");
        assert_eq!(wire.call(&call).await.expect(200).body, "hello");
        let seen = service.next().await;
        assert_eq!(seen.headers.get("x-forwarded-proto"), Some("http"));
    }
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_gets_no_http() {
    let world = Setup::new().start_empty().await;

    let mut wire = Wire::plain(world.https()).await;
    wire.send(Call::get("/x").bytes()).await;

    let (rest, end) = wire.rest().await;
    assert!(!rest.starts_with(b"HTTP/"), "{rest:?}");
    assert_ne!(end, End::CloseNotify);
}
