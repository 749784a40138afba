use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::RequestBody;

/// A connection to a server, driven by whoever uses it.
///
/// No task stands behind it: the exchange that has it polls it, which saves a task switch each way,
/// and while it waits in the pool nobody does, which saves waking up for it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    io: http1::Connection<TokioIo<TcpStream>, RequestBody>,
    is_closed: bool,
    /// Whether it has carried an exchange before: then the server may have closed it meanwhile.
    pub(super) is_used: bool,
}

/// The request could not be sent, or was not answered.
#[derive(Debug)]
pub(super) struct SendFailed {
    pub(super) error: hyper::Error,
    /// The request, when the server has seen nothing of it.
    pub(super) unsent: Option<Request<RequestBody>>,
}

impl Connection {
    /// Connects to `address`, a host and port.
    ///
    /// # Errors
    ///
    /// As the system says; the handshake itself sends nothing and does not fail.
    pub(super) async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, io) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Self {
            sender,
            io,
            is_closed: false,
            is_used: false,
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendFailed> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let io = &mut self.io;
        let is_closed = &mut self.is_closed;
        let answered = poll_fn(|cx| {
            if !*is_closed {
                *is_closed = io.poll_without_shutdown(cx).is_ready();
            }
            // Only polling the connection above can complete it, so it need not wake anybody.
            answer.as_mut().poll(&mut quiet())
        });
        answered.await.map_err(|mut error| SendFailed {
            unsent: error.take_message(),
            error: error.into_error(),
        })
    }

    /// Moves bytes, as far as that goes without waiting.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_closed {
            self.is_closed = self.io.poll_without_shutdown(cx).is_ready();
        }
    }

    /// Whether it can carry another exchange now.
    pub(super) fn is_ready(&mut self) -> bool {
        self.drive(&mut quiet());
        !self.is_closed && self.sender.is_ready()
    }

    /// Waits until the server has switched protocols, and gives the bare connection back with the
    /// bytes that came after its head.
    pub(super) async fn switched(mut self) -> hyper::Result<(TcpStream, Bytes)> {
        if !self.is_closed {
            poll_fn(|cx| self.io.poll_without_shutdown(cx)).await?;
        }
        let parts = self.io.into_parts();
        Ok((parts.io.into_inner(), parts.read_buf))
    }
}

/// Connections to one server that wait for their next exchange, the last used on top: under little
/// load the others grow old and are closed.
#[derive(Debug, Default)]
pub(super) struct Pool(RefCell<VecDeque<Idle>>);

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// A connection that was open a moment ago.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let mut idle = self.0.borrow_mut().pop_back()?;
            if idle.connection.is_ready() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection for the next exchange, if it can carry one; at most `max` wait.
    pub(super) fn give(&self, mut connection: Box<Connection>, max: usize) {
        if !connection.is_ready() {
            return;
        }
        connection.is_used = true;
        let mut idle = self.0.borrow_mut();
        if idle.len() >= max {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: Instant::now(),
        });
    }

    /// Closes those that have waited for `keep_alive`, and those that the server has closed.
    pub(super) fn sweep(&self, keep_alive: Duration) {
        let mut idle = self.0.borrow_mut();
        idle.retain_mut(|idle| idle.since.elapsed() < keep_alive && idle.connection.is_ready());
    }
}

const fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
