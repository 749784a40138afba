use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{Method, Response, StatusCode};

use super::answer::Source;
use super::answer_head::{AnswerHead, HeadReader};
use super::buffers::Buffers;
use super::connection::{Connection, Pool, SendError, SendFailed};
use super::server::{Place, Upstream};
use super::upload::Upload;
use super::{AnswerError, Exchange, Inbound, ProxyError, Tunnel, UpstreamBody, Upstreams, Waiting};
use crate::auth::Admitted;
use crate::http::{IdentityHeaders, Upgrade};
use crate::telemetry::WorkerMetrics;

/// Sends admitted requests to upstreams, over connections of this worker's own.
#[derive(Debug)]
pub struct Forwarder {
    upstreams: Arc<Upstreams>,
    identity: Arc<IdentityHeaders>,
    /// By upstream, then by server.
    lanes: Vec<Lane>,
    metrics: Arc<WorkerMetrics>,
    /// For the heads of requests.
    buffers: Buffers,
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
    head: AnswerHead,
    connection: Box<Connection>,
    server: usize,
}

/// A request on its way, with all that its answer needs.
struct Outbound<'a> {
    sending: Sending<'a>,
    /// Until a connection has it.
    upload: Option<Upload>,
    reader: HeadReader<'a>,
    upgrade: Upgrade,
    /// Until the answer has it.
    place: Option<Place>,
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
            buffers: Buffers::default(),
        }
    }

    /// Sends a request and waits for the head of the answer; deadlines are set on its exchange.
    /// Dropping the future breaks the exchange off.
    ///
    /// # Errors
    ///
    /// [`ProxyError`], when there is no answer to pass on.
    pub fn forward(
        &self,
        admitted: Admitted<Inbound>,
    ) -> Result<impl Future<Output = Result<Answer, ProxyError>>, ProxyError> {
        // Written before anything is waited for: what waits is small then, and seldom moved.
        let mut outbound = self.outbound(admitted)?;
        Ok(async move { outbound.exchange().await })
    }

    fn outbound(&self, admitted: Admitted<Inbound>) -> Result<Outbound<'_>, ProxyError> {
        let (mut inbound, admission) = admitted.into_parts();
        let index = inbound.upstream;
        let place = self.upstreams.enter(index)?;
        let (Some(upstream), Some(lane)) = (self.upstreams.find(index), self.lanes.get(index))
        else {
            return Err(ProxyError::NoneHealthy {
                upstream: String::new(),
            });
        };
        if !inbound.body.is_empty() {
            let timeout = upstream.config.response_timeout;
            inbound.body.outbound(timeout, &self.identity);
            if inbound.expects_continue() {
                inbound.body.hold_for_continue();
            }
        }
        let sending = Sending {
            forwarder: self,
            upstream,
            lane,
            exchange: Rc::clone(&inbound.exchange),
        };
        let (is_head, upgrade) = (inbound.method == Method::HEAD, inbound.upgrade);
        let admission = admission.as_deref();
        let buffer = self.buffers.take();
        let (upload, spare) =
            inbound.outbound(buffer, || upstream.host(), admission, &self.identity);
        Ok(Outbound {
            sending,
            upload: Some(upload),
            reader: HeadReader::new(is_head, spare, &self.metrics.interim_dropped),
            upgrade,
            place: Some(place),
        })
    }

    /// Closes connections that have waited long enough.
    pub fn sweep(&self) {
        for (upstream, lane) in self.upstreams.all().iter().zip(&self.lanes) {
            for pool in &lane.pools {
                pool.sweep(upstream.config.keep_alive);
            }
        }
    }
}

impl Outbound<'_> {
    /// Sends the request once and waits for the head of its answer.
    async fn exchange(&mut self) -> Result<Answer, ProxyError> {
        let sending = &self.sending;
        let answered = sending.send(&mut self.upload, &mut self.reader).await?;
        sending.exchange.answered_at.set(Some(Instant::now()));
        sending.exchange.go_on();
        let place = self.place.take();
        if answered.head.status == StatusCode::SWITCHING_PROTOCOLS {
            return sending.switched(answered, self.upgrade, place);
        }
        Ok(Answer::Response(sending.body(answered, place)))
    }
}

/// One request on its way to the servers of one upstream.
struct Sending<'a> {
    forwarder: &'a Forwarder,
    upstream: &'a Upstream,
    lane: &'a Lane,
    exchange: Rc<Exchange>,
}

impl Sending<'_> {
    /// Sends the request; once more over a new connection when a kept one turns out to be closed
    /// and the server cannot have acted on the request, or acting twice does no harm.
    async fn send(
        &self,
        upload: &mut Option<Upload>,
        reader: &mut HeadReader<'_>,
    ) -> Result<Answered, ProxyError> {
        let mut may_reuse = true;
        loop {
            let (server, mut connection) = self.connection(may_reuse).await?;
            self.exchange.server.set(Some(server));
            self.exchange
                .wait_for(Waiting::Head, self.upstream.config.response_timeout);
            connection.begin(upload.take());
            match poll_fn(|cx| connection.poll_head(cx, reader)).await {
                Ok(head) => {
                    if let Some(buffer) = connection.take_sent() {
                        self.forwarder.buffers.give(buffer);
                    }
                    return Ok(Answered {
                        head,
                        connection,
                        server,
                    });
                }
                Err(failed) => {
                    *upload = Some(self.again(failed, server)?);
                    may_reuse = false;
                }
            }
        }
    }

    fn again(&self, failed: SendFailed, server: usize) -> Result<Upload, ProxyError> {
        match (failed.error, failed.again) {
            (SendError::Client, _) => Err(ProxyError::Client),
            (SendError::Server(_), Some(upload)) => Ok(upload),
            (SendError::Server(error), None) => Err(self.broken(server, error)),
        }
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
        match tokio::time::timeout(timeout, Connection::connect(&address)).await {
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

    fn body(&self, answered: Answered, place: Option<Place>) -> Response<UpstreamBody> {
        let config = &self.upstream.config;
        let head = answered.head;
        if head.is_event_stream {
            self.exchange.watched.set_lasting();
        }
        let idle_timeout = (!head.is_event_stream).then_some(config.idle_timeout);
        let pool = self.lane.pools.get(answered.server).map(Rc::clone);
        let source = Source {
            connection: answered.connection,
            pool: pool.unwrap_or_default(),
            max_idle: if head.may_keep { config.max_idle } else { 0 },
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

    fn switched(
        &self,
        answered: Answered,
        upgrade: Upgrade,
        place: Option<Place>,
    ) -> Result<Answer, ProxyError> {
        let head = answered.head;
        if upgrade != Upgrade::WebSocket || !head.is_websocket {
            return Err(self.switched_unasked(answered.server));
        }
        let (stream, early) = answered.connection.switched();
        self.exchange.watched.set_lasting();
        let exchange = Rc::clone(&self.exchange);
        let patience = self.upstream.config.idle_timeout;
        let tunnel = Box::new(Tunnel::new(stream, early, exchange, patience, place));
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(Answer::Switched(response, tunnel))
    }

    fn broken(&self, server: usize, source: AnswerError) -> ProxyError {
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
