use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::record::Record;
use crate::revocation::Admission;

/// Sees whether a lasting exchange may go on after its principal has changed: the same credential is
/// admitted again, and the route asked again.
#[derive(Default)]
pub(super) struct Recheck(Option<Asking>);

type Asking = Pin<Box<dyn Future<Output = Option<Arc<Admission>>>>>;

impl Recheck {
    /// Ready with whether it may go on; the record rests on the new admission then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, record: &mut Record) -> Poll<bool> {
        let asking = self.0.get_or_insert_with(|| Box::pin(record.ask_again()));
        let renewed = ready!(asking.as_mut().poll(cx));
        self.0 = None;
        let Some(admission) = renewed else {
            return Poll::Ready(false);
        };
        record.exchange.watched.renew(Arc::clone(&admission));
        record.admission = Some(admission);
        // The alarm was answered; whoever polls next registers for the next one.
        cx.waker().wake_by_ref();
        Poll::Ready(true)
    }
}

impl fmt::Debug for Recheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recheck").field(&self.0.is_some()).finish()
    }
}
