mod answering;
mod connecting;

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{Method, Response, StatusCode, Version};

use super::answer_head::{AnswerHead, HeadReader};
use super::buffers::Buffers;
use super::carrier::Carrier;
use super::connection::{SendError, SendFailed};
use super::handshake::Handshake;
use super::retry::Attempts;
use super::upload::Upload;
use super::upstreams::{Again, Failure, Lane, Member, NotPicked, Place, Upstream};
use super::{
    AnswerError, Exchange, Inbound, Misfit, ProxyError, Tunnel, UpstreamBody, Upstreams, Waiting,
};
use crate::auth::Admitted;
use crate::config::{Deadlines, Protocol};
use crate::http::credential::claims_connection;
use crate::http::{IdentityHeaders, Upgrade, grpc};
use crate::telemetry::WorkerMetrics;

/// Sends admitted requests to upstreams, over connections of this worker's own.
#[derive(Debug)]
pub struct Forwarder {
    identity: Arc<IdentityHeaders>,
    /// By upstream.
    lanes: Vec<Rc<Lane>>,
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

/// A request that was answered, and the connection it was answered over.
struct Answered {
    head: AnswerHead,
    carrier: Carrier,
    server: Rc<Member>,
}

/// A request on its way, with all that its answer needs.
struct Outbound<'a> {
    sending: Sending<'a>,
    attempts: Attempts,
    /// Until a connection has it.
    upload: Option<Upload>,
    reader: HeadReader<'a>,
    upgrade: Upgrade,
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
            buffers: Buffers::default(),
        }
    }

    /// The same worker's forwarder to other upstreams. Ways to those that stay go on as they are; of the
    /// others every connection is closed as soon as nothing uses it.
    #[must_use]
    pub fn next(&self, upstreams: &Upstreams, identity: Arc<IdentityHeaders>) -> Self {
        let lanes = upstreams.all().iter().map(|upstream| {
            let known = self.lanes.iter().find(|lane| lane.is_to(upstream));
            known.map_or_else(|| Lane::new(upstream), Rc::clone)
        });
        let lanes: Vec<_> = lanes.collect();
        for old in &self.lanes {
            if !lanes.iter().any(|lane| Rc::ptr_eq(lane, old)) {
                old.close();
            }
        }
        Self {
            lanes,
            identity,
            metrics: Arc::clone(&self.metrics),
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
        let Some(lane) = self.lanes.get(index) else {
            return Err(ProxyError::NoneHealthy {
                upstream: String::new(),
            });
        };
        let upstream = lane.upstream();
        let exchange = Rc::clone(&inbound.exchange);
        let deadlines = upstream.config.deadlines.with(&exchange.deadlines.get());
        let asked = grpc::timeout(inbound.version, &inbound.headers);
        if inbound.version == Version::HTTP_2 && upstream.config.protocol != Protocol::Http1 {
            exchange.set_call(grpc::is_grpc(&inbound.headers));
        }
        end_by(&exchange, deadlines.whole, asked);
        if !inbound.body.is_empty() {
            let rules = inbound.rules.as_ref();
            inbound
                .body
                .outbound(deadlines.response, &self.identity, rules);
            if inbound.expects_continue() {
                inbound.body.hold_for_continue();
            }
        }
        let is_tunnel = inbound.upgrade == Upgrade::WebSocket;
        let handshake = (is_tunnel && inbound.version == Version::HTTP_2)
            .then(|| Handshake::begin(&mut inbound.headers))
            .flatten();
        let claims_connection = claims_connection(&inbound.headers, AUTHORIZATION);
        let sending = Sending {
            forwarder: self,
            upstream,
            lane,
            exchange,
            deadlines,
            // A tunnel needs a connection of its own, and so does a proof that may hold for all of one.
            protocol: if is_tunnel || claims_connection {
                Protocol::Http1
            } else {
                upstream.config.protocol
            },
            handshake,
            claims_connection,
        };
        let (is_head, upgrade) = (inbound.method == Method::HEAD, inbound.upgrade);
        let request_id = inbound.request_id.header_value().clone();
        let most = upstream.config.retries.attempts;
        let admission = admission.as_deref();
        let buffer = self.buffers.take();
        let (upload, spare) =
            inbound.outbound(buffer, || upstream.host(), admission, &self.identity);
        Ok(Outbound {
            sending,
            attempts: Attempts::at(request_id, most),
            upload: Some(upload),
            reader: HeadReader::new(is_head, spare, &self.metrics.interim_dropped),
            upgrade,
        })
    }

    /// Closes connections that have waited long enough.
    pub fn sweep(&self) {
        for lane in &self.lanes {
            lane.sweep();
        }
    }
}

/// Sets the end of an exchange, where the configuration or the client has one.
fn end_by(exchange: &Exchange, whole: Option<Duration>, asked: Option<Duration>) {
    match (whole, asked) {
        (None, Some(asked)) => exchange.end_as_asked(asked),
        (Some(whole), Some(asked)) if asked < whole => exchange.end_as_asked(asked),
        (Some(whole), _) => exchange.end_within(whole),
        (None, None) => {}
    }
}

impl Outbound<'_> {
    /// Takes a place in the upstream, sends the request and waits for the head of its answer; once.
    async fn exchange(&mut self) -> Result<Answer, ProxyError> {
        let sending = &self.sending;
        let mut place = Place::take(sending.lane).await?;
        let (upload, reader) = (&mut self.upload, &mut self.reader);
        let answered = sending.send(upload, reader, &mut self.attempts, &mut place);
        let answered = answered.await?;
        sending.exchange.answered_at.set(Some(Instant::now()));
        sending.exchange.go_on();
        if answered.head.status == StatusCode::SWITCHING_PROTOCOLS {
            return sending.switched(answered, self.upgrade, place);
        }
        if sending.handshake.is_some() && answered.head.status.is_success() {
            return Err(sending.handshake_failed(&answered.server));
        }
        Ok(Answer::Response(sending.body(answered, place)))
    }
}

/// One request on its way to the servers of one upstream.
struct Sending<'a> {
    forwarder: &'a Forwarder,
    upstream: &'a Upstream,
    lane: &'a Rc<Lane>,
    exchange: Rc<Exchange>,
    deadlines: Deadlines,
    /// What is spoken to a server.
    protocol: Protocol,
    /// Where a client over HTTP/2 asks for a WebSocket.
    handshake: Option<Handshake>,
    /// Whether it proves who sends it in a way that may hold for its connection from then on.
    claims_connection: bool,
}

impl Sending<'_> {
    /// Sends the request, to another server again while the one before cannot have acted on it, or
    /// acting twice does no harm.
    async fn send(
        &self,
        upload: &mut Option<Upload>,
        reader: &mut HeadReader<'_>,
        attempts: &mut Attempts,
        place: &mut Place,
    ) -> Result<Answered, ProxyError> {
        self.lane.save();
        loop {
            let (server, mut carrier) = self.carrier(place, attempts).await?;
            self.exchange
                .wait_for(Waiting::Head, self.deadlines.response);
            carrier.begin(upload.take());
            match poll_fn(|cx| carrier.poll_head(cx, reader)).await {
                Ok(head) => {
                    let status = head.status.as_u16();
                    self.judge(&server, status);
                    *upload = self.instead_of(status, &mut carrier, &server, attempts);
                    if upload.is_none() {
                        if let Some(buffer) = carrier.take_sent() {
                            self.forwarder.buffers.give(buffer);
                        }
                        return Ok(Answered {
                            head,
                            carrier,
                            server,
                        });
                    }
                }
                Err(failed) => {
                    attempts.note_failed(&carrier);
                    *upload = Some(self.after(failed, &server, attempts)?);
                }
            }
            reader.begin_anew();
            self.exchange.begin_anew();
        }
    }

    /// What an answer says of its server.
    fn judge(&self, server: &Member, status: u16) {
        if self.upstream.config.ejection.statuses.contains(&status) {
            // It may be the server's word on a client that does not send what it promised.
            if !self.exchange.has_tried_patience() {
                server.failed(Failure::Broken, None);
            }
        } else {
            server.succeeded();
        }
    }

    /// The request, to be sent once more instead of passing on an answer with this status, if it may be.
    fn instead_of(
        &self,
        status: u16,
        carrier: &mut Carrier,
        server: &Rc<Member>,
        attempts: &mut Attempts,
    ) -> Option<Upload> {
        let may = self.upstream.config.retries.statuses.contains(&status)
            && carrier.may_repeat()
            && attempts.go_on(self.lane, server, Again::Status, false);
        let again = may.then(|| carrier.take_again()).flatten();
        again.map(|(_, upload)| upload)
    }

    /// The request, to be sent once more after it failed, if it may be.
    fn after(
        &self,
        failed: SendFailed,
        server: &Rc<Member>,
        attempts: &mut Attempts,
    ) -> Result<Upload, ProxyError> {
        let error = match failed.error {
            SendError::Server(error) => error,
            SendError::Client => return Err(ProxyError::Client),
            SendError::Misfit(misfit) => return Err(self.misfit(server, misfit)),
        };
        // A server that closed a kept connection when nobody asked anything is not to blame.
        let was_closed = failed.was_stale && matches!(failed.again, Some((Again::Unsent, _)));
        if !was_closed {
            self.exchange.server_failed(&error);
        }
        let again = failed
            .again
            .filter(|(why, _)| attempts.go_on(self.lane, server, *why, failed.was_stale));
        again
            .map(|(_, upload)| upload)
            .ok_or_else(|| self.broken(server, error))
    }

    /// A connection to a server that takes the request.
    async fn carrier(
        &self,
        place: &mut Place,
        attempts: &mut Attempts,
    ) -> Result<(Rc<Member>, Carrier), ProxyError> {
        let mut last = None;
        loop {
            let picked = self.lane.choose(attempts).await;
            let server = picked.map_err(|why| last.take().unwrap_or_else(|| self.none(why)))?;
            place.move_to(&server);
            self.exchange.go_to(&server);
            if attempts.is_first()
                && let Some(carrier) = self.kept(&server)
            {
                return Ok((server, carrier));
            }
            // Boxed: a request that finds a kept connection need not carry the room for it.
            match Box::pin(self.connect(&server, attempts)).await {
                Ok(carrier) => return Ok((server, carrier)),
                Err(error @ ProxyError::Spent { .. }) => return Err(error),
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

    fn misfit(&self, server: &Member, source: Misfit) -> ProxyError {
        ProxyError::Misfit {
            upstream: self.upstream.config.name.clone(),
            server: server.name().to_owned(),
            source,
        }
    }

    fn broken(&self, server: &Member, source: AnswerError) -> ProxyError {
        ProxyError::Broken {
            upstream: self.upstream.config.name.clone(),
            server: server.name().to_owned(),
            source,
        }
    }
}
