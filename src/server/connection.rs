use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::line::Line;
use super::proxy_header::client_address;
use super::socket::Socket;
use super::tls::shown_certificate;
use super::worker::Worker;
use super::{http1, http2};
use crate::config::{Listen, Scheme};
use crate::gateway::Peer;

/// A peer that vanished without a word is found out after about five minutes.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// Serves one connection to its end: TLS, then HTTP/2 or HTTP/1.1, as the client chose by ALPN.
pub(super) async fn serve(tcp: TcpStream, address: SocketAddr, listen: Listen, worker: Rc<Worker>) {
    // A socket that cannot be set up is served all the same, only slower.
    let _ = tcp.set_nodelay(true);
    let _ = SockRef::from(&tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    let settings = &worker.settings;
    let deadline = Instant::now() + settings.handshake_timeout;
    let address = client_address(&tcp, address, listen, (deadline, &worker.gateway)).await;
    let Some(address) = address else {
        return;
    };
    let line = Line::new(worker.gateway.watch(), settings.write_timeout);
    let mut peer = Peer::new(address, listen.scheme);
    peer.redirect = listen.redirect;
    let socket = Socket::new(tcp, Rc::clone(&line));
    if listen.scheme == Scheme::Http {
        return http1::serve(socket, line, peer, worker).await;
    }
    let handshake = TlsAcceptor::from(worker.tls()).accept(socket);
    let handshake = tokio::time::timeout_at(deadline, handshake).await;
    let handshake = handshake.ok().and_then(Result::ok);
    let identified = handshake.and_then(|tls| {
        let now = worker.gateway.now();
        peer.client_certificate = shown_certificate(tls.get_ref().1, now).ok()?;
        Some(tls)
    });
    let Some(tls) = identified else {
        let failed = &worker.gateway.metrics().handshakes_failed;
        failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() == Some(b"h2") {
        Box::pin(http2::serve(tls, line, peer, worker)).await;
    } else {
        Box::pin(http1::serve(tls, line, peer, worker)).await;
    }
}
