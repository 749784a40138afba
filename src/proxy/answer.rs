use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::carrier::Carrier;
use super::connection::Pool;
use super::decoder::Decoder;
use super::upstreams::Place;
use super::{AnswerError, Exchange, Waiting};

/// The body of an upstream's answer, with the connection it comes over: at its end the connection
/// goes back to the pool, and dropped before that it is closed; over HTTP/2 its stream is reset.
#[derive(Debug)]
pub struct UpstreamBody {
    source: Option<Source>,
    decoder: Decoder,
    exchange: Rc<Exchange>,
    /// How long the upstream may take for the next bytes; none for event streams.
    idle_timeout: Option<Duration>,
}

/// Where the body comes from, until it has come.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) carrier: Carrier,
    pub(super) pool: Rc<Pool>,
    pub(super) max_idle: usize,
    /// The exchange's place in its upstream, held until the body has come.
    pub(super) _place: Place,
}

impl UpstreamBody {
    pub(super) fn new(
        decoder: Decoder,
        source: Source,
        exchange: Rc<Exchange>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        let mut body = Self {
            source: Some(source),
            decoder,
            exchange,
            idle_timeout,
        };
        body.finish_if_done();
        body
    }

    /// Gives the connection back once everything has come.
    fn finish_if_done(&mut self) {
        if self.decoder.is_done()
            && let Some(source) = self.source.take()
            && let Carrier::Http1(connection) = source.carrier
        {
            source.pool.give(connection, source.max_idle);
        }
    }

    fn poll_decoded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, AnswerError>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(self.decoder.end().map(|()| None));
        };
        let connection = match &mut source.carrier {
            Carrier::Http1(connection) => connection,
            Carrier::Http2(call) => {
                let frame = ready!(call.poll_frame(cx))?;
                self.decoder.passed(frame.as_ref(), call.is_done());
                return Poll::Ready(Ok(frame));
            }
        };
        loop {
            if let Some(frame) = self.decoder.next(&mut connection.input)? {
                return Poll::Ready(Ok(Some(frame)));
            }
            if self.decoder.is_done() {
                return Poll::Ready(Ok(None));
            }
            if connection.drive(cx).is_err() {
                return Poll::Ready(Err(AnswerError::RequestCut));
            }
            if ready!(connection.poll_read(cx, self.decoder.left()))? == 0 {
                self.decoder.end()?;
            }
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let Poll::Ready(decoded) = self.poll_decoded(cx) else {
            if let Some(timeout) = self.idle_timeout {
                self.exchange.still_wait_for(Waiting::Answer, timeout);
            }
            return Poll::Pending;
        };
        match &decoded {
            Ok(_) => {
                self.exchange.go_on();
                self.finish_if_done();
            }
            Err(_) => self.source = None,
        }
        Poll::Ready(decoded.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder
            .left()
            .map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
