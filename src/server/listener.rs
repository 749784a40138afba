use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection;
use super::shutdown::Stage;
use super::worker::Worker;
use crate::config::Listen;
use crate::telemetry::Seldom;

/// The sockets of one listener, one a worker.
#[derive(Debug)]
pub struct Bound {
    /// Where it listens; a port of 0 has become a real one.
    pub address: SocketAddr,
    /// What was asked for.
    pub listen: Listen,
    /// One a worker.
    pub sockets: Vec<TcpListener>,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error("{address} is in use; stop what listens there, or choose another port in `listen`")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not allow it.
    #[error("{address} cannot be listened on{}", way_out(.source))]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; for a port below 1024 give the gateway CAP_NET_BIND_SERVICE, as its systemd unit does"
        }
        io::ErrorKind::AddrNotAvailable => "; write an address that this machine has",
        _ => "",
    }
}

const BACKLOG: i32 = 4096;
/// Bytes that wait in the kernel to be sent, beside those that are on their way.
const UNSENT: u32 = 128 * 1024;
/// A peer that vanished without a word is found out after about five minutes.
const KEEPALIVE: Duration = Duration::from_secs(120);
/// So many are accepted before others have their turn: each takes some ten microseconds.
const TURN: u32 = 16;
/// After an error that accepting again at once would only repeat (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds one socket a worker to an address; the kernel spreads new connections over them.
///
/// # Errors
///
/// [`ListenError`]
pub fn bind(listen: Listen, workers: usize) -> Result<Bound, ListenError> {
    // Once without sharing: with it a second gateway of the same user would silently take half of
    // the connections. The port is free again before it is bound for good.
    let alone = socket(listen.address, Sharing::Alone)?;
    let address = local_address(&alone, listen.address)?;
    drop(alone);
    let sockets = (0..workers).map(|_| {
        let socket = socket(address, Sharing::Workers)?;
        let listening = socket.listen(BACKLOG);
        listening.map_err(|source| ListenError::Refused { address, source })?;
        Ok(socket.into())
    });
    Ok(Bound {
        address,
        listen,
        sockets: sockets.collect::<Result<_, _>>()?,
    })
}

/// Who may listen on the same address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Workers,
}

fn socket(address: SocketAddr, sharing: Sharing) -> Result<Socket, ListenError> {
    let make = || -> io::Result<Socket> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // Whether `[::]` means IPv4 too would else be the machine's choice.
            socket.set_only_v6(true)?;
        }
        if sharing == Sharing::Workers {
            socket.set_reuse_port(true)?;
            // Connections take these over from their listener, which saves four calls for each.
            socket.set_tcp_nodelay(true)?;
            // The kernel would else take megabytes for each client that asks for much and reads nothing.
            socket.set_tcp_notsent_lowat(UNSENT)?;
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        if sharing == Sharing::Alone {
            socket.listen(1)?;
        }
        Ok(socket)
    };
    make().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        _ => ListenError::Refused { address, source },
    })
}

fn local_address(socket: &Socket, asked: SocketAddr) -> Result<SocketAddr, ListenError> {
    let refused = |source| ListenError::Refused {
        address: asked,
        source,
    };
    let address = socket.local_addr().map_err(refused)?;
    Ok(address.as_socket().unwrap_or(asked))
}

/// Accepts connections until the node drains and nobody waits to be accepted any more.
pub(super) async fn accept(
    socket: TcpListener,
    listen: Listen,
    room: Arc<Semaphore>,
    worker: Rc<Worker>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let drain = worker.drain.clone();
    let untold = Seldom::default();
    let mut accepts: u32 = 0;
    loop {
        accepts = accepts.wrapping_add(1);
        if accepts.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        // All are cancel safe: a connection that was not taken stays in the queue. Draining comes
        // last, so that whoever waits in the queue by then is served.
        let accepted = tokio::select! {
            biased;
            () = drain.reached(Stage::Ended) => return Ok(()),
            accepted = listener.accept() => accepted,
            () = drain.reached(Stage::Draining) => return Ok(()),
        };
        match accepted {
            Ok((tcp, address)) => {
                // Only now: a place held by a listener to which nobody comes would be kept from
                // those who wait at another one.
                let place = tokio::select! {
                    place = Arc::clone(&room).acquire_owned() => place,
                    () = drain.reached(Stage::Ended) => return Ok(()),
                };
                let Ok(place) = place else {
                    return Ok(());
                };
                serve(tcp, address, listen, place, &worker);
            }
            Err(error) => {
                if let Some(untold) = untold.may() {
                    let error = &error as &dyn std::error::Error;
                    let untold = (untold > 0).then_some(untold);
                    tracing::warn!(error, untold, "accept failed");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn serve(
    tcp: tokio::net::TcpStream,
    address: SocketAddr,
    listen: Listen,
    place: OwnedSemaphorePermit,
    worker: &Rc<Worker>,
) {
    let metrics = &worker.metrics;
    metrics.accepted.fetch_add(1, Ordering::Relaxed);
    metrics.open.fetch_add(1, Ordering::Relaxed);
    worker.opened();
    let open = Open {
        worker: Rc::clone(worker),
        _place: place,
    };
    tokio::task::spawn_local(async move {
        connection::serve(tcp, address, listen, Rc::clone(&open.worker)).await;
        drop(open);
    });
}

/// A connection that is counted as open, and has its place, until it is dropped.
struct Open {
    worker: Rc<Worker>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = &self.worker.metrics.open;
        open.fetch_sub(1, Ordering::Relaxed);
        self.worker.closed();
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;
    use crate::config::{ProxyProtocol, Scheme};

    #[test]
    fn connections_take_over_what_their_listener_was_told() {
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            scheme: Scheme::Http,
            proxy_protocol: ProxyProtocol::Off,
            redirect: None,
        };
        let bound = bind(listen, 1).unwrap();
        let _client = std::net::TcpStream::connect(bound.address).unwrap();
        bound.sockets[0].set_nonblocking(false).unwrap();
        let (taken, _) = bound.sockets[0].accept().unwrap();

        let taken = SockRef::from(&taken);
        assert_eq!(taken.tcp_notsent_lowat().unwrap(), UNSENT);
        assert!(taken.tcp_nodelay().unwrap());
        assert!(taken.keepalive().unwrap());
    }
}
