use std::sync::Arc;

use http::Method;

use crate::config::Access;
use crate::http::{ApiError, Code};
use crate::revocation::Admission;

/// A request that may be forwarded: only a public route, or an admission that the route allows, makes one.
#[derive(Debug)]
pub struct Admitted<T> {
    request: T,
    admission: Option<Arc<Admission>>,
}

/// The principal may not use this route with this method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the principal's role may not use this route with this method")]
pub struct Forbidden;

impl<T> Admitted<T> {
    /// Lets a request pass on a public route, where no credential is looked at.
    ///
    /// # Errors
    ///
    /// [`Forbidden`] when the route is not public.
    pub fn by_route(access: &Access, request: T) -> Result<Self, Forbidden> {
        match access {
            Access::Public => Ok(Self {
                request,
                admission: None,
            }),
            Access::SignedIn | Access::Allow(_) => Err(Forbidden),
        }
    }

    /// Lets a request pass whose credential was admitted.
    ///
    /// # Errors
    ///
    /// [`Forbidden`] when the route does not allow the principal this method.
    pub fn by_admission(
        access: &Access,
        admission: Arc<Admission>,
        request: T,
    ) -> Result<Self, Forbidden>
    where
        T: HasMethod,
    {
        if !access.admits(admission.principal().role, request.method()) {
            return Err(Forbidden);
        }
        Ok(Self {
            request,
            admission: Some(admission),
        })
    }

    /// The same request in another shape.
    #[must_use]
    pub(crate) fn map<U>(self, shape: impl FnOnce(T) -> U) -> Admitted<U> {
        Admitted {
            request: shape(self.request),
            admission: self.admission,
        }
    }

    /// What let it in; nothing on a public route.
    #[must_use]
    pub fn admission(&self) -> Option<&Admission> {
        self.admission.as_deref()
    }

    /// The request, and whose it is; nobody's on a public route.
    #[must_use]
    pub fn into_parts(self) -> (T, Option<Arc<Admission>>) {
        (self.request, self.admission)
    }
}

/// What a route's rules look at besides the principal.
pub trait HasMethod {
    /// The request's method.
    fn method(&self) -> &Method;
}

impl From<Forbidden> for ApiError {
    fn from(_: Forbidden) -> Self {
        Self::new(Code::NotAllowed)
    }
}
