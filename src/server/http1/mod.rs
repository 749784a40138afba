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
use std::pin::Pin;
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
use crate::http::{ClientBody, spare};

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
    let served = Served {
        connection: Rc::new(RefCell::new(connection)),
        worker,
        peer,
        grace: RefCell::default(),
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

/// What was done about what came.
enum Begun<Answering> {
    /// A request is being answered. Boxed: a connection that waits for one need not hold the room for that.
    Answering(Pin<Box<Answering>>, Asked),
    /// It is refused.
    Refused(Box<Reply>),
    /// Nothing comes any more.
    End(End),
}

/// An answer that is being given.
enum Given {
    Answer(Giving, Asked),
    Switch(Box<Relay>),
}

struct Served<Io> {
    connection: Rc<RefCell<Connection<Io>>>,
    worker: Rc<Worker>,
    peer: Peer,
    grace: RefCell<Option<Pin<Box<tokio::time::Sleep>>>>,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Served<Io> {
    async fn serve(&self) -> End {
        loop {
            let begun = poll_fn(|cx| self.poll_next(cx).map(|next| self.begin(next)));
            let given = match begun.await {
                Begun::Answering(mut answering, asked) => {
                    poll_fn(|cx| self.poll_answered(cx, answering.as_mut(), asked)).await
                }
                Begun::Refused(reply) => Some(self.give(*reply, Asked::unread())),
                Begun::End(end) => return end,
            };
            let Some(mut given) = given else {
                return End::Broken;
            };
            // Whoever made the error has marked the connection, if it must be reset.
            if poll_fn(|cx| self.poll_given(cx, &mut given)).await.is_err() {
                return End::Broken;
            }
            match given {
                Given::Answer(_, asked) if asked.may_stay && self.has_body_ended() => {}
                Given::Answer(..) => return End::Closed,
                Given::Switch(relay) => return End::Switched(relay),
            }
        }
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Next> {
        let mut connection = self.connection.borrow_mut();
        if let Poll::Ready(next) = connection.poll_next(cx) {
            return Poll::Ready(next);
        }
        if !self.worker.is_draining() || !connection.is_idle() {
            return Poll::Pending;
        }
        if !connection.has_served() {
            let mut grace = self.grace.borrow_mut();
            let grace = grace.get_or_insert_with(|| Box::pin(tokio::time::sleep(GRACE)));
            ready!(grace.as_mut().poll(cx));
        }
        Poll::Ready(Next::End)
    }

    fn begin(&self, next: Next) -> Begun<impl Future<Output = Reply>> {
        let head = match next {
            Next::Request(head) => head,
            Next::Refused(error) => {
                let reply = self.worker.gateway().refuse_head(&error, &self.peer);
                return Begun::Refused(Box::new(reply));
            }
            Next::End => return Begun::End(End::Closed),
            Next::Broken => return Begun::End(End::Broken),
        };
        let asked = Asked::by(&head);
        let body = RequestBytes::of(&self.connection);
        let body = body.map_or(ClientBody::Empty, ClientBody::http1);
        let request = Request::from_parts(head.parts, body);
        let answering = self.worker.gateway().answer(request, &self.peer);
        Begun::Answering(Box::pin(answering), asked)
    }

    /// Waits for the answer, and begins to give it; to nobody, if the client has gone.
    fn poll_answered(
        &self,
        cx: &mut Context<'_>,
        answering: Pin<&mut impl Future<Output = Reply>>,
        asked: Asked,
    ) -> Poll<Option<Given>> {
        let polled = answering.poll(cx);
        let mut connection = self.connection.borrow_mut();
        let is_gone =
            connection.is_broken() || (polled.is_pending() && connection.poll_gone(cx).is_ready());
        if is_gone {
            return Poll::Ready(None);
        }
        drop(connection);
        polled.map(|reply| Some(self.give(reply, asked)))
    }

    fn give(&self, reply: Reply, asked: Asked) -> Given {
        match reply {
            Reply::Response(response) => self.give_response(response, asked),
            Reply::Switch(response, relay) => {
                self.begin_answer(&response, &Asked::to_switch(), Framing::None(None));
                let connection = self.connection.borrow();
                connection.line().guard(relay.exchange());
                connection.line().forget_pace();
                Given::Switch(relay)
            }
        }
    }

    fn give_response(&self, response: Response<GatewayBody>, mut asked: Asked) -> Given {
        let framing = Framing::of(&response, &asked);
        asked.may_stay &=
            !framing.is_until_close() && !self.worker.is_draining() && self.may_body_end();
        self.begin_answer(&response, &asked, framing);
        let (head, body) = response.into_parts();
        spare::give(head.headers);
        if body.is_guarded() {
            self.connection.borrow().line().guard(body.exchange());
        }
        Given::Answer(Giving::new(body, framing, asked.takes_trailers), asked)
    }

    fn poll_given(&self, cx: &mut Context<'_>, given: &mut Given) -> Poll<io::Result<()>> {
        match given {
            Given::Answer(giving, _) => giving.poll(cx, &self.connection),
            Given::Switch(_) => self.connection.borrow_mut().poll_out(cx),
        }
    }

    fn begin_answer<B>(&self, response: &Response<B>, asked: &Asked, framing: Framing) {
        let mut connection = self.connection.borrow_mut();
        let out = connection.begin_answer().bytes();
        write_head(out, response, asked, framing, || self.worker.date());
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
