use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::unconstrained;

use super::RequestBody;
use super::upstreams::{Stream, Target};

/// A connection to a server, driven by whoever uses it.
///
/// No task stands behind it: the exchange that has it polls it, which saves a task switch each way,
/// and while it waits in the pool nobody does, which saves waking up for it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    io: Option<Io>,
    /// Whether it has ended, by the server's or the protocol's end.
    has_ended: bool,
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
    /// Connects to `target`.
    ///
    /// # Errors
    ///
    /// As the system says; the handshake itself sends nothing and does not fail.
    pub(super) async fn connect(target: &Target) -> io::Result<Self> {
        let stream = Stream::connect(target).await?;
        let (sender, io) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Self {
            sender,
            io: Some(io),
            has_ended: false,
            is_used: false,
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendFailed> {
        let mut answer = pin!(unconstrained(self.sender.try_send_request(request)));
        let (io, has_ended) = (&mut self.io, &mut self.has_ended);
        let answered = poll_fn(|cx| {
            drive(io, has_ended, cx);
            // Only driving the connection can complete it, or dropping it, so it need not wake
            // anybody. Unconstrained, lest the task's budget leaves it for a waking that never comes.
            let polled = answer.as_mut().poll(&mut quiet());
            if polled.is_pending() && *has_ended {
                *io = None;
                return answer.as_mut().poll(&mut quiet());
            }
            polled
        });
        answered.await.map_err(|mut error| SendFailed {
            unsent: error.take_message(),
            error: error.into_error(),
        })
    }

    /// Moves bytes, as far as that goes without waiting.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.io, &mut self.has_ended, cx);
    }

    /// Whether it can carry another exchange now.
    pub(super) fn is_ready(&mut self) -> bool {
        let (io, has_ended) = (&mut self.io, &mut self.has_ended);
        let mut look = pin!(unconstrained(poll_fn(|cx| {
            drive(io, has_ended, cx);
            Poll::Ready(())
        })));
        // It is ready at once.
        let _ = look.as_mut().poll(&mut quiet());
        !self.has_ended && self.sender.is_ready()
    }

    /// Waits until the server has switched protocols, and gives the bare connection back with the
    /// bytes that came after its head. `None` when the server was gone before that.
    pub(super) async fn switched(self) -> hyper::Result<Option<(Stream, Bytes)>> {
        let Some(mut io) = self.io else {
            return Ok(None);
        };
        if !self.has_ended {
            poll_fn(|cx| io.poll_without_shutdown(cx)).await?;
        }
        let parts = io.into_parts();
        Ok(Some((parts.io.into_inner(), parts.read_buf)))
    }
}

type Io = http1::Connection<TokioIo<Stream>, RequestBody>;

/// Polls a connection until it has ended. It is kept then, since after a switch of protocols it is
/// still wanted; a request which it still holds learns only from its being dropped that it will not
/// be sent.
fn drive(io: &mut Option<Io>, has_ended: &mut bool, cx: &mut Context<'_>) {
    if !*has_ended {
        let io = io.as_mut();
        *has_ended = io.is_none_or(|io| io.poll_without_shutdown(cx).is_ready());
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
        if max == 0 || !connection.is_ready() {
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

/// What is read of an answer before somebody takes it; its head must fit too.
const MAX_BUFFER: usize = 64 * 1024;

const fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
