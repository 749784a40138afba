use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};

use crate::config::Scheme;
use crate::domain::Timestamp;
use crate::http::{ClientCertificate, Place, header as names};
use crate::revocation::Admission;

/// The other end of a client's connection, over all its requests.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What it speaks beneath HTTP.
    pub scheme: Scheme,
    /// The certificate it has shown, if it was asked for one.
    pub client_certificate: Option<Rc<ClientCertificate>>,
    /// Whether a load balancer has passed the connection on without saying whose it is: the address is the
    /// load balancer's, and the requests are anybody's.
    pub is_unnamed: bool,
    /// The port of TLS that every request is sent on to.
    pub tls_port: Option<u16>,
    /// The last credential that came: most connections send the same one again.
    last: RefCell<Option<Last>>,
}

/// A credential that was admitted, as the header it came in.
struct Last {
    place: Place,
    /// A copy: the header's own bytes would keep all that was read with them.
    value: Box<[u8]>,
    admission: Arc<Admission>,
}

impl Peer {
    /// A peer that has sent nothing yet.
    #[must_use]
    pub const fn new(address: SocketAddr, scheme: Scheme) -> Self {
        Self {
            address,
            scheme,
            client_certificate: None,
            is_unnamed: false,
            tls_port: None,
            last: RefCell::new(None),
        }
    }

    /// The admission of the request with these headers, if they carry the last credential again, that
    /// alone, and it still admits.
    pub(super) fn admission(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<(Arc<Admission>, Place)> {
        let last = self.last.borrow();
        let last = last.as_ref()?;
        let (own, other) = places(last.place)?;
        let mut values = headers.get_all(own).iter();
        let is_same = *values.next()?.as_bytes() == *last.value
            && values.next().is_none()
            && !headers.contains_key(other)
            && last.admission.admits(now);
        is_same.then(|| (Arc::clone(&last.admission), last.place))
    }

    /// Remembers the credential of these headers, which stood at `place`, and its admission.
    pub(super) fn remember(&self, headers: &HeaderMap, place: Place, admission: &Arc<Admission>) {
        let value = places(place).and_then(|(own, _)| headers.get(own));
        *self.last.borrow_mut() = value.map(|value| Last {
            place,
            value: value.as_bytes().into(),
            admission: Arc::clone(admission),
        });
    }
}

/// The header of a credential at `place`, and the other one that might carry one. A WebSocket's is
/// the last request of its connection, and is not remembered.
const fn places(place: Place) -> Option<(HeaderName, HeaderName)> {
    match place {
        Place::Authorization => Some((header::AUTHORIZATION, names::X_API_KEY)),
        Place::XApiKey => Some((names::X_API_KEY, header::AUTHORIZATION)),
        Place::WebSocketProtocol => None,
    }
}

/// Without the credential.
impl std::fmt::Debug for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Last")
            .field("place", &self.place)
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}
