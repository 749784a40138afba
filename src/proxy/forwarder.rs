use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use super::answer::Source;
use super::connection::{Connection, SendFailed};
use super::request::outbound;
use super::retry::{Attempts, repeat};
use super::upstreams::{Again, Failure, Lane, Member, NotPicked, Place, Upstream};
use super::{Exchange, Inbound, ProxyError, RequestBody, Tunnel, UpstreamBody, Upstreams, Waiting};
use crate::auth::Admitted;
use crate::config::Deadlines;
use crate::http::{IdentityHeaders, Upgrade, hop_by_hop};
use crate::telemetry::WorkerMetrics;

/// Sends admitted requests to upstreams, over connections of this worker's own.
#[derive(Debug)]
pub struct Forwarder {
    identity: Arc<IdentityHeaders>,
    /// By upstream.
    lanes: Vec<Rc<Lane>>,
    metrics: Arc<WorkerMetrics>,
}

/// What an upstream said.
#[derive(Debug)]
pub enum Answer {
    /// An answer, whose body is still to come.
    Response(Response<UpstreamBody>),
    /// It switched to WebSocket, as the client had asked.
    Switched(Response<()>, Box<Tunnel>),
}

/// A request that was answered, and the connection it was answered over.
struct Answered {
    response: Response<Incoming>,
    connection: Box<Connection>,
    server: Rc<Member>,
    /// Whether the connection may carry another exchange.
    may_keep: bool,
}

impl Forwarder {
    /// A forwarder without connections yet.
    #[must_use]
    pub fn new(
        upstreams: &Upstreams,
        identity: Arc<IdentityHeaders>,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            lanes: upstreams.all().iter().map(Lane::new).collect(),
            identity,
            metrics,
        }
    }

    /// Sends a request and waits for the head of the answer; deadlines are set on its exchange.
    /// Dropping the future breaks the exchange off.
    ///
    /// # Errors
    ///
    /// [`ProxyError`], when there is no answer to pass on.
    pub async fn forward(&self, admitted: Admitted<Inbound>) -> Result<Answer, ProxyError> {
        let (inbound, admission) = admitted.into_parts();
        let index = inbound.upstream;
        let Some(lane) = self.lanes.get(index) else {
            return Err(ProxyError::NoneHealthy {
                upstream: String::new(),
            });
        };
        let upstream = lane.upstream();
        let exchange = Rc::clone(&inbound.exchange);
        let upgrade = inbound.upgrade;
        let deadlines = upstream.config.deadlines.with(&exchange.deadlines.get());
        if let Some(whole) = deadlines.whole {
            exchange.end_within(whole);
        }
        let mut place = Place::take(lane).await?;
        let mut request = outbound(inbound, admission.as_deref(), &self.identity);
        request
            .body_mut()
            .outbound(deadlines.response, &self.identity);
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, upstream.host());
        }
        self.listen_for_interim(&mut request);
        let sending = Sending {
            forwarder: self,
            upstream,
            lane,
            exchange: &exchange,
            deadlines,
        };
        let mut answered = sending.send(request, &mut place).await?;
        exchange.answered_at.set(Some(Instant::now()));
        exchange.go_on();
        let response = &mut answered.response;
        if *response.version_mut() == Version::HTTP_10 {
            // hyper remembers the version and would leave bodies out; and it is not the client's.
            *response.version_mut() = Version::HTTP_11;
            answered.may_keep = false;
        }
        hop_by_hop::strip_response(answered.response.headers_mut());
        if answered.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Box::pin(sending.switched(answered, upgrade, place)).await;
        }
        Ok(Answer::Response(sending.body(answered, place)))
    }

    /// Closes connections that have waited long enough.
    pub fn sweep(&self) {
        for lane in &self.lanes {
            lane.sweep();
        }
    }

    /// Interim answers are counted; a `100 Continue` that was asked for lets the body go.
    fn listen_for_interim(&self, request: &mut Request<RequestBody>) {
        let metrics = Arc::clone(&self.metrics);
        if request.headers().contains_key(header::EXPECT) && !request.body().is_empty() {
            let signal = request.body_mut().hold_for_continue();
            hyper::ext::on_informational(request, move |interim| {
                if interim.status() == StatusCode::CONTINUE {
                    signal.come();
                } else {
                    metrics.interim_dropped.fetch_add(1, Ordering::Relaxed);
                }
            });
        } else {
            hyper::ext::on_informational(request, move |_| {
                metrics.interim_dropped.fetch_add(1, Ordering::Relaxed);
            });
        }
    }
}

/// One request on its way to the servers of one upstream.
struct Sending<'a> {
    forwarder: &'a Forwarder,
    upstream: &'a Upstream,
    lane: &'a Lane,
    exchange: &'a Rc<Exchange>,
    deadlines: Deadlines,
}

impl Sending<'_> {
    /// Sends the request, to another server again while the one before cannot have acted on it, or
    /// acting twice does no harm.
    async fn send(
        &self,
        mut request: Request<RequestBody>,
        place: &mut Place,
    ) -> Result<Answered, ProxyError> {
        let retries = &self.upstream.config.retries;
        let mut attempts = Attempts::at(&request, retries.attempts);
        self.lane.save();
        loop {
            let (server, mut connection) = self.connection(place, &mut attempts).await?;
            self.exchange
                .wait_for(Waiting::Head, self.deadlines.response);
            let mut spare = repeat(&request);
            match connection.send(request).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    self.judge(&server, status);
                    if retries.statuses.contains(&status)
                        && let Some(spare) = spare.take()
                        && attempts.go_on(self.lane, &server, Again::Status, false)
                    {
                        request = self.again(spare);
                        continue;
                    }
                    return Ok(Answered {
                        response,
                        connection,
                        server,
                        may_keep: true,
                    });
                }
                Err(failed) => {
                    let was_kept = connection.is_used;
                    let is_servers = !failed.error.is_user();
                    if is_servers && !(was_kept && failed.unsent.is_some()) {
                        server.failed(Failure::Broken, Some(&failed.error));
                    }
                    request = self.after(failed, spare, &server, |why| {
                        attempts.go_on(self.lane, &server, why, was_kept)
                    })?;
                }
            }
        }
    }

    /// What an answer says of its server.
    fn judge(&self, server: &Member, status: u16) {
        if self.upstream.config.ejection.statuses.contains(&status) {
            server.failed(Failure::Broken, None);
        } else {
            server.succeeded();
        }
    }

    /// The request that is sent after one that failed, if it may be.
    fn after(
        &self,
        failed: SendFailed,
        spare: Option<Request<RequestBody>>,
        server: &Member,
        may: impl FnOnce(Again) -> bool,
    ) -> Result<Request<RequestBody>, ProxyError> {
        if failed.error.is_user() {
            return Err(ProxyError::Client);
        }
        let (request, why) = match (failed.unsent, spare) {
            (Some(unsent), _) => (Some(unsent), Again::Unsent),
            (None, spare) => (spare.map(|spare| self.again(spare)), Again::Broken),
        };
        let request = request.filter(|_| may(why));
        request.ok_or_else(|| self.broken(server, failed.error))
    }

    fn again(&self, mut spare: Request<RequestBody>) -> Request<RequestBody> {
        self.forwarder.listen_for_interim(&mut spare);
        spare
    }

    /// A connection to a server that takes the request.
    async fn connection(
        &self,
        place: &mut Place,
        attempts: &mut Attempts,
    ) -> Result<(Rc<Member>, Box<Connection>), ProxyError> {
        let mut last = None;
        loop {
            let picked = self.lane.choose(attempts).await;
            let server = picked.map_err(|why| last.take().unwrap_or_else(|| self.none(why)))?;
            place.move_to(&server);
            self.exchange.go_to(&server);
            if attempts.is_first()
                && let Some(connection) = server.pool.take()
            {
                return Ok((server, connection));
            }
            // Boxed: a request that finds a kept connection need not carry the room for it.
            match Box::pin(self.connect(&server)).await {
                Ok(connection) => return Ok((server, connection)),
                Err(error) => {
                    server.failed(Failure::Refused, Some(&error));
                    if !attempts.go_on(self.lane, &server, Again::Refused, false) {
                        return Err(error);
                    }
                    last = Some(error);
                }
            }
        }
    }

    fn none(&self, why: NotPicked) -> ProxyError {
        let upstream = self.upstream.config.name.clone();
        match why {
            NotPicked::Full => ProxyError::OverBound { upstream },
            NotPicked::NoneLeft => ProxyError::NoneHealthy { upstream },
        }
    }

    async fn connect(&self, server: &Member) -> Result<Box<Connection>, ProxyError> {
        let connecting = Connection::connect(server.target());
        match tokio::time::timeout(self.deadlines.connect, connecting).await {
            Ok(Ok(connection)) => {
                let connects = &self.forwarder.metrics.upstream_connects;
                connects.fetch_add(1, Ordering::Relaxed);
                Ok(Box::new(connection))
            }
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

    fn body(&self, answered: Answered, place: Place) -> Response<UpstreamBody> {
        let config = &self.upstream.config;
        let is_event_stream = is_event_stream(&answered.response);
        if is_event_stream {
            self.exchange.set_lasting();
        }
        let idle_timeout = (!is_event_stream).then_some(self.deadlines.idle);
        let source = Source {
            connection: answered.connection,
            pool: Rc::clone(&answered.server.pool),
            max_idle: if answered.may_keep {
                config.max_idle
            } else {
                0
            },
            _place: place,
        };
        answered.response.map(|incoming| {
            UpstreamBody::new(incoming, source, Rc::clone(self.exchange), idle_timeout)
        })
    }

    async fn switched(
        &self,
        answered: Answered,
        upgrade: Upgrade,
        place: Place,
    ) -> Result<Answer, ProxyError> {
        let server = answered.server;
        if upgrade != Upgrade::WebSocket {
            return Err(self.switched_unasked(&server));
        }
        let (head, _) = answered.response.into_parts();
        let bare = answered.connection.switched();
        // The head is there; what is left takes no time, unless something is wrong.
        let bare = tokio::time::timeout(self.deadlines.connect, bare).await;
        let gone = || self.switched_unasked(&server);
        let bare = bare.map_err(|_| gone())?;
        let bare = bare.map_err(|source| self.broken(&server, source))?;
        let (stream, early) = bare.ok_or_else(gone)?;
        self.exchange.set_lasting();
        let exchange = Rc::clone(self.exchange);
        let patience = self.deadlines.idle;
        let tunnel = Tunnel::new(stream, early, exchange, patience, place);
        Ok(Answer::Switched(
            Response::from_parts(head, ()),
            Box::new(tunnel),
        ))
    }

    fn broken(&self, server: &Member, source: hyper::Error) -> ProxyError {
        ProxyError::Broken {
            upstream: self.upstream.config.name.clone(),
            server: server.name().to_owned(),
            source,
        }
    }

    fn switched_unasked(&self, server: &Member) -> ProxyError {
        ProxyError::Switched {
            upstream: self.upstream.config.name.clone(),
            server: server.name().to_owned(),
        }
    }
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

fn is_event_stream(response: &Response<Incoming>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| {
        let start = kind.as_bytes().get(..EVENT_STREAM.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
    })
}
