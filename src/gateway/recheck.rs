use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Method;

use super::Gateway;
use super::record::Record;
use crate::auth::AuthError;
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

/// How long to wait before a store that could not be asked is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Gateway {
    /// Whether a lasting exchange may go on after its principal has changed.
    pub(super) async fn admit_again(
        self: Rc<Self>,
        admission: Arc<Admission>,
        route: usize,
        method: Method,
    ) -> Option<Arc<Admission>> {
        let route = self.shared.routes.at(route)?;
        let renewed = loop {
            match self.shared.authenticator.admit_again(&admission).await {
                Ok(renewed) => break renewed,
                // For lack of knowledge nobody is cut.
                Err(AuthError::Store(_) | AuthError::Unsteady) => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Err(_) => return None,
            }
        };
        let role = renewed.principal().role;
        route.config.access.admits(role, &method).then_some(renewed)
    }
}
