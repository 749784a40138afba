mod websocket;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response, header};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::gathered::Gathered;
use super::line::Line;
use super::linger::close;
use super::resets::{Ending, Resets};
use super::sending::{Sending, Sendings};
use super::worker::Worker;
use crate::gateway::{BodyError, GatewayBody, Peer, Reply};
use crate::http::ClientBody;
use crate::proxy::Waiting;
use crate::runtime::yield_turn;

/// Serves one HTTP/2 connection to its end, all its streams in one task.
///
/// It stands on h2 itself, as hyper does: a stream that is cut must be reset even while its client
/// gives no window, and what already waits for that window must be dropped, which hyper cannot do.
///
/// No `async fn`, which would hold the room of its arguments for as long as the connection lives.
pub(super) fn serve<Io>(
    io: Io,
    line: Rc<Line>,
    peer: Peer,
    worker: Rc<Worker>,
) -> impl Future<Output = ()>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut io = Gathered::new(io);
    async move {
        let Some(connection) = Box::pin(open(&io, &worker)).await else {
            return;
        };
        let mut served = Served {
            connection,
            io: io.again(),
            streams: FuturesUnordered::new(),
            resets: Resets::new(worker.settings().http2.max_resets),
            line,
            peer: Rc::new(peer),
            worker,
            sendings: Rc::default(),
            is_draining: false,
            is_given_up: false,
        };
        poll_fn(|cx| served.poll(cx)).await;
        drop(served);
        Box::pin(close(&mut io)).await;
    }
}

/// Waits for the client's preface.
async fn open<Io>(io: &Gathered<Io>, worker: &Worker) -> Option<Connection<Gathered<Io>, Bytes>>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let settings = worker.settings();
    let mut handshake = pin!(settings.h2_builder().handshake(io.again()));
    let handshake = poll_fn(|cx| {
        let polled = handshake.as_mut().poll(cx);
        if polled.is_pending() {
            // Our settings need not wait for the client's. That it is gone shows when it is read from.
            let _ = io.poll_pass_on(cx);
        }
        polled
    });
    let opened = tokio::time::timeout(settings.head_timeout, handshake).await;
    opened.ok()?.ok()
}

/// So many requests of a connection begin before others have their turn.
const TURN_STREAMS: u32 = 16;

struct Served<Io> {
    connection: Connection<Gathered<Io>, Bytes>,
    io: Gathered<Io>,
    streams: FuturesUnordered<Pin<Box<dyn Future<Output = Ending>>>>,
    resets: Resets,
    line: Rc<Line>,
    peer: Rc<Peer>,
    worker: Rc<Worker>,
    sendings: Rc<Sendings>,
    is_draining: bool,
    /// Nothing that still comes is looked at.
    is_given_up: bool,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Served<Io> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_draining && self.worker.is_draining() {
            self.is_draining = true;
            self.connection.graceful_shutdown();
        }
        let mut begun = 0;
        let has_written = loop {
            while let Poll::Ready(Some(ending)) = Pin::new(&mut self.streams).poll_next(cx) {
                if self.resets.take(ending) {
                    self.give_up();
                }
            }
            // Right before the connection writes. That the streams were polled is not enough: the
            // set may leave some of them for later.
            self.sendings.cut(self.worker.watch.looks());
            if begun == TURN_STREAMS {
                yield_turn(cx);
                // What the streams have given just now is still with the connection.
                break false;
            }
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok(_))) if self.is_given_up => {}
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.accept(request, respond);
                    begun += 1;
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break true,
            }
        };
        match self.io.poll_pass_on(cx) {
            Poll::Ready(Ok(())) if has_written => self.sendings.written(),
            Poll::Ready(Ok(())) => {}
            Poll::Pending => self.sendings.wait(cx),
            Poll::Ready(Err(_)) => return Poll::Ready(()),
        }
        self.poll_idle(cx)
    }

    fn accept(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let stream = stream(
            request,
            respond,
            Rc::clone(&self.peer),
            Rc::clone(&self.worker),
            Rc::clone(&self.sendings),
        );
        self.streams.push(Box::pin(stream));
    }

    /// The client cancels too much. A goodbye that lets it go on would not end it.
    fn give_up(&mut self) {
        self.is_given_up = true;
        self.streams.clear();
        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
    }

    /// A connection without streams is closed after a while: with a goodbye first, and for good when
    /// the client does not say goodbye in turn.
    fn poll_idle(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.streams.is_empty() {
            self.line.read_idle(cx);
            return Poll::Pending;
        }
        self.io.release();
        ready!(
            self.line
                .poll_read_late(cx, self.worker.settings().idle_timeout)
        );
        if self.is_draining {
            return Poll::Ready(());
        }
        self.is_draining = true;
        self.connection.graceful_shutdown();
        // The client has as long again for its own goodbye; polled once more, so that ours is sent.
        self.line.read_moved();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// One request and its answer.
async fn stream(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Rc<Peer>,
    worker: Rc<Worker>,
    sendings: Rc<Sendings>,
) -> Ending {
    let is_wanted = Rc::new(Cell::new(false));
    let mut expects_continue = request.headers().contains_key(header::EXPECT);
    let is_head = request.method() == Method::HEAD;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let (request, tunnel) = if websocket::is_asked(&request) {
        let (request, input) = websocket::split(request);
        (request, Some(input))
    } else {
        let wanted = Rc::clone(&is_wanted);
        (
            request.map(|body| ClientBody::http2(body, length, wanted)),
            None,
        )
    };

    let mut answer = pin!(worker.gateway().answer(request, &peer));
    let reply = poll_fn(|cx| {
        // A stream that the client has reset needs no answer.
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        let polled = answer.as_mut().poll(cx).map(Some);
        if expects_continue && polled.is_pending() && is_wanted.get() {
            // Once: the body is asked for again and again.
            expects_continue = false;
            send_continue(&mut respond);
        }
        polled
    });
    let Some(reply) = reply.await else {
        return Ending::Cancelled;
    };
    match (reply, tunnel) {
        // The client would take it for the beginning of a WebSocket.
        (Reply::Response(response), Some(_)) if response.status().is_success() => {
            respond.send_reset(Reason::INTERNAL_ERROR);
            Ending::Ours
        }
        (Reply::Response(response), _) => {
            give(response, is_head, respond, &worker, &sendings).await
        }
        (Reply::Switch(response, relay), Some(input)) => {
            websocket::serve(response, relay, input, respond, &sendings).await
        }
        // Only HTTP/1.1 asks for a switch of protocols otherwise.
        (Reply::Switch(..), None) => {
            respond.send_reset(Reason::HTTP_1_1_REQUIRED);
            Ending::Ours
        }
    }
}

fn send_continue(respond: &mut SendResponse<Bytes>) {
    let mut interim = Response::new(());
    *interim.status_mut() = http::StatusCode::CONTINUE;
    // A client that is gone needs no encouragement.
    let _ = respond.send_informational(interim);
}

async fn give(
    response: Response<GatewayBody>,
    is_head: bool,
    mut respond: SendResponse<Bytes>,
    worker: &Worker,
    sendings: &Rc<Sendings>,
) -> Ending {
    let (mut head, mut body) = response.into_parts();
    head.headers
        .entry(header::DATE)
        .or_insert_with(|| worker.date());
    let is_done = is_head || body.is_end_stream();
    let Ok(send) = respond.send_response(Response::from_parts(head, ()), is_done) else {
        return Ending::Cancelled;
    };
    let send = Rc::new(RefCell::new(send));
    let _entry = body
        .is_guarded()
        .then(|| sendings.add(body.exchange(), &send));
    if is_done {
        return Ending::Ours;
    }
    let timeout = worker.settings().write_timeout;
    loop {
        let frame = poll_fn(|cx| {
            if send.borrow_mut().poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Ending::Cancelled));
            }
            Pin::new(&mut body).poll_frame(cx).map(Ok)
        });
        let frame = match frame.await {
            Ok(frame) => frame,
            Err(ending) => return ending,
        };
        let given = match frame {
            None => {
                let _ = send.borrow_mut().send_data(Bytes::new(), true);
                return Ending::Ours;
            }
            Some(Err(error)) => Err(error),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => give_data(data, &send, &mut body, timeout).await,
                Err(frame) => {
                    end_with(frame.into_trailers().unwrap_or_default(), &send);
                    return Ending::Ours;
                }
            },
        };
        match given {
            Ok(Given::More) => {}
            Ok(Given::Done(ending)) => return ending,
            Err(error) => {
                send.borrow_mut().send_reset(reason(&error));
                return Ending::Ours;
            }
        }
    }
}

fn end_with(trailers: HeaderMap, send: &Sending) {
    let mut send = send.borrow_mut();
    // A client that is gone needs no end.
    let _ = if trailers.is_empty() {
        send.send_data(Bytes::new(), true)
    } else {
        send.send_trailers(trailers)
    };
}

/// Whether there is more to give.
enum Given {
    More,
    Done(Ending),
}

/// Gives data as far as the client's window opens, and sees meanwhile whether the stream was cut.
async fn give_data(
    mut data: Bytes,
    send: &Sending,
    body: &mut GatewayBody,
    timeout: std::time::Duration,
) -> Result<Given, BodyError> {
    let is_last = body.is_end_stream();
    while !data.is_empty() {
        send.borrow_mut().reserve_capacity(data.len());
        let capacity = poll_fn(|cx| {
            let mut send = send.borrow_mut();
            let polled = match send.capacity() {
                0 => send.poll_capacity(cx),
                capacity => return Poll::Ready(Ok(Some(capacity))),
            };
            match polled {
                Poll::Ready(Some(Ok(capacity))) => Poll::Ready(Ok(Some(capacity))),
                Poll::Ready(_) => Poll::Ready(Ok(None)),
                Poll::Pending => {
                    body.exchange().still_wait_for(Waiting::Client, timeout);
                    body.poll_alarm(cx).map(Err)
                }
            }
        });
        let Some(capacity) = capacity.await? else {
            return Ok(Given::Done(Ending::Cancelled));
        };
        body.exchange().go_on();
        let part = data.split_to(capacity.min(data.len()));
        body.exchange().moved(part.len());
        let is_end = is_last && data.is_empty();
        if send.borrow_mut().send_data(part, is_end).is_err() {
            return Ok(Given::Done(Ending::Cancelled));
        }
        if is_end {
            return Ok(Given::Done(Ending::Ours));
        }
    }
    if !is_last {
        return Ok(Given::More);
    }
    // A service over HTTP/2 may say the end in a frame without data.
    let _ = send.borrow_mut().send_data(Bytes::new(), true);
    Ok(Given::Done(Ending::Ours))
}

const fn reason(error: &BodyError) -> Reason {
    match error {
        BodyError::Cut => Reason::CANCEL,
        BodyError::TooSlow | BodyError::Upstream(_) | BodyError::Api(_) => Reason::INTERNAL_ERROR,
    }
}
