use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{Limits, Routes};
use crate::api::Api;
use crate::auth::Authenticator;
use crate::config::{self, Config, Hsts};
use crate::domain::Clock;
use crate::http::{Code, Cors, IdentityHeaders};
use crate::proxy::{Pace, Upstreams};

/// What the gateways of all workers share, by one configuration.
#[derive(Debug)]
pub struct Shared {
    /// The routes.
    pub routes: Routes,
    /// How often requests may come.
    pub limits: Arc<Limits>,
    /// Which web pages of other origins may call the gateway's own endpoints.
    pub api_cors: Option<Cors>,
    /// The upstreams.
    pub upstreams: Arc<Upstreams>,
    /// What the headers that tell of the principal are called.
    pub identity: Arc<IdentityHeaders>,
    /// Whose word on the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Turns credentials into admissions.
    pub authenticator: Arc<Authenticator>,
    /// The gateway's own endpoints.
    pub api: Arc<Api>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long a client may take for the next bytes of its request.
    pub body_timeout: Duration,
    /// What a client must send and take over many waits.
    pub pace: Pace,
    /// What answers over TLS tell browsers of it.
    pub hsts: Option<Hsts>,
    /// What requests are counted under, by route: [`Self::names`].
    pub names: Vec<String>,
}

impl Shared {
    /// The same node by another configuration, with these upstreams of it.
    #[must_use]
    pub fn next(&self, config: &Config, upstreams: Arc<Upstreams>) -> Self {
        let identity = if self.identity.is_of(&config.identity_headers) {
            Arc::clone(&self.identity)
        } else {
            Arc::new(IdentityHeaders::new(&config.identity_headers))
        };
        Self {
            routes: Routes::new(&config.routes),
            limits: Arc::new(self.limits.next(config)),
            api_cors: config.api.cors.as_ref().map(Cors::new),
            upstreams,
            identity,
            trusted_proxies: config.server.trusted_proxies.clone(),
            authenticator: Arc::clone(&self.authenticator),
            api: Arc::clone(&self.api),
            clock: Arc::clone(&self.clock),
            body_timeout: config.server.body_timeout,
            pace: Pace::new(config.server.min_rate, config.server.min_rate_grace),
            hsts: config.server.tls.as_ref().and_then(|tls| tls.hsts),
            names: Self::names(&config.routes),
        }
    }

    /// What requests to these routes are counted under; the last two stand for the gateway's own endpoints
    /// and for no route.
    #[must_use]
    pub fn names(routes: &[config::Route]) -> Vec<String> {
        let mut names = Routes::names(routes);
        names.push("(gateway)".to_owned());
        names.push("(none)".to_owned());
        names
    }

    /// The codes that refusals are counted under.
    #[must_use]
    pub fn codes() -> Vec<&'static str> {
        Code::ALL.iter().map(|code| code.as_str()).collect()
    }
}
