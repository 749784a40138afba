use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::unconstrained;

use super::connection::{Connection, Pool};
use super::upstreams::Place;
use super::{Exchange, Waiting};

/// The body of an upstream's answer, with the connection it comes over: at its end the connection
/// goes back to the pool, and dropped before that it is closed.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    source: Option<Source>,
    exchange: Rc<Exchange>,
    /// How long the upstream may take for the next bytes; none for event streams.
    idle_timeout: Option<Duration>,
}

/// Where the body comes from, until it has come.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) connection: Box<Connection>,
    pub(super) pool: Rc<Pool>,
    pub(super) max_idle: usize,
    /// The exchange's place in its upstream, held until the body has come.
    pub(super) _place: Place,
}

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        source: Source,
        exchange: Rc<Exchange>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        let mut body = Self {
            incoming,
            source: Some(source),
            exchange,
            idle_timeout,
        };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        body
    }

    fn finish(&mut self) {
        if let Some(source) = self.source.take() {
            source.pool.give(source.connection, source.max_idle);
        }
    }

    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // The body is fed by driving the connection, so it need not wake anybody itself; asking it
        // first tells the connection that more is wanted.
        let mut quiet = Context::from_waker(Waker::noop());
        let first = free(|cx| Pin::new(&mut self.incoming).poll_frame(cx), &mut quiet);
        if first.is_ready() {
            return first;
        }
        if let Some(source) = &mut self.source {
            source.connection.drive(cx);
        }
        free(|cx| Pin::new(&mut self.incoming).poll_frame(cx), &mut quiet)
    }
}

/// Polls outside the task's budget, which would leave it for a waking that never comes.
fn free<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>, cx: &mut Context<'_>) -> Poll<T> {
    let mut polling = pin!(unconstrained(poll_fn(|cx| poll(cx))));
    polling.as_mut().poll(cx)
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = self.poll_incoming(cx);
        match &polled {
            Poll::Pending => {
                if let Some(timeout) = self.idle_timeout {
                    self.exchange.still_wait_for(Waiting::Answer, timeout);
                }
            }
            Poll::Ready(Some(Ok(_))) => {
                self.exchange.go_on();
                if self.incoming.is_end_stream() {
                    self.finish();
                }
            }
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => self.source = None,
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
