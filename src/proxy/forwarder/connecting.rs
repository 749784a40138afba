//! How a request comes by a connection to the server that was picked for it.

use std::io;
use std::sync::atomic::Ordering;

use super::Sending;
use crate::config::Protocol;
use crate::proxy::ProxyError;
use crate::proxy::carrier::Carrier;
use crate::proxy::connection::Connection;
use crate::proxy::http2::{Call, Opened};
use crate::proxy::retry::Attempts;
use crate::proxy::stream::is_spent;
use crate::proxy::upstreams::Member;

impl Sending<'_> {
    /// A kept connection, or a place on one.
    pub(super) fn kept(&self, server: &Member) -> Option<Carrier> {
        match self.protocol {
            Protocol::Http1 => server.pool.take().map(Carrier::Http1),
            Protocol::H2 | Protocol::H2c => self.seated(server),
            Protocol::Auto => {
                let seated = self.seated(server);
                seated.or_else(|| server.pool.take().map(Carrier::Http1))
            }
        }
    }

    fn seated(&self, server: &Member) -> Option<Carrier> {
        let call = Call::new(server.sessions.take()?, server.target().scheme());
        Some(Carrier::Http2(Box::new(call)))
    }

    /// A connection that nothing has gone over yet, or a place on one.
    async fn open(&self, server: &Member, attempts: &Attempts) -> io::Result<Carrier> {
        if self.protocol == Protocol::Http1 {
            let connection = Connection::connect(server.target()).await?;
            self.count_connect();
            return Ok(Carrier::Http1(Box::new(connection)));
        }
        let (target, bounds) = (server.target(), self.upstream.config.http2);
        let sessions = &server.sessions;
        let opened = sessions.open(target, self.protocol, bounds, attempts.since());
        let (carrier, is_new) = match opened.await? {
            Opened::Http2(seat, is_new) => {
                let call = Call::new(seat, target.scheme());
                (Carrier::Http2(Box::new(call)), is_new)
            }
            Opened::Http1(stream) => {
                let connection = Connection::over(stream);
                (Carrier::Http1(Box::new(connection)), true)
            }
        };
        if is_new {
            self.count_connect();
        }
        Ok(carrier)
    }

    fn count_connect(&self) {
        let connects = &self.forwarder.metrics.upstream_connects;
        connects.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens one within its deadline.
    pub(super) async fn connect(
        &self,
        server: &Member,
        attempts: &Attempts,
    ) -> Result<Carrier, ProxyError> {
        let opening = self.open(server, attempts);
        match tokio::time::timeout(self.deadlines.connect, opening).await {
            Ok(Ok(carrier)) => Ok(carrier),
            Ok(Err(source)) if is_spent(&source) => Err(ProxyError::Spent {
                upstream: self.upstream.config.name.clone(),
                source,
            }),
            Ok(Err(source)) => Err(ProxyError::Refused {
                upstream: self.upstream.config.name.clone(),
                server: server.name().to_owned(),
                source,
            }),
            Err(_) => Err(ProxyError::ConnectTimeout {
                upstream: self.upstream.config.name.clone(),
                server: server.name().to_owned(),
            }),
        }
    }
}
