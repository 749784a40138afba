use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::checked::{Checked, Patience, is_stand_in};
use super::line::{Line, Refusal};
use super::linger::close;
use super::worker::Worker;
use crate::gateway::{BodyError, GatewayBody, Peer, Relay, RelayEnd, Reply};
use crate::http::{ApiError, ClientBody, Code};

/// Serves one HTTP/1 connection to its end.
pub(super) async fn serve<Io>(io: Io, line: Rc<Line>, peer: Peer, worker: Rc<Worker>)
where
    Io: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let settings = &worker.settings;
    let patience = Patience {
        head: settings.head_timeout,
        idle: settings.idle_timeout,
        body: settings.body_timeout,
    };
    let io = Checked::new(io, Rc::clone(&line), settings.max_head, patience);
    let relay = Rc::new(Cell::new(None));
    let service = {
        let served = Rc::new(Served {
            worker: Rc::clone(&worker),
            line: Rc::clone(&line),
            peer,
            relay: Rc::clone(&relay),
        });
        service_fn(move |request| {
            let served = Rc::clone(&served);
            // hyper gives its connection back only where it can move the service's future.
            Box::pin(async move { Ok::<_, Infallible>(served.answer(request).await) })
        })
    };
    let mut connection = http1::Builder::new()
        .max_buf_size(settings.max_head)
        .serve_connection(TokioIo::new(io), service);
    let mut drain = Drained::default();
    let served = poll_fn(|cx| {
        if drain.is_due(cx, &worker, &line) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        // Not `poll_without_shutdown`: that may leave the end of an answer unwritten.
        Pin::new(&mut connection).poll(cx)
    });
    if let Err(error) = served.await {
        // An answer that could not be given whole must look so. Other errors are the client's.
        if error.is_user() {
            line.must_reset.set(true);
        }
        return;
    }
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner();
    match relay.take() {
        // Only a client that did not wait for the switch has sent something by now.
        Some(_) if !parts.read_buf.is_empty() => line.must_reset.set(true),
        Some(relay) => run_relay(relay, io, &line).await,
        None => close(io.unchecked()).await,
    }
}

/// How long a connection on which nothing has come yet may take once the node drains.
const GRACE: Duration = Duration::from_secs(1);

/// Tells a connection once that the node drains. One on which nothing has come yet has a moment to
/// send its request: it was accepted, and hyper would close it unserved.
#[derive(Default)]
struct Drained {
    is_told: bool,
    grace: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Drained {
    fn is_due(&mut self, cx: &mut Context<'_>, worker: &Worker, line: &Line) -> bool {
        if self.is_told || !worker.is_draining() {
            return false;
        }
        let grace = self
            .grace
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(GRACE)));
        self.is_told = line.has_begun.get() || grace.as_mut().poll(cx).is_ready();
        self.is_told
    }
}

/// What answers the requests of one connection.
struct Served {
    worker: Rc<Worker>,
    line: Rc<Line>,
    peer: Peer,
    relay: Rc<Cell<Option<Box<Relay>>>>,
}

impl Served {
    async fn answer(&self, request: Request<Incoming>) -> Response<Http1Body> {
        self.line.is_busy.set(true);
        self.line.has_begun.set(true);
        // Requests that came before the refused head may still have to be answered.
        let refusal = is_stand_in(&request).then(|| self.line.refusal.take());
        let reply = match refusal.flatten() {
            Some(refusal) => {
                let error = match refusal {
                    Refusal::Framing(error) => error.into(),
                    Refusal::TooSlow => ApiError::new(Code::RequestTimeout),
                };
                self.worker.gateway.refuse_head(&error, &self.peer)
            }
            None => {
                let request = request.map(ClientBody::http1);
                self.worker.gateway.answer(request, &self.peer).await
            }
        };
        match reply {
            Reply::Response(response) => response.map(|body| self.body(body)),
            Reply::Switch(response, relay) => {
                self.line.is_switched.set(true);
                self.line.guard(relay.exchange());
                self.relay.set(Some(relay));
                response.map(|()| Http1Body::Empty)
            }
        }
    }

    fn body(&self, body: GatewayBody) -> Http1Body {
        if body.is_guarded() {
            self.line.guard(body.exchange());
        }
        Http1Body::Whole {
            body,
            line: Rc::clone(&self.line),
        }
    }
}

/// The body of an answer, which knows when the connection is idle again.
#[expect(
    clippy::large_enum_variant,
    reason = "the small one is for switches of protocol alone"
)]
enum Http1Body {
    Empty,
    Whole { body: GatewayBody, line: Rc<Line> },
}

impl Body for Http1Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole { body, .. } => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for Http1Body {
    fn drop(&mut self) {
        if let Self::Whole { line, .. } = self {
            line.is_busy.set(false);
        }
    }
}

async fn run_relay<Io>(relay: Box<Relay>, mut io: Io, line: &Line)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    match relay.run(&mut io).await {
        RelayEnd::Closed => close(&mut io).await,
        RelayEnd::Reset => line.must_reset.set(true),
    }
}
