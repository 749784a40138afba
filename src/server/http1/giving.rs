use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::head::{Framing, write_number};
use super::outgoing::Outgoing;
use crate::gateway::GatewayBody;
use crate::http::header::write_field;

/// An answer's body on its way to the client.
#[derive(Debug)]
pub(super) struct Giving {
    /// Dropped with its last byte: the access line is written then.
    body: Option<GatewayBody>,
    framing: Framing,
    takes_trailers: bool,
    is_writing: bool,
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const CHUNK_END: &[u8] = b"\r\n";
const LAST_CHUNK_END: &[u8] = b"\r\n0\r\n\r\n";

impl Giving {
    pub(super) fn new(body: GatewayBody, framing: Framing, takes_trailers: bool) -> Self {
        let has_more = match framing {
            Framing::None(_) => false,
            // A service over HTTP/2 may say the end apart from the head.
            Framing::Length(0) => !body.is_end_stream(),
            Framing::Length(_) | Framing::Chunked | Framing::UntilClose => true,
        };
        Self {
            is_writing: !has_more,
            body: has_more.then_some(body),
            framing,
            takes_trailers,
        }
    }

    /// Ready when all of it was given, or cannot be; then the client must see that.
    pub(super) fn poll<Io: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &RefCell<Connection<Io>>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.is_writing && self.poll_body(cx, connection)?.is_pending() {
                // What came before need not wait for what comes next.
                let mut connection = connection.borrow_mut();
                match connection.poll_out(cx)? {
                    Poll::Pending => {
                        self.is_writing = true;
                        self.hold_up(true);
                    }
                    Poll::Ready(()) => {
                        if connection.is_broken() || connection.poll_gone(cx).is_ready() {
                            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                        }
                    }
                }
                return Poll::Pending;
            }
            self.is_writing = true;
            let is_out = connection.borrow_mut().poll_out(cx);
            self.hold_up(is_out.is_pending());
            ready!(is_out)?;
            self.is_writing = false;
            if self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The client takes no more of the answer for now, or does again.
    fn hold_up(&self, is_held_up: bool) {
        if let Some(body) = &self.body {
            body.exchange().hold_up(is_held_up);
        }
    }

    /// Puts the next piece of the body where it is written from.
    fn poll_body<Io: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &RefCell<Connection<Io>>,
    ) -> io::Result<Poll<()>> {
        let Some(body) = &mut self.body else {
            return Ok(Poll::Ready(()));
        };
        // The connection is not borrowed meanwhile: the upstream may read the request's body from it.
        let Poll::Ready(polled) = Pin::new(body).poll_frame(cx) else {
            return Ok(Poll::Pending);
        };
        let mut connection = connection.borrow_mut();
        let put = match polled {
            Some(Ok(frame)) => self.put(frame, connection.out()),
            None => self.end(connection.out()),
            Some(Err(error)) => Err(io::Error::other(error)),
        };
        if put.is_err() {
            connection.line().must_reset.set(true);
        }
        put.map(Poll::Ready)
    }

    fn put(&mut self, frame: Frame<Bytes>, out: &mut Outgoing) -> io::Result<()> {
        let frame = match frame.into_data() {
            Ok(data) => return self.put_data(data, out),
            Err(frame) => frame,
        };
        match (self.framing, frame.into_trailers()) {
            (Framing::Chunked, Ok(trailers)) if self.takes_trailers => {
                write_trailers(out.bytes(), &trailers);
                self.body = None;
                Ok(())
            }
            _ => self.end(out),
        }
    }

    fn put_data(&mut self, data: Bytes, out: &mut Outgoing) -> io::Result<()> {
        let is_last = self.body.as_ref().is_none_or(Body::is_end_stream);
        if let Framing::Length(left) = &mut self.framing {
            let rest = u64::try_from(data.len()).ok();
            let rest = rest.and_then(|length| left.checked_sub(length));
            *left = rest.ok_or_else(not_as_told)?;
        }
        if self.framing != Framing::Chunked || data.is_empty() {
            out.put(data, b"");
        } else {
            write_number(out.bytes(), data.len() as u64, 16);
            out.bytes().extend_from_slice(CHUNK_END);
            out.put(data, if is_last { LAST_CHUNK_END } else { CHUNK_END });
            if is_last {
                self.body = None;
            }
        }
        if is_last { self.end(out) } else { Ok(()) }
    }

    /// Ends the body, if it has not ended yet.
    fn end(&mut self, out: &mut Outgoing) -> io::Result<()> {
        if self.body.take().is_none() {
            return Ok(());
        }
        match self.framing {
            Framing::Length(1..) => return Err(not_as_told()),
            Framing::Chunked => out.put(Bytes::new(), LAST_CHUNK),
            Framing::Length(0) | Framing::None(_) | Framing::UntilClose => {}
        }
        Ok(())
    }
}

fn write_trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        write_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

fn not_as_told() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the body has another length than its head told",
    )
}
