use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::request;

use super::Gateway;
use super::record::Record;
use crate::auth::{AuthError, Authenticator};
use crate::config::{Access, Target};
use crate::http::{Host, NormalPath};
use crate::revocation::Admission;

/// Sees whether a lasting exchange may go on after its principal or the routes have changed: the same
/// credential is admitted again, and the route asked that would take the request now.
#[derive(Default)]
pub(super) struct Recheck(Option<Asking>);

/// What came of it.
pub(super) enum Verdict {
    /// It goes on, and rests on this admission, if on any.
    GoOn(Option<Arc<Admission>>),
    /// It is cut.
    Cut,
}

type Asking = Pin<Box<dyn Future<Output = Verdict>>>;

/// How long to wait before a store that could not be asked is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Recheck {
    /// Ready with whether it may go on; the record rests on the new admission then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, record: &mut Record) -> Poll<bool> {
        let asking = self.0.get_or_insert_with(|| Box::pin(record.ask_again()));
        let verdict = ready!(asking.as_mut().poll(cx));
        self.0 = None;
        match verdict {
            Verdict::Cut => return Poll::Ready(false),
            Verdict::GoOn(None) => record.exchange.watched.confirm(),
            Verdict::GoOn(Some(admission)) => {
                record.exchange.watched.renew(Arc::clone(&admission));
                record.admission = Some(admission);
            }
        }
        // The alarm was answered; whoever polls next registers for the next one.
        cx.waker().wake_by_ref();
        Poll::Ready(true)
    }
}

impl Gateway {
    /// Whether a lasting exchange may go on that began with the request `head`, whatever it was let in by.
    pub(super) async fn ask_again(
        self: Rc<Self>,
        admission: Option<Arc<Admission>>,
        head: request::Parts,
    ) -> Verdict {
        let admission = match admission {
            Some(admission) if admission.is_stale() => {
                match renewed(&self.shared.authenticator, &admission).await {
                    Some(renewed) => Some(renewed),
                    None => return Verdict::Cut,
                }
            }
            same => same,
        };
        // Only now: there may be yet another configuration.
        let current = self.current().unwrap_or(self);
        let may = current.access_of(&head).is_some_and(|access| {
            let principal = admission.as_ref().map(|admission| admission.principal());
            match (access, principal) {
                (Access::Public, _) => true,
                (_, Some(principal)) => access.admits(principal.role, &head.method),
                (_, None) => false,
            }
        });
        if may {
            Verdict::GoOn(admission)
        } else {
            Verdict::Cut
        }
    }

    /// Who may make a request now; nothing where nobody reaches a service by it any more.
    fn access_of(&self, head: &request::Parts) -> Option<&Access> {
        let host = Host::of(head).ok()?;
        let path = NormalPath::parse(head.uri.path()).ok()?;
        let name = host.as_ref().map(Host::name);
        let route = &self.shared.routes.find(name, &path, head).ok()?.config;
        matches!(route.target, Target::Upstream(_)).then_some(&route.access)
    }
}

/// The credential admitted again; nothing where it is not. For lack of knowledge nobody is cut.
async fn renewed(
    authenticator: &Authenticator,
    admission: &Arc<Admission>,
) -> Option<Arc<Admission>> {
    loop {
        match authenticator.admit_again(admission).await {
            Ok(renewed) => return Some(renewed),
            Err(AuthError::Store(_) | AuthError::Unsteady) => tokio::time::sleep(ASK_AGAIN).await,
            Err(_) => return None,
        }
    }
}

impl fmt::Debug for Recheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recheck").field(&self.0.is_some()).finish()
    }
}
