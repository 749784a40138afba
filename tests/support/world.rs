//! A gateway in a folder of its own, and everybody's way to it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use rustls::{ALL_VERSIONS, SupportedProtocolVersion};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::accounts::Session;
use super::certificates;
use super::http2::Http2;
use super::message::{Answer, Call};
use super::node::{Node, command, set_clock};
use super::wire::Wire;
use super::within;

/// A gateway that runs, unless it was stopped.
pub struct World {
    /// Gone with its files when the world is.
    _folder: TempDir,
    config: PathBuf,
    clock: Option<&'static str>,
    node: Option<Node>,
    administrator: Option<Session>,
}

/// The versions of HTTP that clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Http1,
    Http2,
}

/// A client's connection in one of them.
pub enum Client {
    Http1(Box<Wire>),
    Http2(Http2),
}

impl Version {
    pub const ALL: [Self; 2] = [Self::Http1, Self::Http2];
}

impl World {
    pub fn of(folder: TempDir, config: PathBuf) -> Self {
        Self {
            _folder: folder,
            config,
            clock: None,
            node: None,
            administrator: None,
        }
    }

    /// Has it go by a clock that is so much ahead from its next start on.
    pub const fn set_clock(&mut self, ahead: Option<&'static str>) {
        self.clock = ahead;
    }

    /// Starts the gateway and waits until it serves.
    pub async fn start(&mut self) {
        let mut command = command(&self.config);
        if let Some(ahead) = self.clock {
            set_clock(&mut command, ahead);
        }
        let node = Node::run(command);
        node.serving().await;
        self.node = Some(node);
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    pub fn node_mut(&mut self) -> &mut Node {
        self.node.as_mut().unwrap()
    }

    /// The first administrator's session.
    pub fn administrator(&self) -> &Session {
        self.administrator.as_ref().unwrap()
    }

    pub fn set_administrator(&mut self, session: Session) {
        self.administrator = Some(session);
    }

    pub fn https(&self) -> SocketAddr {
        self.node().address("https").unwrap()
    }

    pub fn http(&self) -> SocketAddr {
        self.node().address("http").unwrap()
    }

    pub fn ops(&self) -> SocketAddr {
        self.node().address("admin").unwrap()
    }

    /// Asks the operators' listener.
    pub async fn ask_ops(&self, path: &str) -> Answer {
        let mut wire = Wire::plain(self.ops()).await;
        wire.call(&Call::get(path)).await
    }

    /// The metrics as they are now.
    pub async fn metrics(&self) -> String {
        let answer = self.ask_ops("/metrics").await.expect(200);
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// Waits until the metrics have this line.
    pub async fn metric(&self, line: &str) {
        let wait = async {
            while !self.metrics().await.lines().any(|other| other == line) {
                tokio::task::yield_now().await;
            }
        };
        within(line, wait).await;
    }

    /// A new connection for HTTP/1.1 over TLS.
    pub async fn wire(&self) -> Wire {
        Wire::of_tls(self.tls(&[b"http/1.1"], ALL_VERSIONS).await)
    }

    /// The same, where the client's kernel takes little before the client reads.
    pub async fn narrow_wire(&self) -> Wire {
        Wire::of_tls(
            self.tls_over(self.narrow_stream().await, &[b"http/1.1"])
                .await,
        )
    }

    /// The same for HTTP/2, whose frames are the test's.
    pub async fn narrow_http2_wire(&self) -> Wire {
        Wire::of_tls(self.tls_over(self.narrow_stream().await, &[b"h2"]).await)
    }

    /// A new connection for HTTP/2.
    pub async fn http2(&self) -> Http2 {
        Http2::over(Wire::of_tls(self.tls(&[b"h2"], ALL_VERSIONS).await)).await
    }

    /// A new connection for this version.
    pub async fn client(&self, version: Version) -> Client {
        match version {
            Version::Http1 => Client::Http1(Box::new(self.wire().await)),
            Version::Http2 => Client::Http2(self.http2().await),
        }
    }

    /// Makes a request over a connection of its own.
    pub async fn call(&self, call: &Call) -> Answer {
        self.wire().await.call(call).await
    }

    pub async fn tls(
        &self,
        protocols: &[&[u8]],
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsStream<TcpStream> {
        let stream = within("a connection", TcpStream::connect(self.https())).await;
        let stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        handshake(stream, protocols, versions).await
    }

    /// TLS over a connection that is there.
    pub async fn tls_over(&self, stream: TcpStream, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
        handshake(stream, protocols, ALL_VERSIONS).await
    }

    async fn narrow_stream(&self) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&self.https().into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        TcpStream::from_std(socket.into()).unwrap()
    }

    /// Runs a command of the command line to its end.
    pub fn command(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = command(&self.config)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }
}

impl Client {
    pub async fn call(&mut self, call: &Call) -> Answer {
        match self {
            Self::Http1(wire) => wire.call(call).await,
            Self::Http2(http2) => http2.call(call).await,
        }
    }

    /// As [`Self::call`], where the answer may be broken off.
    pub async fn try_call(&mut self, call: &Call) -> Option<Answer> {
        match self {
            Self::Http1(wire) => {
                wire.try_send(call.bytes()).await.ok()?;
                wire.try_answer(&call.method).await.ok()
            }
            Self::Http2(http2) => http2.start(call).await.answer().await.ok(),
        }
    }
}

async fn handshake(
    stream: TcpStream,
    protocols: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> TlsStream<TcpStream> {
    let connector = TlsConnector::from(Arc::new(certificates::client(protocols, versions)));
    let name = "localhost".try_into().unwrap();
    let connected = within("the TLS handshake", connector.connect(name, stream)).await;
    connected.unwrap()
}
