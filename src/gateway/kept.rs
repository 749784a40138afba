use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::strict_transport::StrictTransport;
use super::{Gateway, Shared};
use crate::proxy::Forwarder;
use crate::revocation::Watch;
use crate::telemetry::{AccessBuffer, WorkerMetrics};

/// What a worker keeps from one configuration to the next.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) watch: Rc<Watch>,
    pub(super) access: AccessBuffer,
    pub(super) metrics: Arc<WorkerMetrics>,
    /// The gateway that new requests get. Those before it end with their last request.
    current: RefCell<Weak<Gateway>>,
}

impl Kept {
    pub(super) fn new(
        watch: Rc<Watch>,
        access: AccessBuffer,
        metrics: Arc<WorkerMetrics>,
    ) -> Rc<Self> {
        Rc::new(Self {
            watch,
            access,
            metrics,
            current: RefCell::default(),
        })
    }
}

impl Gateway {
    /// The gateway of the same worker by another configuration, for the requests that begin from now on.
    /// Those in flight end with the one that they began with; lasting ones are asked whether they still may.
    #[must_use]
    pub fn next(&self, shared: Arc<Shared>) -> Rc<Self> {
        let identity = Arc::clone(&shared.identity);
        let forwarder = self.forwarder.next(&shared.upstreams, identity);
        let next = Self::over(shared, forwarder, &self.kept);
        self.kept.watch.question_all();
        next
    }

    pub(super) fn over(shared: Arc<Shared>, forwarder: Forwarder, kept: &Rc<Kept>) -> Rc<Self> {
        let gateway = Rc::new(Self {
            strict_transport: StrictTransport::new(shared.hsts),
            counts: kept.metrics.routes(&shared.names),
            forwarder,
            shared,
            kept: Rc::clone(kept),
        });
        *kept.current.borrow_mut() = Rc::downgrade(&gateway);
        gateway
    }

    /// The one that new requests get, unless the worker has ended.
    pub(super) fn current(&self) -> Option<Rc<Self>> {
        self.kept.current.borrow().upgrade()
    }

    /// Whether new requests get this one.
    pub(super) fn is_current(&self) -> bool {
        std::ptr::eq(self.kept.current.borrow().as_ptr(), self)
    }
}
