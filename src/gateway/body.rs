use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::recheck::Recheck;
use super::record::{End, Record};
use crate::api::{ApiBody, ApiBodyError};
use crate::proxy::{AnswerError, Exchange, UpstreamBody};
use crate::revocation::Alarm;

/// The body of an answer: it ends the moment its exchange is cut, and its end writes the access line.
#[derive(Debug)]
pub struct GatewayBody {
    source: Source,
    record: Box<Record>,
    recheck: Recheck,
    is_done: bool,
}

pub(super) enum Source {
    Full(Bytes),
    Api(ApiBody),
    Upstream(UpstreamBody),
}

/// Why an answer was broken off. The client must see that it is not whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Its credential was revoked or has expired, or nobody knows.
    #[error("the exchange was cut")]
    Cut,
    /// The upstream sent nothing for too long.
    #[error("the upstream was too slow")]
    TooSlow,
    /// The upstream broke off.
    #[error("the upstream broke off")]
    Upstream(#[source] AnswerError),
    /// The store broke off.
    #[error("the store broke off")]
    Api(#[source] ApiBodyError),
}

/// Without what is in it: an answer may hold a token or a key.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Api(_) => "Api(..)",
            Self::Upstream(_) => "Upstream(..)",
        })
    }
}

impl From<ApiBody> for Source {
    fn from(body: ApiBody) -> Self {
        match body {
            ApiBody::Empty => Self::Full(Bytes::new()),
            ApiBody::Full(bytes) => Self::Full(bytes),
            ApiBody::Users(_) => Self::Api(body),
        }
    }
}

impl GatewayBody {
    pub(super) fn new(source: Source, record: Box<Record>) -> Self {
        if !record.is_guarded {
            record.exchange.watched.release();
        }
        record.question_if_old();
        Self {
            source,
            is_done: record.is_head_alone(),
            record,
            recheck: Recheck::default(),
        }
    }

    /// The exchange that it belongs to.
    #[must_use]
    pub const fn exchange(&self) -> &Rc<Exchange> {
        &self.record.exchange
    }

    /// The answer can be given no further: the client is gone, or takes nothing.
    fn fail(&mut self, end: End, error: BodyError) -> BodyError {
        self.is_done = true;
        self.record.end = Some(end);
        error
    }

    /// Ready once it must be broken off, whatever is still to come.
    pub fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let exchange = Rc::clone(&self.record.exchange);
        let Poll::Ready(alarm) = exchange.watched.poll_alarm(cx) else {
            return Poll::Pending;
        };
        match alarm {
            Alarm::Ended(_) | Alarm::Expired | Alarm::Unverified => {
                Poll::Ready(self.fail(End::Cut, BodyError::Cut))
            }
            Alarm::Stale => match self.recheck.poll(cx, &mut self.record) {
                Poll::Ready(true) | Poll::Pending => Poll::Pending,
                Poll::Ready(false) => Poll::Ready(self.fail(End::Cut, BodyError::Cut)),
            },
            Alarm::TimedOut if exchange.is_clients_delay() => {
                Poll::Ready(self.fail(End::Client, BodyError::TooSlow))
            }
            Alarm::TimedOut => {
                exchange.too_late();
                self.record.note_cause(&BodyError::TooSlow);
                Poll::Ready(self.fail(End::Upstream, BodyError::TooSlow))
            }
        }
    }

    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Source::Api(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::Api),
            Source::Upstream(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::Upstream),
        }
    }

    /// Whether the end of its admission cuts it. Refusals are not cut, nor is the answer of the very
    /// call that revoked the credential.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.record.is_guarded
    }

    fn passed(&mut self, polled: &Option<Result<Frame<Bytes>, BodyError>>) {
        match polled {
            Some(Ok(frame)) => {
                let sent = &self.record.exchange.sent_bytes;
                let more = frame.data_ref().map_or(0, Bytes::len);
                sent.set(
                    sent.get()
                        .saturating_add(u64::try_from(more).unwrap_or(u64::MAX)),
                );
                self.is_done = self.is_source_done();
            }
            Some(Err(BodyError::Upstream(AnswerError::RequestCut))) => {
                self.is_done = true;
                self.record.end = Some(End::Client);
            }
            Some(Err(BodyError::Api(_))) => {
                self.is_done = true;
                self.record.end = Some(End::Gateway);
            }
            Some(Err(BodyError::Upstream(error))) => {
                self.is_done = true;
                // We broke off a body that grew too long, and the upstream's answer with it.
                if self.record.exchange.is_too_large() {
                    self.record.end = Some(End::Client);
                } else {
                    self.record.end = Some(End::Upstream);
                    self.record.exchange.server_failed(error);
                    self.record.note_cause(error);
                }
            }
            // Told by whom it comes from.
            Some(Err(BodyError::Cut | BodyError::TooSlow)) => self.is_done = true,
            None => self.is_done = true,
        }
    }

    fn is_source_done(&self) -> bool {
        match &self.source {
            Source::Full(bytes) => bytes.is_empty(),
            Source::Api(body) => body.is_end_stream(),
            Source::Upstream(body) => body.is_end_stream(),
        }
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Asked before the upstream is: a fast one would never let the cut be seen.
        if self.is_guarded()
            && self.record.exchange.watched.alarm().is_some()
            && let Poll::Ready(error) = self.poll_alarm(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        match self.poll_source(cx) {
            Poll::Ready(mut polled) => {
                if let Some(Ok(frame)) = &mut polled
                    && let Some(trailers) = frame.trailers_mut()
                {
                    self.record.strip_trailers(trailers);
                }
                self.passed(&polled);
                Poll::Ready(polled)
            }
            Poll::Pending => self.poll_alarm(cx).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_source_done()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Full(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Source::Api(body) => body.size_hint(),
            Source::Upstream(body) => body.size_hint(),
        }
    }
}

impl Drop for GatewayBody {
    fn drop(&mut self) {
        self.record.exchange.end();
        if !self.is_done && !self.is_source_done() && self.record.end.is_none() {
            // A connection that holds back what was cut breaks off before it asks for more.
            let is_cut = self.record.is_guarded && self.record.exchange.is_cut();
            self.record.end = Some(if is_cut { End::Cut } else { End::Client });
        }
    }
}
