use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use super::answer::Source;
use super::connection::{Connection, Pool, SendFailed};
use super::request::outbound;
use super::server::{Place, Upstream};
use super::{Exchange, Inbound, ProxyError, RequestBody, Tunnel, UpstreamBody, Upstreams, Waiting};
use crate::auth::Admitted;
use crate::http::{IdentityHeaders, Upgrade, hop_by_hop};
use crate::telemetry::WorkerMetrics;

/// Sends admitted requests to upstreams, over connections of this worker's own.
#[derive(Debug)]
pub struct Forwarder {
    upstreams: Arc<Upstreams>,
    identity: Arc<IdentityHeaders>,
    /// By upstream, then by server.
    lanes: Vec<Lane>,
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

/// This worker's connections to the servers of one upstream.
#[derive(Debug)]
struct Lane {
    pools: Vec<Rc<Pool>>,
    /// Whose turn it is.
    turn: Cell<usize>,
}

/// A request that was answered, and the connection it was answered over.
struct Answered {
    response: Response<Incoming>,
    connection: Box<Connection>,
    server: usize,
    /// Whether the connection may carry another exchange.
    may_keep: bool,
}

impl Forwarder {
    /// A forwarder without connections yet.
    #[must_use]
    pub fn new(
        upstreams: Arc<Upstreams>,
        identity: Arc<IdentityHeaders>,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let lane = |upstream: &Upstream| Lane {
            pools: upstream.servers.iter().map(|_| Rc::default()).collect(),
            turn: Cell::new(0),
        };
        Self {
            lanes: upstreams.all().iter().map(lane).collect(),
            upstreams,
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
        let place = self.upstreams.enter(index)?;
        let (Some(upstream), Some(lane)) = (self.upstreams.find(index), self.lanes.get(index))
        else {
            return Err(ProxyError::NoneHealthy {
                upstream: String::new(),
            });
        };
        let exchange = Rc::clone(&inbound.exchange);
        let upgrade = inbound.upgrade;
        let mut request = outbound(inbound, admission.as_deref(), &self.identity);
        request
            .body_mut()
            .outbound(upstream.config.response_timeout, &self.identity);
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, upstream.host());
        }
        self.listen_for_interim(&mut request);
        let sending = Sending {
            forwarder: self,
            upstream,
            lane,
            exchange: &exchange,
        };
        let mut answered = sending.send(request).await?;
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
        for (upstream, lane) in self.upstreams.all().iter().zip(&self.lanes) {
            for pool in &lane.pools {
                pool.sweep(upstream.config.keep_alive);
            }
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
}

impl Sending<'_> {
    /// Sends the request; once more over a new connection when a kept one turns out to be closed
    /// and the server cannot have acted on the request, or acting twice does no harm.
    async fn send(&self, mut request: Request<RequestBody>) -> Result<Answered, ProxyError> {
        let mut may_reuse = true;
        loop {
            let (server, mut connection) = self.connection(may_reuse).await?;
            self.exchange.server.set(Some(server));
            self.exchange
                .wait_for(Waiting::Head, self.upstream.config.response_timeout);
            let spare = if connection.is_used {
                repeat(&request)
            } else {
                None
            };
            match connection.send(request).await {
                Ok(response) => {
                    return Ok(Answered {
                        response,
                        connection,
                        server,
                        may_keep: true,
                    });
                }
                Err(failed) => {
                    request = self.again(failed, spare, connection.is_used, server)?;
                    may_reuse = false;
                }
            }
        }
    }

    fn again(
        &self,
        failed: SendFailed,
        spare: Option<Request<RequestBody>>,
        was_used: bool,
        server: usize,
    ) -> Result<Request<RequestBody>, ProxyError> {
        if failed.error.is_user() {
            return Err(ProxyError::Client);
        }
        let unsent = failed.unsent.filter(|_| was_used);
        let spare = spare.map(|mut spare| {
            self.forwarder.listen_for_interim(&mut spare);
            spare
        });
        unsent
            .or(spare)
            .ok_or_else(|| self.broken(server, failed.error))
    }

    /// A connection to the server whose turn it is, or to the next that takes one.
    async fn connection(&self, may_reuse: bool) -> Result<(usize, Box<Connection>), ProxyError> {
        let count = self.upstream.servers.len();
        let turn = self.lane.turn.get();
        self.lane.turn.set(turn.wrapping_add(1));
        let mut last = None;
        for step in 0..count {
            let index = turn.wrapping_add(step) % count;
            let (Some(server), Some(pool)) =
                (self.upstream.servers.get(index), self.lane.pools.get(index))
            else {
                continue;
            };
            if may_reuse && let Some(connection) = pool.take() {
                return Ok((index, connection));
            }
            if !self.forwarder.upstreams.may_try(server) {
                continue;
            }
            // Boxed: a request that finds a kept connection need not carry the room for it.
            match Box::pin(self.connect(index)).await {
                Ok(connection) => return Ok((index, connection)),
                Err(error) => {
                    self.forwarder.upstreams.leave_alone(server);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        upstream = self.upstream.config.name,
                        server = server.address,
                        "upstream server left alone"
                    );
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| ProxyError::NoneHealthy {
            upstream: self.upstream.config.name.clone(),
        }))
    }

    async fn connect(&self, server: usize) -> Result<Box<Connection>, ProxyError> {
        let address = self.address(server);
        let timeout = self.upstream.config.connect_timeout;
        let connecting = Connection::connect(&address, self.upstream.tls_to(server));
        match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok(connection)) => {
                let connects = &self.forwarder.metrics.upstream_connects;
                connects.fetch_add(1, Ordering::Relaxed);
                Ok(Box::new(connection))
            }
            Ok(Err(source)) => Err(ProxyError::Refused {
                upstream: self.upstream.config.name.clone(),
                server: address,
                source,
            }),
            Err(_) => Err(ProxyError::ConnectTimeout {
                upstream: self.upstream.config.name.clone(),
                server: address,
            }),
        }
    }

    fn body(&self, answered: Answered, place: Place) -> Response<UpstreamBody> {
        let config = &self.upstream.config;
        let is_event_stream = is_event_stream(&answered.response);
        if is_event_stream {
            self.exchange.watched.set_lasting();
        }
        let idle_timeout = (!is_event_stream).then_some(config.idle_timeout);
        let pool = self.lane.pools.get(answered.server).map(Rc::clone);
        let source = Source {
            connection: answered.connection,
            pool: pool.unwrap_or_default(),
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
            return Err(self.switched_unasked(server));
        }
        let (head, _) = answered.response.into_parts();
        let bare = answered.connection.switched();
        // The head is there; what is left takes no time, unless something is wrong.
        let bare = tokio::time::timeout(self.upstream.config.connect_timeout, bare).await;
        let gone = || self.switched_unasked(server);
        let bare = bare.map_err(|_| gone())?;
        let bare = bare.map_err(|source| self.broken(server, source))?;
        let (stream, early) = bare.ok_or_else(gone)?;
        self.exchange.watched.set_lasting();
        let exchange = Rc::clone(self.exchange);
        let patience = self.upstream.config.idle_timeout;
        let tunnel = Tunnel::new(stream, early, exchange, patience, place);
        Ok(Answer::Switched(
            Response::from_parts(head, ()),
            Box::new(tunnel),
        ))
    }

    fn broken(&self, server: usize, source: hyper::Error) -> ProxyError {
        ProxyError::Broken {
            upstream: self.upstream.config.name.clone(),
            server: self.address(server),
            source,
        }
    }

    fn switched_unasked(&self, server: usize) -> ProxyError {
        ProxyError::Switched {
            upstream: self.upstream.config.name.clone(),
            server: self.address(server),
        }
    }

    fn address(&self, server: usize) -> String {
        let server = self.upstream.servers.get(server);
        server.map_or_else(String::new, |server| server.address.clone())
    }
}

/// The same request again, when sending it twice does no harm and it has no body (RFC 9110 §9.2.2).
fn repeat(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let is_harmless = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    );
    if !is_harmless || !request.body().is_empty() {
        return None;
    }
    let mut copy = Request::new(request.body().none());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

fn is_event_stream(response: &Response<Incoming>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| {
        let start = kind.as_bytes().get(..EVENT_STREAM.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
    })
}
