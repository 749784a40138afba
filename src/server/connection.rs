use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::line::Line;
use super::proxy_header::client_address;
use super::socket::Socket;
use super::tls::shown_certificate;
use super::worker::Worker;
use super::{http1, http2};
use crate::config::{Listen, Scheme};
use crate::gateway::Peer;

/// Serves one connection to its end: TLS, then HTTP/2 or HTTP/1.1, as the client chose by ALPN.
pub(super) async fn serve(tcp: TcpStream, address: SocketAddr, listen: Listen, worker: Rc<Worker>) {
    // What opening takes is given back first: most connections wait for most of their time.
    let serving = Box::pin(open(tcp, address, listen, worker)).await;
    if let Some(serving) = serving {
        serving.await;
    }
}

type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// Does what comes before HTTP; nothing when that fails.
async fn open(
    tcp: TcpStream,
    address: SocketAddr,
    listen: Listen,
    worker: Rc<Worker>,
) -> Option<Serving> {
    let settings = worker.settings();
    let began = Instant::now();
    let deadline = began + settings.handshake_timeout;
    let whose = client_address(&tcp, address, listen, (deadline, &worker.gateway())).await?;
    let address = whose.address;
    let member = settings.crowds.enter(address.ip());
    let may_crowd = !whose.is_unnamed && worker.gateway().trusts(address.ip());
    if member.is_none() && !may_crowd {
        let refused = &worker.metrics.crowded_out;
        refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(peer.ip = %address.ip(), "connection refused: too many of its address");
        return None;
    }
    let patience = (settings.write_timeout, settings.pace);
    let line = Line::new(&worker.watch, patience, member);
    let mut peer = Peer::new(address, listen.scheme);
    peer.is_unnamed = whose.is_unnamed;
    peer.tls_port = listen.redirect;
    let socket = Socket::new(tcp, Rc::clone(&line));
    if listen.scheme == Scheme::Http {
        return Some(Box::pin(http1::serve(socket, line, peer, worker)));
    }
    let handshake = tokio::time::timeout_at(deadline, shake_hands(socket, &worker, began)).await;
    let handshake = handshake.ok().and_then(Result::ok);
    let identified = handshake.and_then(|tls| {
        let now = worker.gateway().now();
        peer.client_certificate = shown_certificate(tls.get_ref().1, now).ok()?;
        Some(tls)
    });
    let Some(tls) = identified else {
        let failed = &worker.metrics.handshakes_failed;
        failed.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() == Some(b"h2") {
        Some(Box::pin(http2::serve(tls, line, peer, worker)))
    } else {
        Some(Box::pin(http1::serve(tls, line, peer, worker)))
    }
}

/// Many clients that come at once take turns with each other, and with the requests of all others: to
/// sign for one of them takes as long as some ten requests.
async fn shake_hands(
    socket: Socket,
    worker: &Worker,
    began: Instant,
) -> io::Result<TlsStream<Socket>> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
    // No longer than half of its time: when more come than can be signed for, those that get their turn
    // still come through.
    let patience = began + worker.settings().handshake_timeout / 2;
    let turn = tokio::time::timeout_at(patience, worker.handshakes.acquire()).await?;
    // What is costly is done here, before the first poll, but for clients that must say hello twice.
    let handshake = hello.into_stream(worker.tls());
    tokio::task::yield_now().await;
    drop(turn);
    handshake.await
}
