use std::rc::Rc;
use std::time::Instant;

use http::HeaderValue;

use super::carrier::Carrier;
use super::upstreams::{Again, Lane, Member};

/// The attempts at one request: which servers it was tried with, and whether there may be another.
#[derive(Debug)]
pub(super) struct Attempts {
    request_id: HeaderValue,
    left: u32,
    tried: Vec<Rc<Member>>,
    /// The server whose kept connection broke: over a new one it may be tried once more, where no other
    /// server is left.
    stale: Option<Rc<Member>>,
    /// When the HTTP/2 connection was opened that failed last: another attempt takes a later one.
    since: Option<Instant>,
}

impl Attempts {
    /// Up to `most` attempts at a request.
    pub(super) const fn at(request_id: HeaderValue, most: u32) -> Self {
        Self {
            request_id,
            left: most.saturating_sub(1),
            tried: Vec::new(),
            stale: None,
            since: None,
        }
    }

    /// Whether there was none before. Only the first may use a kept connection: where one was closed the
    /// others are likely to be, too.
    pub(super) const fn is_first(&self) -> bool {
        self.tried.is_empty()
    }

    /// Whether the request was tried with this server.
    pub(super) fn has_tried(&self, member: &Member) -> bool {
        !self.tried.is_empty() && self.tried.iter().any(|tried| **tried == *member)
    }

    /// The attempt over this failed.
    pub(super) fn note_failed(&mut self, carrier: &Carrier) {
        if let Carrier::Http2(call) = carrier {
            self.since = Some(call.opened());
        }
    }

    /// After when an HTTP/2 connection must have been opened.
    pub(super) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// The server whose kept connection broke, once.
    pub(super) fn take_stale(&mut self) -> Option<Rc<Member>> {
        self.stale.take()
    }

    /// An attempt with `member` failed: whether there may be another. `was_stale` says whether a kept
    /// connection broke before anything came, which the server may just have closed.
    pub(super) fn go_on(
        &mut self,
        lane: &Lane,
        member: &Rc<Member>,
        why: Again,
        was_stale: bool,
    ) -> bool {
        self.tried.push(Rc::clone(member));
        self.stale = was_stale.then(|| Rc::clone(member));
        let is_somewhere = self.stale.is_some() || lane.has_other(self);
        let may = is_somewhere
            && match why {
                // No attempt: that a kept connection was closed says nothing of the server, and happens
                // once, since the next is a new one.
                Again::Unsent => was_stale || self.count(),
                // Nothing was sent, and a server that refuses is soon left alone.
                Again::Refused => self.count(),
                Again::Broken | Again::Status => self.count() && lane.spend(),
            };
        if may {
            lane.upstream().count_again(why);
            self.tell(lane, member, why);
        }
        may
    }

    fn count(&mut self) -> bool {
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }

    fn tell(&self, lane: &Lane, member: &Member, why: Again) {
        tracing::debug!(
            request_id = self.request_id.to_str().ok(),
            upstream = lane.upstream().config.name,
            server = member.name(),
            reason = why.as_str(),
            attempts_left = self.left,
            "request is sent again"
        );
    }
}
