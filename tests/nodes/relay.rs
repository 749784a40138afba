//! A relay between two programs that does to their bytes what networks do.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Passes bytes between whoever connects to it and a target, unless it is told otherwise.
pub struct Relay {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

/// What a relay does to the connections through it, old and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Passes everything on.
    Whole,
    /// Resets every connection.
    Cut,
    /// Takes bytes and loses them: both sides think that they are connected. Connections that lost
    /// bytes are reset when the network changes again.
    HalfOpen,
    /// Passes everything on, each way so much later.
    Slow(Duration),
}

#[derive(Debug, Clone, Copy)]
struct State {
    network: Network,
    target: SocketAddr,
    /// Counted up to reset all connections.
    generation: u64,
}

impl Relay {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(State {
            network: Network::Whole,
            target,
            generation: 0,
        });
        Self {
            address,
            state,
            accepting: tokio::spawn(accept(listener, watched)),
        }
    }

    /// What becomes of bytes from now on.
    pub fn set(&self, network: Network) {
        self.state.send_modify(|state| {
            if network == Network::Cut || state.network == Network::HalfOpen {
                state.generation += 1;
            }
            state.network = network;
        });
    }

    /// Resets all connections; new ones go to `target`.
    pub fn lead_to(&self, target: SocketAddr) {
        self.state.send_modify(|state| {
            state.target = target;
            state.generation += 1;
        });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let now = *state.borrow();
        if now.network == Network::Cut {
            reset(&client);
            continue;
        }
        let Ok(server) = TcpStream::connect(now.target).await else {
            reset(&client);
            continue;
        };
        tokio::spawn(pass(client, server, state.clone(), now.generation));
    }
}

/// Passes bytes both ways until one side ends or the generation does.
async fn pass(
    client: TcpStream,
    server: TcpStream,
    mut state: watch::Receiver<State>,
    generation: u64,
) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
        // Without this a dropped connection would end as if its peer had meant it.
        SockRef::from(stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = one_way(from_client, to_server, state.clone());
    let down = one_way(from_server, to_client, state.clone());
    let has_changed = state.wait_for(|state| state.generation != generation);
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = has_changed => {}
    }
}

async fn one_way(from: OwnedReadHalf, to: OwnedWriteHalf, state: watch::Receiver<State>) {
    let (late, due) = mpsc::unbounded_channel();
    tokio::select! {
        () = take(from, late, state) => {}
        () = hand_on(to, due) => {}
    }
}

async fn take(
    mut from: OwnedReadHalf,
    late: mpsc::UnboundedSender<(Instant, Bytes)>,
    state: watch::Receiver<State>,
) {
    let mut bytes = BytesMut::new();
    while let Ok(1..) = from.read_buf(&mut bytes).await {
        let piece = bytes.split().freeze();
        let delay = match state.borrow().network {
            Network::HalfOpen => continue,
            Network::Slow(delay) => delay,
            Network::Whole | Network::Cut => Duration::ZERO,
        };
        if late.send((Instant::now() + delay, piece)).is_err() {
            return;
        }
    }
}

async fn hand_on(mut to: OwnedWriteHalf, mut due: mpsc::UnboundedReceiver<(Instant, Bytes)>) {
    while let Some((at, piece)) = due.recv().await {
        sleep_until(at).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

fn reset(stream: &TcpStream) {
    // Should it fail, the connection ends in another way.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
