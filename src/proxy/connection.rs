use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::task::unconstrained;

use super::AnswerError;
use super::answer_head::{AnswerHead, Head, HeadReader};
use super::error::Misfit;
use super::stream::{Offer, Stream};
use super::upload::{Upload, UploadError};
use super::upstreams::{Again, Target};

/// A connection to a server, driven by whoever uses it.
///
/// No task stands behind it: the exchange that has it polls it, which saves a task switch each way,
/// and while it waits in the pool nobody does, which saves waking up for it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// What was read and not yet taken.
    pub(super) input: BytesMut,
    /// The request that is on its way.
    upload: Option<Upload>,
    /// How much room a read gets: more, the more comes.
    room: usize,
    /// Whether the buffer is larger than one that waits should keep.
    has_grown: bool,
    /// Whether nothing more can be sent.
    is_broken: bool,
    /// Whether it has carried an exchange before: then the server may have closed it meanwhile.
    pub(super) is_used: bool,
}

/// The request could not be sent, or was not answered.
#[derive(Debug)]
pub(super) struct SendFailed {
    pub(super) error: SendError,
    /// The request, where it may be sent once more, and why it may.
    pub(super) again: Option<(Again, Upload)>,
    /// Whether a kept connection broke before anything of an answer came: the server may just have
    /// closed it.
    pub(super) was_stale: bool,
}

/// Whose fault it was.
#[derive(Debug)]
pub(super) enum SendError {
    Client,
    Server(AnswerError),
    /// Nothing was sent: it cannot be, to this server.
    Misfit(Misfit),
}

impl Connection {
    /// Connects to `target`.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub(super) async fn connect(target: &Target) -> io::Result<Self> {
        Ok(Self::over(Stream::connect(target, Offer::Http1).await?))
    }

    /// A connection over a stream that is open.
    pub(super) fn over(stream: Stream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            upload: None,
            room: SMALL_READ,
            has_grown: false,
            is_broken: false,
            is_used: false,
        }
    }

    /// Takes the next request.
    pub(super) fn begin(&mut self, upload: Option<Upload>) {
        self.upload = upload;
    }

    /// Sends the request, as far as that goes, until the head of its answer has come.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader<'_>,
    ) -> Poll<Result<AnswerHead, SendFailed>> {
        let polled = ready!(self.poll_answered(cx, reader));
        Poll::Ready(polled.map_err(|error| SendFailed {
            again: match &error {
                SendError::Client | SendError::Misfit(_) => None,
                SendError::Server(_) => self.take_again(),
            },
            was_stale: self.is_used && reader.is_untouched(),
            error,
        }))
    }

    fn poll_answered(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader<'_>,
    ) -> Poll<Result<AnswerHead, SendError>> {
        loop {
            self.drive(cx).map_err(|()| SendError::Client)?;
            match reader.read(&mut self.input).map_err(SendError::Server)? {
                Some(Head::Final(head)) => return Poll::Ready(Ok(head)),
                Some(Head::Continue) => {
                    let is_awaited = self.upload.as_mut().is_some_and(Upload::go_on);
                    if !is_awaited {
                        reader.drop_interim();
                    }
                    continue;
                }
                None => {}
            }
            let read = ready!(self.poll_read(cx, None));
            if read.map_err(|error| SendError::Server(error.into()))? == 0 {
                return Poll::Ready(Err(SendError::Server(AnswerError::Closed)));
            }
        }
    }

    /// Sends on what is left of the request, which may go on while the answer comes.
    ///
    /// # Errors
    ///
    /// When the client has broken it off. A server that takes no more may still answer.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), ()> {
        if self.is_broken {
            return Ok(());
        }
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        match upload.poll(cx, &mut self.stream) {
            Poll::Ready(Err(UploadError::Client)) => Err(()),
            Poll::Ready(Err(UploadError::Server)) => {
                self.is_broken = true;
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Reads more behind what is not yet taken; `left` bytes are still to come, where that is known.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        left: Option<u64>,
    ) -> Poll<io::Result<usize>> {
        let wanted = left.map_or(self.room, |left| {
            // A read that leaves room tells that nothing more has come, without another.
            let left = usize::try_from(left).unwrap_or(LARGE_READ);
            left.saturating_add(1).clamp(SMALL_READ, LARGE_READ)
        });
        if 2 * (self.input.capacity() - self.input.len()) < wanted {
            self.input.reserve(wanted);
            self.has_grown |= wanted > SMALL_READ;
        }
        let room = self.input.capacity() - self.input.len();
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        if read == room {
            self.room = LARGE_READ.min(2 * self.room);
        }
        Poll::Ready(Ok(read))
    }

    /// Whether its request may be sent once more.
    pub(super) fn may_repeat(&self) -> bool {
        self.upload.as_ref().is_some_and(Upload::may_repeat)
    }

    /// The request, to be sent once more over another connection, and why it may be.
    pub(super) fn take_again(&mut self) -> Option<(Again, Upload)> {
        self.upload.take().and_then(Upload::again)
    }

    /// The buffer of the request's head, once the request was sent whole.
    pub(super) fn take_sent(&mut self) -> Option<Vec<u8>> {
        let upload = self.upload.take_if(|upload| upload.is_sent())?;
        Some(upload.into_buffer())
    }

    /// Makes it ready for another exchange; whether it can carry one. It cannot while something of the
    /// last is unsent, or something came that nobody asked for.
    fn rest(&mut self) -> bool {
        let is_sent = self.upload.take().is_none_or(|upload| upload.is_sent());
        let is_clean = is_sent && !self.is_broken && self.input.is_empty();
        if self.has_grown {
            self.input = BytesMut::new();
            self.has_grown = false;
        }
        self.room = SMALL_READ;
        self.is_used = true;
        is_clean && self.is_quiet()
    }

    /// Whether the server has neither closed it nor said anything. Where nothing came, that takes no
    /// system call.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut read = ReadBuf::new(&mut byte);
        let stream = &mut self.stream;
        // Unconstrained: a task that has spent its budget would be told that nothing came.
        let mut look = pin!(unconstrained(poll_fn(|cx| {
            Pin::new(&mut *stream).poll_read(cx, &mut read)
        })));
        // Nobody is woken for it while it is in the pool.
        let mut quiet = Context::from_waker(Waker::noop());
        look.as_mut().poll(&mut quiet).is_pending()
    }

    /// The bare connection, after the server has switched protocols, and what came behind its head.
    pub(super) fn switched(self) -> (Stream, Bytes) {
        (self.stream, self.input.freeze())
    }
}

/// Connections to one server that wait for their next exchange, the last used on top: under little
/// load the others grow old and are closed.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: RefCell<VecDeque<Idle>>,
    is_closed: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// A connection that was open a moment ago.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let mut idle = self.idle.borrow_mut().pop_back()?;
            if idle.connection.is_quiet() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection for the next exchange, if it can carry one; at most `max` wait.
    pub(super) fn give(&self, mut connection: Box<Connection>, max: usize) {
        if max == 0 || self.is_closed.get() || !connection.rest() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= max {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: Instant::now(),
        });
    }

    /// Closes all, and keeps none from now on.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        self.idle.borrow_mut().clear();
    }

    /// Closes those that have waited for `keep_alive`, and those that the server has closed.
    pub(super) fn sweep(&self, keep_alive: Duration) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|idle| idle.since.elapsed() < keep_alive && idle.connection.is_quiet());
    }
}

/// Room for the usual answer. A connection that waits keeps so much.
const SMALL_READ: usize = 8 * 1024;
/// What is read at once of a long body.
const LARGE_READ: usize = 64 * 1024;
