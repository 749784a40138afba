use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::StatusCode;
use http_body::Frame;

use super::message;
use super::session::Seat;
use crate::config::Scheme;
use crate::proxy::answer_head::{AnswerHead, HeadReader};
use crate::proxy::connection::{SendError, SendFailed};
use crate::proxy::upload::{Piece, Upload};
use crate::proxy::upstreams::Again;
use crate::proxy::{AnswerError, Misfit};

/// One request and its answer over a connection that carries others too. Dropped before its end, the
/// server is told to stop.
#[derive(Debug)]
pub(in crate::proxy) struct Call {
    seat: Seat,
    scheme: Scheme,
    upload: Option<Upload>,
    /// What of the body was taken, while it may have to be sent once more.
    taken: Option<Taken>,
    asked: Option<Asked>,
    /// The answer's body.
    body: Option<RecvStream>,
    is_data_done: bool,
    is_done: bool,
}

/// A request whose head was sent.
#[derive(Debug)]
struct Asked {
    stream: u32,
    answer: ResponseFuture,
    sending: SendStream<Bytes>,
    /// What was taken of the body and the server has no room for yet.
    piece: Bytes,
    is_last: bool,
    /// Whether nothing more is sent: all was, or the server takes no more.
    is_over: bool,
}

/// A copy: what was read of a client may be a byte in a buffer of many thousands, and all of it would be kept.
#[derive(Debug, Default)]
struct Taken(BytesMut);

/// Of a body so much is kept until the server has answered, should it not have acted on the request.
const MAX_TAKEN: usize = 64 * 1024;
/// Below this a piece is copied before it waits, for the same reason.
const SMALL: usize = 1024;

impl Call {
    pub(in crate::proxy) fn new(seat: Seat, scheme: Scheme) -> Self {
        Self {
            seat,
            scheme,
            upload: None,
            taken: Some(Taken::default()),
            asked: None,
            body: None,
            is_data_done: false,
            is_done: false,
        }
    }

    /// Takes the request.
    pub(in crate::proxy) fn begin(&mut self, upload: Option<Upload>) {
        self.upload = upload;
    }

    /// Sends the request, as far as that goes, until the head of its answer has come.
    pub(in crate::proxy) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader<'_>,
    ) -> Poll<Result<AnswerHead, SendFailed>> {
        let polled = ready!(self.poll_answered(cx, reader));
        Poll::Ready(polled.map_err(|error| self.failed(error, reader)))
    }

    /// Sends on what is left of the request, which may go on while the answer comes.
    ///
    /// # Errors
    ///
    /// When the client has broken it off. A server that takes no more may still answer.
    pub(in crate::proxy) fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), ()> {
        let (Some(asked), Some(upload)) = (&mut self.asked, &mut self.upload) else {
            return Ok(());
        };
        while !asked.is_over {
            if !asked.piece.is_empty() {
                if asked.poll_piece(cx).is_pending() {
                    return Ok(());
                }
                continue;
            }
            let Poll::Ready(piece) = upload.poll_piece(cx) else {
                return Ok(());
            };
            let piece = piece.map_err(|_| ())?;
            Taken::note(&mut self.taken, &piece);
            asked.give(piece);
        }
        Ok(())
    }

    /// The next frame of the answer's body; nothing at its end.
    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, AnswerError>> {
        if self.drive(cx).is_err() {
            return Poll::Ready(Err(AnswerError::RequestCut));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(None));
        };
        if !self.is_data_done {
            if let Some(data) = ready!(body.poll_data(cx)).transpose()? {
                // Asked for again only when the client has taken this.
                body.flow_control().release_capacity(data.len())?;
                self.is_done = body.is_end_stream();
                return Poll::Ready(Ok(Some(Frame::data(data))));
            }
            self.is_data_done = true;
        }
        let trailers = ready!(body.poll_trailers(cx))?;
        self.is_done = true;
        if let Some(trailers) = &trailers {
            message::check(trailers)?;
        }
        Poll::Ready(Ok(trailers.map(Frame::trailers)))
    }

    /// When the connection was opened.
    pub(in crate::proxy) fn opened(&self) -> Instant {
        self.seat.opened()
    }

    /// Whether everything of the answer has come.
    pub(in crate::proxy) const fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether its request may be sent once more.
    pub(in crate::proxy) fn may_repeat(&self) -> bool {
        self.upload.as_ref().is_some_and(Upload::may_repeat)
    }

    /// The request, to be sent once more, and why it may be.
    pub(in crate::proxy) fn take_again(&mut self) -> Option<(Again, Upload)> {
        self.upload.take().and_then(Upload::again)
    }

    /// The buffer of the request's head, once the request was sent whole.
    pub(in crate::proxy) fn take_sent(&mut self) -> Option<Vec<u8>> {
        self.asked.as_ref().filter(|asked| asked.is_over)?;
        self.upload.take().map(Upload::into_buffer)
    }

    fn poll_answered(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader<'_>,
    ) -> Poll<Result<AnswerHead, SendError>> {
        if self.asked.is_none() {
            self.ask()?;
        }
        loop {
            self.drive(cx).map_err(|()| SendError::Client)?;
            let Some(asked) = &mut self.asked else {
                return Poll::Ready(Err(SendError::Server(AnswerError::Closed)));
            };
            if let Poll::Ready(Some(interim)) = asked.answer.poll_informational(cx) {
                let status = interim.map_err(broken)?.status();
                reader.count_interim().map_err(SendError::Server)?;
                let is_awaited = status == StatusCode::CONTINUE
                    && self.upload.as_mut().is_some_and(Upload::go_on);
                if !is_awaited {
                    reader.drop_interim();
                }
                continue;
            }
            let answer = ready!(Pin::new(&mut asked.answer).poll(cx)).map_err(broken)?;
            return Poll::Ready(self.answered(answer, reader).map_err(SendError::Server));
        }
    }

    /// Sends the head.
    fn ask(&mut self) -> Result<(), SendError> {
        let closed = || SendError::Server(AnswerError::Closed);
        let upload = self.upload.as_mut().ok_or_else(closed)?;
        let is_whole = upload.is_bodyless();
        let session = &self.seat.session;
        let head = upload.head_alone();
        let head = head.map_err(|_| SendError::Misfit(Misfit::Trailers))?;
        let request = message::request(head, self.scheme).map_err(Misfit::from);
        let request = request.and_then(|request| session.told.check_size(request));
        let request = request.map_err(SendError::Misfit)?;
        let mut sender = session.sender.clone();
        let asked = sender.send_request(request, is_whole).map_err(|error| {
            // It has ended, or has no numbers for streams left: it is of no use to others either.
            session.told.has_ended.set(true);
            broken(error)
        })?;
        upload.set_sent();
        let (answer, sending) = asked;
        self.asked = Some(Asked {
            stream: answer.stream_id().as_u32(),
            answer,
            sending,
            piece: Bytes::new(),
            is_last: false,
            is_over: is_whole,
        });
        Ok(())
    }

    fn answered(
        &mut self,
        answer: http::Response<RecvStream>,
        reader: &HeadReader<'_>,
    ) -> Result<AnswerHead, AnswerError> {
        self.taken = None;
        let (head, body) = answer.into_parts();
        self.is_done = body.is_end_stream();
        let head = message::answer(head, reader.is_head(), self.is_done)?;
        self.body = Some(body);
        Ok(head)
    }

    fn failed(&mut self, error: SendError, reader: &HeadReader<'_>) -> SendFailed {
        let SendError::Server(error) = error else {
            return SendFailed {
                error,
                again: None,
                was_stale: false,
            };
        };
        let is_unprocessed = self.is_unprocessed(&error);
        let is_ending = self.seat.session.told.is_closing();
        let again = match self.taken.take() {
            Some(taken) if is_unprocessed => {
                let upload = self.upload.take();
                upload.map(|upload| (Again::Unsent, upload.unprocessed(taken.0.freeze())))
            }
            _ if is_unprocessed => None,
            _ => self.take_again(),
        };
        SendFailed {
            again,
            was_stale: self.seat.was_kept && (is_unprocessed || is_ending) && reader.is_untouched(),
            error: SendError::Server(error),
        }
    }

    /// Whether the server has said that it did not act on the request, or cannot have heard of it.
    fn is_unprocessed(&self, error: &AnswerError) -> bool {
        let Some(asked) = &self.asked else {
            return true;
        };
        let is_refused = matches!(error, AnswerError::Http2(error)
            if error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM));
        is_refused || self.seat.session.told.is_beyond(asked.stream)
    }
}

impl Asked {
    /// Sends of the piece what the server has room for; ready when there is something else to do.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sending.reserve_capacity(self.piece.len());
        let room = match self.sending.capacity() {
            0 => match ready!(self.sending.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(_)) | None => {
                    self.is_over = true;
                    return Poll::Ready(());
                }
            },
            room => room,
        };
        let now = self.piece.split_to(room.min(self.piece.len()));
        let is_end = self.is_last && self.piece.is_empty();
        let sent = self.sending.send_data(now, is_end);
        self.is_over = is_end || sent.is_err();
        Poll::Ready(())
    }

    fn give(&mut self, piece: Piece) {
        // The server may have reset the stream; its answer tells.
        match piece {
            Piece::Data(data, is_last) if data.is_empty() && !is_last => {}
            Piece::Data(data, is_last) if !data.is_empty() => {
                let is_small = data.len() < SMALL;
                self.piece = if is_small {
                    Bytes::copy_from_slice(&data)
                } else {
                    data
                };
                self.is_last = is_last;
            }
            Piece::Data(..) | Piece::End => {
                let _ = self.sending.send_data(Bytes::new(), true);
                self.is_over = true;
            }
            Piece::Trailers(trailers) if trailers.is_empty() => self.give(Piece::End),
            Piece::Trailers(trailers) => {
                let _ = self.sending.send_trailers(trailers);
                self.is_over = true;
            }
        }
    }
}

impl Taken {
    /// Keeps what was taken, as long as it is little.
    fn note(taken: &mut Option<Self>, piece: &Piece) {
        let Some(kept) = taken else {
            return;
        };
        match piece {
            Piece::Data(data, _) if kept.0.len() + data.len() <= MAX_TAKEN => {
                kept.0.extend_from_slice(data);
            }
            Piece::End => {}
            Piece::Data(..) | Piece::Trailers(_) => *taken = None,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(asked) = &mut self.asked
            && !(self.is_done && asked.is_over)
        {
            // Said outright, so that what still waits to be sent is dropped.
            asked.sending.send_reset(Reason::CANCEL);
        }
    }
}

fn broken(error: h2::Error) -> SendError {
    SendError::Server(error.into())
}
