use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::recheck::Recheck;
use super::record::{End, Record};
use crate::proxy::{Exchange, Tunnel, TunnelEnd, Waiting};
use crate::revocation::Alarm;

/// A WebSocket that was let through: it passes bytes both ways until it ends or is cut.
#[derive(Debug)]
pub struct Relay {
    tunnel: Box<Tunnel>,
    record: Box<Record>,
    recheck: Recheck,
}

/// What is left to do with the client's connection after a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEnd {
    /// Nothing: it ended in good order.
    Closed,
    /// It must be reset, so that the client sees that something is missing.
    Reset,
}

/// What is told of a WebSocket that its service did not end in good order.
#[derive(Debug, thiserror::Error)]
#[error("the service broke its WebSocket off, or took nothing for too long")]
struct BrokenOff;

impl Relay {
    pub(super) fn new(tunnel: Box<Tunnel>, mut record: Box<Record>) -> Self {
        record.question_if_old();
        // Until it has run: a client may be gone before.
        record.end = Some(End::Client);
        Self {
            tunnel,
            record,
            recheck: Recheck::default(),
        }
    }

    /// The exchange it is part of.
    #[must_use]
    pub const fn exchange(&self) -> &Rc<Exchange> {
        &self.record.exchange
    }

    /// Passes bytes until the end. A cut says goodbye with Close 1008 where a frame has ended.
    pub async fn run<Client>(mut self, client: &mut Client) -> RelayEnd
    where
        Client: AsyncRead + AsyncWrite + Unpin,
    {
        let end = poll_fn(|cx| match self.poll_alarm(cx) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending => match self.tunnel.poll_relay(cx, client) {
                Poll::Ready(TunnelEnd::Closed) => Poll::Ready(None),
                Poll::Ready(TunnelEnd::ByClient) => Poll::Ready(Some(End::Client)),
                Poll::Ready(TunnelEnd::ByUpstream) => Poll::Ready(Some(End::Upstream)),
                Poll::Pending => Poll::Pending,
            },
        });
        self.record.end = end.await;
        if self.record.end == Some(End::Upstream) {
            self.record.note_cause(&BrokenOff);
        }
        match self.record.end {
            None => RelayEnd::Closed,
            Some(End::Cut) => {
                // The guard of the connection would hold back the goodbye too.
                self.record.exchange.part();
                if self.tunnel.say_goodbye(client).await {
                    RelayEnd::Closed
                } else {
                    RelayEnd::Reset
                }
            }
            Some(End::Client | End::Upstream | End::Gateway) => RelayEnd::Reset,
        }
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let polled = self.record.exchange.watched.poll_alarm(cx);
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Alarm::Ended(_) | Alarm::Expired | Alarm::Unverified) => {
                Poll::Ready(End::Cut)
            }
            Poll::Ready(Alarm::Stale) => match self.recheck.poll(cx, &mut self.record) {
                Poll::Ready(true) | Poll::Pending => Poll::Pending,
                Poll::Ready(false) => Poll::Ready(End::Cut),
            },
            Poll::Ready(Alarm::TimedOut) => match self.record.exchange.waiting() {
                Waiting::Head | Waiting::Answer => Poll::Ready(End::Upstream),
                Waiting::Nobody | Waiting::Request | Waiting::Client => Poll::Ready(End::Client),
            },
        }
    }
}
