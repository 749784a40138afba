use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::proxy_protocol::{Header, MAX_BYTES, Malformed, parse};
use crate::config::{Listen, ProxyProtocol};
use crate::gateway::Gateway;

/// Why a connection to a listener for load balancers is closed.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It comes from elsewhere.
    #[error("the peer is none of `trusted_proxies`")]
    Untrusted,
    /// It does not begin as it must.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It ended, or broke.
    #[error("the connection ended before the header of the PROXY protocol")]
    Ended(#[source] io::Error),
    /// The header did not come.
    #[error("the header of the PROXY protocol did not come in time")]
    TooSlow,
}

/// Whose connection it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose {
    pub(super) address: SocketAddr,
    /// Whether the load balancer did not say: the address is its own, and may not speak for others, since
    /// whoever connected to it may have written what it brings.
    pub(super) is_unnamed: bool,
}

/// Whose connection this is: the peer's, or where the listener takes the PROXY protocol, whom that names.
/// Nothing when it must be closed.
///
/// Whoever may write the header may be anybody, so that it is taken from `trusted_proxies` alone, and
/// others get nothing there: they would else stand beside the load balancer.
pub(super) async fn client_address(
    tcp: &TcpStream,
    peer: SocketAddr,
    listen: Listen,
    (deadline, gateway): (Instant, &Gateway),
) -> Option<Whose> {
    if listen.proxy_protocol == ProxyProtocol::Off {
        return Some(Whose {
            address: peer,
            is_unnamed: false,
        });
    }
    let read = async {
        if !gateway.trusts(peer.ip()) {
            return Err(Refused::Untrusted);
        }
        let read = tokio::time::timeout_at(deadline, Box::pin(read(tcp)));
        read.await.unwrap_or(Err(Refused::TooSlow))
    };
    match read.await {
        Ok(client) => Some(Whose {
            address: client.unwrap_or(peer),
            is_unnamed: client.is_none(),
        }),
        Err(error) => {
            let refused = &gateway.metrics().proxy_headers_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, peer.ip = %peer.ip(), "connection refused");
            None
        }
    }
}

/// Takes the header, and not a byte of what follows it.
async fn read(tcp: &TcpStream) -> Result<Option<SocketAddr>, Refused> {
    let mut bytes = Vec::with_capacity(MAX_LOOK);
    loop {
        let taken = bytes.len();
        let mut ahead = [0; MAX_LOOK];
        let room = ahead.get_mut(..MAX_LOOK.min(MAX_BYTES.saturating_sub(taken)));
        let seen = tcp.peek(room.unwrap_or_default()).await;
        let seen = seen.map_err(Refused::Ended)?;
        if seen == 0 {
            return Err(Refused::Ended(io::ErrorKind::UnexpectedEof.into()));
        }
        bytes.extend_from_slice(ahead.get(..seen).unwrap_or_default());
        match parse(&bytes)? {
            Header::Whole { client, length } => {
                take(tcp, length.saturating_sub(taken)).await?;
                return Ok(client);
            }
            // All of it belongs to the header. Left where it is, it would be seen again at once.
            Header::Partial => take(tcp, seen).await?,
        }
    }
}

/// Takes so many bytes that are there.
async fn take(tcp: &TcpStream, mut count: usize) -> Result<(), Refused> {
    let mut sink = [0; MAX_LOOK];
    while count > 0 {
        let room = sink.get_mut(..count.min(MAX_LOOK)).unwrap_or_default();
        match tcp.try_read(room) {
            Ok(0) => return Err(Refused::Ended(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => count = count.saturating_sub(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let ready = tcp.ready(Interest::READABLE).await;
                ready.map_err(Refused::Ended)?;
            }
            Err(error) => return Err(Refused::Ended(error)),
        }
    }
    Ok(())
}

/// Looked at once; nearly every header is shorter.
const MAX_LOOK: usize = 512;
