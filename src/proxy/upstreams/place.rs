use std::rc::Rc;

use super::{Lane, Member};
use crate::proxy::ProxyError;
use crate::runtime::InFlight;

/// A place among the exchanges that an upstream may have in flight, and with the server that it went to;
/// given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    lane: Rc<Lane>,
    member: Option<Rc<Member>>,
    _in_flight: InFlight,
}

impl Place {
    /// Takes a place, or waits for one.
    ///
    /// # Errors
    ///
    /// [`ProxyError::OverBound`], when too many wait already or it has waited long enough.
    pub(crate) async fn take(lane: &Rc<Lane>) -> Result<Self, ProxyError> {
        let queue = &lane.upstream().queue;
        // Who comes last waits behind those who wait.
        if queue.waiting() == 0
            && let Some(place) = Self::free(lane)
        {
            return Ok(place);
        }
        // Boxed: a request that finds a place need not carry the room for it.
        let waited = Box::pin(queue.wait_for(|| Self::free(lane))).await;
        waited.ok_or_else(|| ProxyError::OverBound {
            upstream: lane.upstream().config.name.clone(),
        })
    }

    /// Holds the place with a server, which was taken by picking it; that with another is given back.
    pub(crate) fn move_to(&mut self, member: &Rc<Member>) {
        self.give_back();
        self.member = Some(Rc::clone(member));
    }

    fn free(lane: &Rc<Lane>) -> Option<Self> {
        lane.upstream().enter().then(|| Self {
            lane: Rc::clone(lane),
            member: None,
            _in_flight: InFlight::begin(),
        })
    }

    fn give_back(&mut self) {
        if let Some(member) = self.member.take() {
            member.give_back();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
        self.lane.upstream().leave();
    }
}
