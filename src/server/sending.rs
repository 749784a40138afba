use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::{Reason, SendStream};
use slab::Slab;

use crate::proxy::Exchange;

/// A stream on which an answer is given, shared with whoever may have to reset it.
pub(super) type Sending = Rc<RefCell<SendStream<Bytes>>>;

/// The streams of one HTTP/2 connection whose bytes may still wait in it, those of answers that were
/// given whole too: until the connection has written them, a revocation takes them back.
#[derive(Debug, Default)]
pub(super) struct Sendings {
    streams: RefCell<Slab<Stream>>,
    /// Which look of the watch they were last held against.
    look: Cell<u64>,
    /// How often the connection has written everything.
    turn: Cell<u64>,
    /// Who waits for that.
    waiting: RefCell<Vec<Waker>>,
}

#[derive(Debug)]
struct Stream {
    exchange: Rc<Exchange>,
    sending: Sending,
    is_given: bool,
}

/// A stream's entry; without it the stream counts as given.
#[derive(Debug)]
pub(super) struct Entry {
    sendings: Rc<Sendings>,
    key: usize,
}

impl Sendings {
    /// From now on bytes of `exchange` may wait on this stream.
    pub(super) fn add(self: &Rc<Self>, exchange: &Rc<Exchange>, sending: &Sending) -> Entry {
        let key = self.streams.borrow_mut().insert(Stream {
            exchange: Rc::clone(exchange),
            sending: Rc::clone(sending),
            is_given: false,
        });
        Entry {
            sendings: Rc::clone(self),
            key,
        }
    }

    /// Resets the streams that were cut, and drops what they have waiting. To be called before the
    /// connection may write; `look` is the watch's last one, before which nothing can have been cut.
    pub(super) fn cut(&self, look: u64) {
        if self.look.replace(look) == look {
            return;
        }
        for (_, stream) in self.streams.borrow().iter() {
            if stream.exchange.is_cut() {
                stream.sending.borrow_mut().send_reset(Reason::CANCEL);
            }
        }
    }

    /// The connection cannot write: whoever is cut meanwhile must wake it.
    pub(super) fn wait(&self, cx: &Context<'_>) {
        for (_, stream) in self.streams.borrow().iter().filter(|(_, one)| one.is_given) {
            let _ = stream.exchange.watched.poll_alarm(cx);
        }
    }

    /// How often the connection has written everything it could.
    pub(super) const fn turn(&self) -> u64 {
        self.turn.get()
    }

    /// Ready once the connection has written what it was given in this turn.
    pub(super) fn poll_written(&self, cx: &Context<'_>, turn: u64) -> Poll<()> {
        if self.turn.get() > turn {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        // Once: who is woken by its client asks again and again.
        if !waiting.iter().any(|other| other.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The connection has written everything it could.
    pub(super) fn written(&self) {
        self.turn.set(self.turn.get().wrapping_add(1));
        for waiting in self.waiting.borrow_mut().drain(..) {
            waiting.wake();
        }
        self.streams.borrow_mut().retain(|_, one| !one.is_given);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(stream) = self.sendings.streams.borrow_mut().get_mut(self.key) {
            stream.is_given = true;
        }
    }
}
