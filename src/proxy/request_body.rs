use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::{Exchange, Waiting};
use crate::config::HeaderRules;
use crate::http::{ClientBody, ClientBodyError, Code, IdentityHeaders, are_trimmed};

/// The body of a request on its way to the upstream: counted, and late when the client stalls.
#[derive(Debug)]
pub struct RequestBody {
    body: ClientBody,
    exchange: Rc<Exchange>,
    /// How long the client may take for the next bytes.
    patience: Duration,
    /// How long the upstream has for its head once the body has moved.
    response_timeout: Option<Duration>,
    /// What a client may not forge in trailers either.
    identity: Option<Arc<IdentityHeaders>>,
    /// What its route sets and removes, which trailers may not undo.
    rules: Option<Arc<HeaderRules>>,
    /// Keeps the body of a request with `Expect: 100-continue` until the upstream wants it, or a second
    /// has passed (RFC 9110 §10.1.1): asking for the body is what sends the client its 100.
    gate: Option<Pin<Box<Sleep>>>,
    /// What was taken and is to be taken once more, the first piece last.
    put_back: Vec<Bytes>,
}

const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

impl RequestBody {
    /// The body of a request that came in `exchange`; `patience` is how long the client may take for
    /// the next bytes.
    #[must_use]
    pub const fn new(body: ClientBody, exchange: Rc<Exchange>, patience: Duration) -> Self {
        Self {
            body,
            exchange,
            patience,
            response_timeout: None,
            identity: None,
            rules: None,
            gate: None,
            put_back: Vec::new(),
        }
    }

    /// It may have `max` bytes at the most; what comes beyond breaks it off.
    ///
    /// # Errors
    ///
    /// [`Code::BodyTooLarge`] when the client said already that it has more.
    pub fn hold_to(&mut self, max: Option<u64>) -> Result<(), Code> {
        self.exchange.max_received.set(max);
        match max {
            Some(max) if self.body.size_hint().lower() > max => Err(Code::BodyTooLarge),
            _ => Ok(()),
        }
    }

    /// Whether nothing will come.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.body, ClientBody::Empty)
    }

    /// It goes to an upstream, which has `response_timeout` for its head, counted anew whenever the
    /// body moves; trailers lose what a client may not forge, and what its route's `rules` take.
    pub(super) fn outbound(
        &mut self,
        response_timeout: Duration,
        identity: &Arc<IdentityHeaders>,
        rules: Option<&Arc<HeaderRules>>,
    ) {
        self.response_timeout = Some(response_timeout);
        self.identity = Some(Arc::clone(identity));
        self.rules = rules.map(Arc::clone);
    }

    /// Keeps the body back until the upstream's `100 Continue`.
    pub(super) fn hold_for_continue(&mut self) {
        self.gate = Some(Box::pin(tokio::time::sleep(CONTINUE_PATIENCE)));
    }

    /// The upstream wants the body; whether it was held back.
    pub(super) fn open_gate(&mut self) -> bool {
        self.gate.take().is_some()
    }

    /// Takes back what was taken, for another attempt at the request.
    pub(super) fn put_back(&mut self, taken: Bytes) {
        if !taken.is_empty() {
            self.put_back.push(taken);
        }
    }

    fn poll_gate(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(until) = &mut self.gate {
            ready!(until.as_mut().poll(cx));
            self.gate = None;
        }
        Poll::Ready(())
    }

    fn moved(&self, frame: &mut Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            self.exchange.received(data.len());
        }
        if let (Some(trailers), Some(identity)) = (frame.trailers_mut(), &self.identity) {
            identity.strip_trailers(trailers, self.rules.as_deref());
            if !are_trimmed(trailers) {
                trailers.clear();
            }
        }
        self.wait_on();
    }

    /// The client did its part; the upstream, if it goes to one, has its time anew.
    fn wait_on(&self) {
        match self.response_timeout {
            _ if self.has_answer() => {}
            Some(timeout) => self.exchange.wait_for(Waiting::Head, timeout),
            None => self.exchange.go_on(),
        }
    }

    /// Once the answer has begun, the answer's own deadlines rule.
    fn has_answer(&self) -> bool {
        self.exchange.answered_at.get().is_some()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        ready!(self.poll_gate(cx));
        if let Some(piece) = self.put_back.pop() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let mut polled = Pin::new(&mut self.body).poll_frame(cx);
        self.exchange.ask_client(polled.is_pending());
        match &mut polled {
            Poll::Ready(Some(Ok(_))) if self.exchange.is_too_slow() => {
                return Poll::Ready(Some(Err(ClientBodyError::TooSlow)));
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.moved(frame);
                if self.exchange.is_too_large() {
                    return Poll::Ready(Some(Err(ClientBodyError::TooLarge)));
                }
            }
            Poll::Ready(None) => self.wait_on(),
            Poll::Pending if !self.has_answer() => {
                self.exchange
                    .still_wait_for(Waiting::Request, self.patience);
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.put_back.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
