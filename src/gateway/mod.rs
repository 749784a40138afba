//! The path of a request, top to bottom.
//!
//! [`Gateway::answer`] reads as the list of its steps: who is asking, where the request goes, whether
//! it may, and what the service said. Any refusal on the way becomes one problem document.

mod body;
mod edge;
mod header_rules;
mod kept;
mod limits;
mod own;
mod peer;
mod recheck;
mod record;
mod relay;
mod reply;
mod rewrite;
mod routes;
mod shared;
mod strict_transport;
mod to_tls;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{Method, Request, request};

use self::edge::Lead;
use self::kept::Kept;
use self::record::{End, Record};
use self::reply::{Passed, refuse};
use self::routes::Route;
use self::strict_transport::StrictTransport;
use crate::api;
use crate::auth::{Admitted, HasMethod};
use crate::config::Access;
use crate::domain::Timestamp;
use crate::http::{
    ApiError, Client, ClientBody, Code, Host, NormalPath, OfferedProtocols, PathError, Place,
    RequestId, Upgrade, check_values, forwarded, offered_protocols, read_credential, upgrade_of,
};
use crate::proxy::{Answer, Exchange, Forwarder, Inbound, ProxyError, RequestBody, Waiting};
use crate::revocation::{Admission, Alarm, NotFresh, Watch};
use crate::telemetry::{AccessBuffer, RouteCounts, WorkerMetrics};

pub use self::body::{BodyError, GatewayBody};
pub use self::limits::{Limits, RateFields};
pub use self::peer::Peer;
pub use self::relay::{Relay, RelayEnd};
pub use self::reply::Reply;
pub use self::routes::Routes;
pub use self::shared::Shared;

/// The gateway as one worker has it, by one configuration: a request keeps the one that it began with.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    forwarder: Forwarder,
    kept: Rc<Kept>,
    /// By route.
    counts: Vec<Arc<RouteCounts>>,
    strict_transport: StrictTransport,
}

impl Gateway {
    /// The gateway of one worker.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        watch: Rc<Watch>,
        access: AccessBuffer,
        metrics: Arc<WorkerMetrics>,
    ) -> Rc<Self> {
        let identity = Arc::clone(&shared.identity);
        let forwarder = Forwarder::new(&shared.upstreams, identity, Arc::clone(&metrics));
        Self::over(shared, forwarder, &Kept::new(watch, access, metrics))
    }

    /// The worker's watch.
    #[must_use]
    pub fn watch(&self) -> &Rc<Watch> {
        &self.kept.watch
    }

    /// The worker's counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<WorkerMetrics> {
        &self.kept.metrics
    }

    /// Closes upstream connections that have waited long enough.
    pub fn sweep(&self) {
        self.forwarder.sweep();
    }

    /// Hands the access lines so far to the writer.
    pub fn flush_access_lines(&self) {
        self.kept.access.flush();
    }

    /// Answers a request. It never fails: a refusal is an answer too.
    ///
    /// No `async fn`, whose future would have room for the request besides.
    pub fn answer(
        self: Rc<Self>,
        request: Request<ClientBody>,
        peer: &Peer,
    ) -> impl Future<Output = Reply> {
        let (received, mut record) = self.receive(request, peer);
        async move {
            let passed = match peer.tls_port {
                Some(port) => self.send_to_tls(&received.head, port, &mut record),
                None => self.pass(received, peer, &mut record).await,
            };
            let reply = match passed {
                Ok(passed) => passed.reply(record),
                Err(error) => refuse(&error, record),
            };
            self.strict_transport.said(reply, peer)
        }
    }

    fn receive(
        self: &Rc<Self>,
        request: Request<ClientBody>,
        peer: &Peer,
    ) -> (Box<Received>, Box<Record>) {
        let (head, body) = request.into_parts();
        let address = peer.address.ip();
        let client = if peer.is_unnamed {
            Client::direct(address)
        } else {
            forwarded::client(address, &self.shared.trusted_proxies, &head.headers)
        };
        let request_id = RequestId::of(&head.headers, &client);
        let record = self.record(&head, client.address, request_id);
        let exchange = Rc::clone(&record.exchange);
        let body = RequestBody::new(body, exchange, self.shared.body_timeout);
        (Box::new(Received { head, body, client }), record)
    }

    /// Answers a head that was refused before it was read as a request.
    pub fn refuse_head(self: &Rc<Self>, error: &ApiError, peer: &Peer) -> Reply {
        let (head, ()) = Request::new(()).into_parts();
        let record = self.record(&head, peer.address.ip(), RequestId::new());
        self.strict_transport.said(refuse(error, record), peer)
    }

    /// Whether the peer at this address may speak for others.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        forwarded::is_trusted(peer.to_canonical(), &self.shared.trusted_proxies)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The steps of a request. What comes back is the service's own answer, or the gateway's.
    async fn pass(
        &self,
        mut received: Box<Received>,
        peer: &Peer,
        record: &mut Record,
    ) -> Result<Passed, ApiError> {
        let head = &received.head;
        refuse_method(&head.method)?;
        check_values(head)?;
        let host = Host::of(head)?;
        let path = NormalPath::parse(head.uri.path())?;
        if is_own(&path)? {
            return Box::pin(self.answer_itself(received, record)).await;
        }
        let name = host.as_ref().map(Host::name);
        let (route, upstream, target) = match self.lead(head, name, &path, record).await? {
            Lead::Upstream(route, upstream, target) => (route, upstream, target),
            Lead::Answered(answer) => return Ok(answer),
        };

        let upgrade = upgrade_of(head);
        if upgrade == Upgrade::Refused {
            return Err(Code::MalformedRequest.into());
        }
        let (admission, place) = self.admission(head, upgrade, route, peer).await?.unzip();
        if let Some(admission) = &admission {
            record.rest_on(admission);
        }

        let settings = &route.config;
        received.body.hold_to(settings.max_body)?;
        let offered = match upgrade {
            Upgrade::WebSocket => offered_protocols(&received.head.headers),
            Upgrade::None | Upgrade::Refused => OfferedProtocols::Untouched,
        };
        record.goes_to(upstream, settings.deadlines);
        let admitted = match admission {
            Some(admission) => Admitted::by_admission(&settings.access, admission, received)?,
            None => Admitted::by_route(&settings.access, received)?,
        };
        self.count(admitted.admission(), record).await?;
        let admitted = admitted.map(|received| Inbound {
            method: received.head.method,
            version: received.head.version,
            headers: received.head.headers,
            body: received.body,
            target,
            host: host.map(Host::into_value),
            client: received.client,
            peer: peer.address.ip(),
            scheme: peer.scheme,
            client_certificate: peer.client_certificate.clone(),
            keep_headers: settings.keep_headers.clone(),
            rules: settings.request_headers.clone(),
            passes_credential: settings.pass_credential,
            request_id: record.request_id.clone(),
            upgrade,
            upstream,
            exchange: Rc::clone(&record.exchange),
        });
        let answer = self.forward(admitted, record).await?;
        let rules = &settings.response_headers;
        Ok(Passed::from_upstream(answer, place, offered, rules))
    }

    /// The admission of the request's credential, and where it stood; none on a public route, where
    /// no credential is looked at.
    async fn admission(
        &self,
        head: &request::Parts,
        upgrade: Upgrade,
        route: &Route,
        peer: &Peer,
    ) -> Result<Option<(Arc<Admission>, Place)>, ApiError> {
        if matches!(route.config.access, Access::Public) {
            return Ok(None);
        }
        let now = self.shared.clock.now();
        // A WebSocket may carry a second credential among its protocols, so it is always read.
        if upgrade != Upgrade::WebSocket
            && let Some((admission, place)) = peer.admission(&head.headers, now)
        {
            self.shared.authenticator.freshness().check()?;
            admission.note_used(now);
            return Ok(Some((admission, place)));
        }
        let found = read_credential(&head.headers, upgrade == Upgrade::WebSocket)?;
        let found = found.ok_or(Code::CredentialMissing)?;
        let admission = Box::pin(self.shared.authenticator.admit(found.credential)).await?;
        peer.remember(&head.headers, found.place, &admission);
        Ok(Some((admission, found.place)))
    }

    /// Sends the request, and waits for its answer unless its alarm comes first.
    ///
    /// What is waited for is boxed, as are the API and the look-up: futures are moved when they begin, and
    /// each one around this would be larger by several times its size.
    fn forward<'a>(
        &'a self,
        admitted: Admitted<Inbound>,
        record: &'a mut Record,
    ) -> impl Future<Output = Result<Answer, ApiError>> + 'a {
        let forwarding = self.forwarder.forward(admitted).map(Box::pin);
        async move {
            let forwarded = match forwarding {
                Ok(forwarding) => watched(&record.exchange, forwarding).await,
                Err(error) => Ok(Err(error)),
            };
            Self::answered(forwarded, record)
        }
    }

    /// The answer, or why there is none.
    fn answered(
        forwarded: Result<Result<Answer, ProxyError>, Alarm>,
        record: &mut Record,
    ) -> Result<Answer, ApiError> {
        let exchange = &record.exchange;
        let error = match forwarded {
            Ok(Ok(answer)) => return Ok(answer),
            // The body was cut off by us, and the upstream's connection with it.
            Ok(Err(_)) if exchange.is_too_large() => Code::BodyTooLarge.into(),
            // No news of the upstream, and nothing that anybody should look into.
            Ok(Err(error @ ProxyError::Client)) => error.into(),
            Ok(Err(error)) if error.is_at_will() => {
                record.note_cause(&error);
                error.into()
            }
            Ok(Err(error)) => {
                record.log_failure(&error);
                error.into()
            }
            Err(Alarm::TimedOut) if exchange.waiting() == Waiting::Request => {
                Code::RequestTimeout.into()
            }
            Err(Alarm::TimedOut) => {
                exchange.too_late();
                record.log_failure(&TooSlow);
                Code::UpstreamTimeout.into()
            }
            Err(Alarm::Ended(ended)) => {
                record.end = Some(End::Cut);
                ended.into()
            }
            Err(Alarm::Unverified) => {
                record.end = Some(End::Cut);
                NotFresh::Stale.into()
            }
            Err(Alarm::Expired | Alarm::Stale) => {
                record.end = Some(End::Cut);
                Code::SessionExpired.into()
            }
        };
        Err(error)
    }

    fn record(
        self: &Rc<Self>,
        head: &request::Parts,
        client: IpAddr,
        request_id: RequestId,
    ) -> Box<Record> {
        let exchange = Exchange::new(&self.kept.watch, None);
        exchange.set_pace(self.shared.pace);
        Record::begin(self, head, client, request_id, exchange)
    }

    fn own_route(&self) -> usize {
        self.shared.names.len().saturating_sub(2)
    }

    fn no_route(&self) -> usize {
        self.shared.names.len().saturating_sub(1)
    }

    fn route_name(&self, index: usize) -> &str {
        let name = self.shared.names.get(index);
        name.map_or("", String::as_str)
    }
}

/// A request as it was read. Boxed: it goes from step to step.
struct Received {
    head: request::Parts,
    body: RequestBody,
    client: Client,
}

impl HasMethod for Box<Received> {
    fn method(&self) -> &Method {
        &self.head.method
    }
}

fn is_own(path: &NormalPath<'_>) -> Result<bool, PathError> {
    let owns = |path: &NormalPath<'_>| api::OWN.iter().any(|own| path.is_below(own));
    match path.before_hidden_end() {
        _ if owns(path) => Ok(true),
        Some(other) if owns(&other) => Err(PathError::HiddenEnd),
        _ => Ok(false),
    }
}

/// `CONNECT` asks for a tunnel to anywhere, `TRACE` shows the client what we told the service of it. And
/// `delete` is no `DELETE` to our rules, but to services that read methods in any case (Django, Werkzeug).
fn refuse_method(method: &Method) -> Result<(), ApiError> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(Code::NotImplemented.into());
    }
    if method
        .as_str()
        .bytes()
        .any(|byte| byte.is_ascii_lowercase())
    {
        let told = "a method is written in capitals; write it so";
        return Err(ApiError::new(Code::NotImplemented).detail(told));
    }
    Ok(())
}

/// Waits for `work` unless the exchange's alarm comes first; the work is dropped then, and with it
/// the connection it had.
async fn watched<Work: Future>(exchange: &Exchange, work: Work) -> Result<Work::Output, Alarm> {
    let mut work = pin!(work);
    poll_fn(|cx| match exchange.watched.poll_alarm(cx) {
        Poll::Ready(alarm) => Poll::Ready(Err(alarm)),
        Poll::Pending => work.as_mut().poll(cx).map(Ok),
    })
    .await
}

/// What is logged when the deadline of an exchange has passed.
#[derive(Debug, thiserror::Error)]
#[error("the upstream did not answer in time")]
struct TooSlow;
