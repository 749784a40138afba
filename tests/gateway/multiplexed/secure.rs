//! Which version is spoken over TLS.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use crate::forwarding::https::{Secure, acceptor, started_as};
use crate::support::http2_service::{Http2Service, ok};
use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::world::World;
use crate::tls::authority::Authority;

async fn gateway_before(
    address: std::net::SocketAddr,
    authority: &Authority,
    protocol: &str,
) -> World {
    let lines = format!("protocol = {protocol:?}\n[upstreams.service.tls]\nca = \"ca.crt\"");
    let server = format!("\"https://{address}\"");
    let setup =
        Setup::new()
            .upstream_at("service", &server, &lines)
            .route("/", "service", "public = true");
    started_as(&setup, authority).await
}

/// One that speaks HTTP/1.1 alone.
fn old(acceptor: &TlsAcceptor) -> TlsAcceptor {
    let mut config = rustls::ServerConfig::clone(acceptor.config());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn http2_is_spoken_where_both_sides_want_it() {
    let authority = Authority::new("Services");
    for protocol in ["h2", "auto"] {
        let acceptor = acceptor(&authority.host(&["127.0.0.1"]), None);
        let service = Http2Service::start().await.tls(acceptor);
        let world = gateway_before(service.address, &authority, protocol).await;
        let mut wire = world.wire().await;
        for _ in 0..2 {
            wire.send(Call::get("/x").bytes()).await;
        }
        let mut upstream = service.accept().await;
        for _ in 0..2 {
            let mut call = upstream.next().await;
            assert_eq!(call.head.uri.scheme_str(), Some("https"));
            call.whole().await;
            call.answer(ok("well"));
            assert_eq!(wire.answer("GET").await.expect(200).body, "well");
        }
    }
}

#[tokio::test]
async fn a_service_that_chooses_http1_gets_it_or_nothing() {
    let authority = Authority::new("Services");
    let acceptor = old(&acceptor(&authority.host(&["127.0.0.1"]), None));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secure = Secure::on(listener, acceptor);

    let world = gateway_before(secure.address, &authority, "auto").await;
    let mut wire = world.wire().await;
    for _ in 0..3 {
        let answer = wire.call(&Call::get("/x")).await.expect(200);
        assert_eq!(answer.body, "- 0 http/1.1");
    }
    world.metric("dariet_upstream_connects_total 1").await;

    let world = gateway_before(secure.address, &authority, "h2").await;
    let refused = world.call(&Call::get("/x")).await;
    assert_eq!(refused.refusal(), (502, "upstream_refused".to_owned()));
}
