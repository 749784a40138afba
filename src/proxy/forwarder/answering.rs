//! What is passed on of an answer whose head has come.

use std::rc::Rc;

use http::Response;
use http::header::WWW_AUTHENTICATE;

use super::{Answer, Answered, Sending};
use crate::http::Upgrade;
use crate::http::credential::claims_connection;
use crate::proxy::answer::Source;
use crate::proxy::carrier::Carrier;
use crate::proxy::handshake::Handshake;
use crate::proxy::upstreams::{Member, Place};
use crate::proxy::{ProxyError, Tunnel, UpstreamBody};

impl Sending<'_> {
    pub(super) fn body(&self, answered: Answered, place: Place) -> Response<UpstreamBody> {
        let head = answered.head;
        if head.is_event_stream {
            self.exchange.set_lasting();
        }
        let idle_timeout = (!head.is_event_stream).then_some(self.deadlines.idle);
        let is_claimed =
            self.claims_connection || claims_connection(&head.headers, WWW_AUTHENTICATE);
        let max_idle = if head.may_keep && !is_claimed && !self.is_aside() {
            self.upstream.config.max_idle
        } else {
            0
        };
        let source = Source {
            carrier: answered.carrier,
            pool: Rc::clone(&answered.server.pool),
            max_idle,
            _place: place,
        };
        let exchange = Rc::clone(&self.exchange);
        let mut response =
            Response::new(UpstreamBody::new(head.body, source, exchange, idle_timeout));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        *response.extensions_mut() = head.extensions;
        response
    }

    /// Whether it speaks another protocol than the other requests to its upstream.
    pub(super) fn is_aside(&self) -> bool {
        self.protocol != self.upstream.config.protocol
    }

    pub(super) fn switched(
        &self,
        answered: Answered,
        upgrade: Upgrade,
        place: Place,
    ) -> Result<Answer, ProxyError> {
        let head = answered.head;
        if upgrade != Upgrade::WebSocket || !head.is_websocket {
            return Err(self.switched_unasked(&answered.server));
        }
        let is_answered = |handshake: &Handshake| handshake.is_answered_by(&head.headers);
        if !self.handshake.as_ref().is_none_or(is_answered) {
            return Err(self.handshake_failed(&answered.server));
        }
        let Carrier::Http1(connection) = answered.carrier else {
            return Err(self.switched_unasked(&answered.server));
        };
        let (stream, early) = connection.switched();
        self.exchange.set_lasting();
        let exchange = Rc::clone(&self.exchange);
        let patience = self.deadlines.idle;
        let tunnel = Box::new(Tunnel::new(stream, early, exchange, patience, place));
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(Answer::Switched(response, tunnel))
    }

    pub(super) fn handshake_failed(&self, server: &Member) -> ProxyError {
        ProxyError::Handshake {
            upstream: self.upstream.config.name.clone(),
            server: server.name().to_owned(),
        }
    }

    fn switched_unasked(&self, server: &Member) -> ProxyError {
        ProxyError::Switched {
            upstream: self.upstream.config.name.clone(),
            server: server.name().to_owned(),
        }
    }
}
