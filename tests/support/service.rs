//! Services behind the gateway: one that answers by itself, one that does what the test says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::message::{Call, Request};
use super::wire::Wire;
use super::within;

/// A service that answers each request by itself, over kept connections, and tells the test of it.
pub struct Service {
    pub address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

type Answers = Arc<dyn Fn(&Request) -> Vec<u8> + Send + Sync>;

impl Service {
    /// Answers with the body of the request.
    pub async fn echo() -> Self {
        Self::answering_with(|request| answer(&request.body)).await
    }

    /// Answers every request with these bytes.
    pub async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::answering_with(move |_| bytes.clone()).await
    }

    pub async fn answering_with(
        answers: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::over(listen().await, answers)
    }

    /// Answers with the body of the request, at an address of the test's choice.
    pub async fn echo_at(address: impl ToSocketAddrs) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::over(listener, |request| answer(&request.body))
    }

    fn over(
        listener: TcpListener,
        answers: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let (told, requests) = mpsc::unbounded_channel();
        let connections = Arc::<AtomicUsize>::default();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::clone(&connections);
        let answers: Answers = Arc::new(answers);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&answers), told.clone()));
            }
        });
        Self {
            address,
            requests,
            connections,
            accepting,
        }
    }

    /// The next request that came.
    pub async fn next(&mut self) -> Request {
        let request = within("a request at the service", self.requests.recv()).await;
        request.unwrap()
    }

    /// The requests that came and were not taken yet.
    pub fn taken(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }

    /// Whether every request that came was taken by [`Self::next`].
    pub fn is_quiet(&self) -> bool {
        self.requests.is_empty()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, answers: Answers, told: mpsc::UnboundedSender<Request>) {
    let mut wire = Wire::of_plain(stream);
    loop {
        // No deadline of the test's: a kept connection may be quiet for ever.
        if wire.is_over().await {
            return;
        }
        let Ok(request) = wire.try_request().await else {
            return;
        };
        let answer = answers(&request);
        // The test may be over.
        let _ = told.send(request);
        if wire.try_send(answer).await.is_err() {
            return;
        }
    }
}

/// A service whose every byte the test decides. It takes a connection when the test accepts one.
pub struct Scripted {
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Scripted {
    pub async fn start() -> Self {
        let listener = listen().await;
        let address = listener.local_addr().unwrap();
        Self { address, listener }
    }

    /// The next connection, bare.
    pub async fn accept_stream(&self) -> TcpStream {
        let accepted = within("a connection to the service", self.listener.accept()).await;
        accepted.unwrap().0
    }

    /// The next connection, however long it takes.
    pub async fn accept_at_last(&self) -> Wire {
        Wire::of_plain(self.listener.accept().await.unwrap().0)
    }

    /// The next connection.
    pub async fn accept(&self) -> Wire {
        Wire::of_plain(self.accept_stream().await)
    }

    /// Takes a request, and begins an answer that is longer than all buffers on its way.
    pub async fn begin_long_answer(&self) -> Wire {
        let mut upstream = self.accept().await;
        upstream.request().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .await;
        upstream
    }

    /// Lets a client begin a request, and has as much of it: `hello`, of ten bytes.
    pub async fn half_a_request(&self, client: &mut Wire) -> Wire {
        let head = Call::post("/x").head();
        client
            .send(format!("{head}Content-Length: 10\r\n\r\nhello"))
            .await;
        let mut upstream = self.accept().await;
        upstream.head().await;
        assert_eq!(upstream.exactly(5).await.unwrap(), "hello");
        upstream
    }
}

/// An address where nothing listens.
pub fn nowhere() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // Nobody else gets the port while this process holds it; the test itself may listen there later.
    socket.set_reuseaddr(true).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}

/// Ends a connection with a reset.
pub fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

/// A plain 200 with this body.
pub fn answer(body: &Bytes) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    bytes
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
