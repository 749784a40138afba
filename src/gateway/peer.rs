use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Scheme;
use crate::domain::Timestamp;
use crate::http::Credential;
use crate::revocation::Admission;

/// The other end of a client's connection, over all its requests.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What it speaks beneath HTTP.
    pub scheme: Scheme,
    /// The last credential that came, and its admission: most connections send the same one again.
    last: RefCell<Option<(Box<[u8]>, Arc<Admission>)>>,
}

impl Peer {
    /// A peer that has sent nothing yet.
    #[must_use]
    pub const fn new(address: SocketAddr, scheme: Scheme) -> Self {
        Self {
            address,
            scheme,
            last: RefCell::new(None),
        }
    }

    /// The admission of this credential, if it was the last one and still admits.
    pub(super) fn admission(
        &self,
        credential: Credential<'_>,
        now: Timestamp,
    ) -> Option<Arc<Admission>> {
        let last = self.last.borrow();
        let (bytes, admission) = last.as_ref()?;
        let is_same = **bytes == *credential.bytes() && admission.admits(now);
        is_same.then(|| Arc::clone(admission))
    }

    /// Remembers the admission of a credential.
    pub(super) fn remember(&self, credential: Credential<'_>, admission: &Arc<Admission>) {
        *self.last.borrow_mut() = Some((credential.bytes().into(), Arc::clone(admission)));
    }
}
