use http::{HeaderValue, header};

use super::{Peer, Reply};
use crate::config::{Hsts, Scheme};

/// What answers over TLS tell browsers: to come back by TLS alone (RFC 6797).
#[derive(Debug)]
pub(super) struct StrictTransport(Option<HeaderValue>);

impl StrictTransport {
    /// Made by each worker for itself: all would count the same value up and down on each answer.
    pub(super) fn new(hsts: Option<Hsts>) -> Self {
        Self(hsts.and_then(|hsts| HeaderValue::from_str(&hsts.to_string()).ok()))
    }

    /// The answer with it, unless the service has said so itself. Without TLS anybody could have written
    /// it, and browsers do not listen (RFC 6797 §7.2).
    pub(super) fn said(&self, mut reply: Reply, peer: &Peer) -> Reply {
        if let (Some(value), Scheme::Https, Reply::Response(response)) =
            (&self.0, peer.scheme, &mut reply)
        {
            let headers = response.headers_mut();
            let said = headers.entry(header::STRICT_TRANSPORT_SECURITY);
            said.or_insert_with(|| value.clone());
        }
        reply
    }
}
