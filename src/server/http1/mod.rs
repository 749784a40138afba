//! HTTP/1: one request after the other, each read, answered and written by its connection's one task.
//!
//! `connection` reads requests and writes bytes, `request_bytes` is what the gateway reads a request's
//! body from, `head` and `giving` write an answer.

mod connection;
mod giving;
mod head;
mod outgoing;
mod request_bytes;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use self::connection::{Connection, Next};
use self::giving::Giving;
use self::head::{Asked, Framing, write_head};
use self::request_bytes::RequestBytes;
use super::line::Line;
use super::linger::close;
use super::worker::Worker;
use crate::gateway::{GatewayBody, Peer, Relay, RelayEnd, Reply};
use crate::http::{ClientBody, RequestHead};

/// Serves one HTTP/1 connection to its end.
///
/// No `async fn`, which would hold the room of its arguments for as long as the connection lives.
pub(super) fn serve<Io>(
    io: Io,
    line: Rc<Line>,
    peer: Peer,
    worker: Rc<Worker>,
) -> impl Future<Output = ()>
where
    Io: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let connection = Connection::new(io, line, Rc::clone(&worker));
    let mut served = Served {
        connection: Rc::new(RefCell::new(connection)),
        worker,
        peer,
        grace: None,
    };
    async move {
        let end = served.serve().await;
        if let Some(connection) = Rc::into_inner(served.connection) {
            Box::pin(finish(connection.into_inner(), end)).await;
        }
    }
}

/// Ends a connection as it is to end.
async fn finish<Io>(connection: Connection<Io>, end: End)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let line = Rc::clone(connection.line());
    let (mut io, has_more) = connection.into_parts();
    match end {
        End::Closed => close(&mut io).await,
        End::Broken => {}
        // Only a client that did not wait for the switch has sent something by now.
        End::Switched(_) if has_more => line.must_reset.set(true),
        End::Switched(relay) => match relay.run(&mut io).await {
            RelayEnd::Closed => close(&mut io).await,
            RelayEnd::Reset => line.must_reset.set(true),
        },
    }
}

/// How long a connection on which nothing has come yet may take once the node drains: it was accepted,
/// and would be closed unserved.
const GRACE: Duration = Duration::from_secs(1);

/// How serving a connection ended.
enum End {
    /// In good order: the client has what it was to get.
    Closed,
    /// The client is gone, or must see that something is missing.
    Broken,
    /// It is a WebSocket's from now on.
    Switched(Box<Relay>),
}

/// What follows an answer.
enum Turn {
    Next,
    End(End),
}

struct Served<Io> {
    connection: Rc<RefCell<Connection<Io>>>,
    worker: Rc<Worker>,
    peer: Peer,
    grace: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Served<Io> {
    async fn serve(&mut self) -> End {
        loop {
            let next = poll_fn(|cx| self.poll_next(cx)).await;
            // Boxed: a connection that waits for a request need not hold the room for an answer.
            let turn = match next {
                Next::Request(head) => Box::pin(self.answer(head)).await,
                Next::Refused(error) => {
                    let reply = self.worker.gateway().refuse_head(&error, &self.peer);
                    Box::pin(self.give(reply, Asked::unread())).await
                }
                Next::End => Turn::End(End::Closed),
                Next::Broken => Turn::End(End::Broken),
            };
            if let Turn::End(end) = turn {
                return end;
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let mut connection = self.connection.borrow_mut();
        if let Poll::Ready(next) = connection.poll_next(cx) {
            return Poll::Ready(next);
        }
        if !self.worker.is_draining() || !connection.is_idle() {
            return Poll::Pending;
        }
        if !connection.has_served() {
            let grace = self
                .grace
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(GRACE)));
            ready!(grace.as_mut().poll(cx));
        }
        Poll::Ready(Next::End)
    }

    async fn answer(&self, head: RequestHead) -> Turn {
        let asked = Asked::by(&head);
        let body = RequestBytes::of(&self.connection);
        let body = body.map_or(ClientBody::Empty, ClientBody::http1);
        let request = Request::from_parts(head.parts, body);
        let reply = {
            let gateway = self.worker.gateway();
            let mut answer = pin!(gateway.answer(request, &self.peer));
            let reply = poll_fn(|cx| {
                let polled = answer.as_mut().poll(cx);
                let mut connection = self.connection.borrow_mut();
                let is_gone = connection.is_broken()
                    || (polled.is_pending() && connection.poll_gone(cx).is_ready());
                if is_gone {
                    return Poll::Ready(None);
                }
                polled.map(Some)
            });
            reply.await
        };
        match reply {
            Some(reply) => self.give(reply, asked).await,
            None => Turn::End(End::Broken),
        }
    }

    async fn give(&self, reply: Reply, asked: Asked) -> Turn {
        let given = match reply {
            Reply::Response(response) => self.give_response(response, asked).await,
            Reply::Switch(response, relay) => self.switch(&response, relay).await,
        };
        // Whoever made the error has marked the connection, if it must be reset.
        given.unwrap_or(Turn::End(End::Broken))
    }

    async fn switch(&self, response: &Response<()>, relay: Box<Relay>) -> io::Result<Turn> {
        self.begin(response, &Asked::to_switch(), Framing::None(None));
        {
            let connection = self.connection.borrow();
            connection.line().guard(relay.exchange());
            connection.line().forget_pace();
        }
        poll_fn(|cx| self.connection.borrow_mut().poll_out(cx)).await?;
        Ok(Turn::End(End::Switched(relay)))
    }

    async fn give_response(
        &self,
        response: Response<GatewayBody>,
        mut asked: Asked,
    ) -> io::Result<Turn> {
        let framing = Framing::of(&response, &asked);
        asked.may_stay &=
            !framing.is_until_close() && !self.worker.is_draining() && self.may_body_end();
        self.begin(&response, &asked, framing);
        let body = response.into_body();
        if body.is_guarded() {
            self.connection.borrow().line().guard(body.exchange());
        }
        let mut giving = Giving::new(body, framing, asked.takes_trailers);
        poll_fn(|cx| giving.poll(cx, &self.connection)).await?;
        Ok(if asked.may_stay && self.has_body_ended() {
            Turn::Next
        } else {
            Turn::End(End::Closed)
        })
    }

    fn begin<B>(&self, response: &Response<B>, asked: &Asked, framing: Framing) {
        let mut connection = self.connection.borrow_mut();
        let out = connection.begin_answer().bytes();
        write_head(out, response, asked, framing, &self.worker.date());
    }

    /// Whether the request's body is at its end, or somebody still reads it.
    fn may_body_end(&self) -> bool {
        Rc::strong_count(&self.connection) > 1 || self.has_body_ended()
    }

    /// Whether the request's body is at its end, or so near to it that it takes no waiting.
    fn has_body_ended(&self) -> bool {
        Rc::strong_count(&self.connection) == 1 && self.connection.borrow_mut().drain_body()
    }
}
