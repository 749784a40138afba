//! WebSockets over HTTP/2 (RFC 8441): one stream of a connection is the tunnel.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::gateway::{Relay, RelayEnd};
use crate::http::{ClientBody, ExtendedConnect};
use crate::server::resets::Ending;
use crate::server::sending::{Sending, Sendings};

/// Whether a request asks for a stream to become a WebSocket. Other protocols are asked for in vain: the
/// gateway refuses every `CONNECT`.
pub(super) fn is_asked(request: &Request<RecvStream>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

/// The request as the gateway takes it, which is as HTTP/1.1 has it, and what its client will send.
pub(super) fn split(request: Request<RecvStream>) -> (Request<ClientBody>, RecvStream) {
    let (mut head, input) = request.into_parts();
    head.method = Method::GET;
    head.extensions.insert(ExtendedConnect);
    (Request::from_parts(head, ClientBody::Empty), input)
}

/// Tells the client that the stream is a WebSocket, and serves it to its end.
pub(super) async fn serve(
    response: Response<()>,
    relay: Box<Relay>,
    input: RecvStream,
    mut respond: SendResponse<Bytes>,
    sendings: &Rc<Sendings>,
) -> Ending {
    let (mut head, ()) = response.into_parts();
    head.status = StatusCode::OK;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
        head.headers.remove(name);
    }
    let Ok(output) = respond.send_response(Response::from_parts(head, ()), false) else {
        return Ending::Cancelled;
    };
    let output: Sending = Rc::new(output.into());
    let _entry = sendings.add(relay.exchange(), &output);
    let mut duplex = Duplex {
        input,
        unread: Bytes::new(),
        output: Rc::clone(&output),
        sendings: Rc::clone(sendings),
        wrote_at: None,
        is_ended: false,
    };
    let end = relay.run(&mut duplex).await;
    let was_reset = poll_fn(|cx| Poll::Ready(output.borrow_mut().poll_reset(cx).is_ready())).await;
    if end == RelayEnd::Reset {
        output.borrow_mut().send_reset(Reason::CANCEL);
    }
    if was_reset {
        Ending::Cancelled
    } else {
        Ending::Ours
    }
}

/// A stream as a connection of its own.
struct Duplex {
    input: RecvStream,
    /// What came and was not yet read.
    unread: Bytes,
    output: Sending,
    sendings: Rc<Sendings>,
    /// In which turn of the connection something was last written.
    wrote_at: Option<u64>,
    is_ended: bool,
}

impl AsyncRead for Duplex {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.input.poll_data(cx)) {
                Some(data) => this.unread = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = buf.remaining().min(this.unread.len());
        buf.put_slice(this.unread.get(..length).unwrap_or_default());
        this.unread.advance(length);
        let released = this.input.flow_control().release_capacity(length);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut output = this.output.borrow_mut();
        output.reserve_capacity(bytes.len());
        let room = match output.capacity() {
            0 => match ready!(output.poll_capacity(cx)) {
                Some(room) => room.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            },
            room => room,
        };
        let now = bytes.get(..room).unwrap_or(bytes);
        let sent = output.send_data(Bytes::copy_from_slice(now), false);
        sent.map_err(io::Error::other)?;
        this.wrote_at = Some(this.sendings.turn());
        Poll::Ready(Ok(now.len()))
    }

    /// Ready once the connection has written it: what waits in it could still be taken back.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(turn) = self.wrote_at {
            ready!(self.sendings.poll_written(cx, turn));
            self.wrote_at = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_ended, true) {
            let ended = self.output.borrow_mut().send_data(Bytes::new(), true);
            ended.map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}
