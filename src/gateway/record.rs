use std::error::Error;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};

use super::Gateway;
use super::edge::Edge;
use super::recheck::Verdict;
use crate::config::RouteDeadlines;
use crate::domain::CredentialId;
use crate::http::cors::Answer;
use crate::http::{Code, RequestId, grpc};
use crate::proxy::Exchange;
use crate::revocation::Admission;
use crate::telemetry::{Line, Outcome, field, with_causes};

/// What is told of a request when it has ended: its access line and its place in the metrics.
///
/// It is dropped with the last byte of the answer, or with the connection, and writes then.
#[derive(Debug)]
pub(super) struct Record {
    gateway: Rc<Gateway>,
    pub(super) began: Instant,
    pub(super) request_id: RequestId,
    pub(super) client: IpAddr,
    method: Method,
    target: Uri,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    version: Version,
    /// Index of the route; see [`Gateway::route_name`].
    pub(super) route: usize,
    pub(super) upstream: Option<usize>,
    /// Nothing on routes that add nothing to their answers.
    pub(super) edge: Option<Box<Edge>>,
    pub(super) admission: Option<Arc<Admission>>,
    pub(super) exchange: Rc<Exchange>,
    /// Whether the end of its admission cuts the answer.
    pub(super) is_guarded: bool,
    pub(super) status: u16,
    pub(super) code: Option<Code>,
    /// Whether it is a call by gRPC.
    pub(super) is_grpc: bool,
    /// How the answer ended, when it did not end well.
    pub(super) end: Option<End>,
    /// What went wrong with the upstream.
    cause: Option<Box<str>>,
}

/// How an answer ended that was not given whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its credential was revoked or has expired, or nobody knows whether it was.
    Cut,
    /// The upstream broke off or was too slow.
    Upstream,
    /// The client went away, took nothing or did not send what it should.
    Client,
    /// The gateway could not go on.
    Gateway,
}

impl Record {
    pub(super) fn begin(
        gateway: &Rc<Gateway>,
        head: &http::request::Parts,
        client: IpAddr,
        request_id: RequestId,
        exchange: Rc<Exchange>,
    ) -> Box<Self> {
        let header = |name| HeaderMap::get(&head.headers, name).cloned();
        // Boxed: it goes through many hands on its way to the end of the body.
        Box::new(Self {
            gateway: Rc::clone(gateway),
            began: Instant::now(),
            request_id,
            client,
            method: head.method.clone(),
            target: head.uri.clone(),
            host: header(header::HOST),
            user_agent: header(header::USER_AGENT),
            version: head.version,
            route: gateway.no_route(),
            upstream: None,
            edge: None,
            admission: None,
            exchange,
            is_guarded: false,
            status: 0,
            code: None,
            is_grpc: grpc::is_call(head),
            end: None,
            cause: None,
        })
    }

    /// It is forwarded to this upstream, by the deadlines of its route.
    pub(super) fn goes_to(&mut self, upstream: usize, deadlines: RouteDeadlines) {
        self.upstream = Some(upstream);
        self.exchange.deadlines.set(deadlines);
        self.is_guarded = true;
    }

    /// Says in the answer what is said in every one of its route.
    pub(super) fn see_off(&self, headers: &mut HeaderMap, kind: Answer) {
        self.gateway.see_off(self, headers, kind);
    }

    /// The request is `admission`'s, whose end cuts it.
    pub(super) fn rest_on(&mut self, admission: &Arc<Admission>) {
        self.admission = Some(Arc::clone(admission));
        self.exchange.watched.renew(Arc::clone(admission));
    }

    /// Removes from the trailers of an answer what its head would not have either.
    pub(super) fn strip_trailers(&self, trailers: &mut HeaderMap) {
        let route = self.gateway.shared.routes.at(self.route);
        let rules = route.map(|route| &route.config.response_headers);
        self.gateway
            .shared
            .identity
            .strip_answer_trailers(trailers, rules);
    }

    /// Whether the answer has a head alone.
    pub(super) fn is_head_alone(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Asks whether the exchange may go on after its principal or the routes have changed.
    pub(super) fn ask_again(&self) -> impl Future<Output = Verdict> + use<> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        if let Some(host) = &self.host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        let (head, ()) = request.into_parts();
        Rc::clone(&self.gateway).ask_again(self.admission.clone(), head)
    }

    /// The routes may have changed while the request waited for its answer: where that lasts, it is asked
    /// whether it still may.
    pub(super) fn question_if_old(&self) {
        if !self.gateway.is_current() {
            self.exchange.watched.question();
        }
    }

    /// Why the upstream gave no answer, or not the whole of it.
    pub(super) fn note_cause(&mut self, error: &(dyn Error + 'static)) {
        let mut text = with_causes(error);
        // A service over HTTP/2 may say goodbye in as many words as it likes.
        let end = (0..=CAUSE_BYTES.min(text.len())).rfind(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        self.cause = Some(text.into());
    }

    /// Tells why the upstream gave no answer: each time in the access line, and in the log as often as
    /// that may be.
    pub(super) fn log_failure(&mut self, error: &(dyn Error + 'static)) {
        self.note_cause(error);
        let Some(upstream) = self.upstream else {
            return;
        };
        let upstreams = &self.gateway.shared.upstreams;
        let Some(untold) = upstreams.may_tell(upstream) else {
            return;
        };
        tracing::warn!(
            error,
            request_id = self.request_id.as_str(),
            upstream = upstreams.name(upstream),
            untold = (untold > 0).then_some(untold),
            "upstream gave no answer"
        );
    }

    fn write(&self, line: &mut Line<'_>, micros: u64) {
        line.text(field!("request_id"), self.request_id.as_str());
        line.address(field!("client.ip"), self.client);
        line.word(field!("method"), self.method.as_str());
        // The target's counts where it names one, whatever `Host` says (RFC 9112 §3.2.2).
        let by_header = || self.host.as_ref().and_then(|host| host.to_str().ok());
        if let Some(host) = self.target.host().or_else(by_header) {
            line.text(field!("host"), host);
        }
        // The query may hold what is nobody's business.
        line.text(field!("path"), self.target.path());
        line.word(field!("version"), version(self.version));
        line.text(field!("route"), self.gateway.route_name(self.route));
        line.number(field!("status"), u64::from(self.status));
        if let Some(code) = self.code {
            line.word(field!("code"), code.as_str());
        }
        if let Some(end) = self.end {
            line.word(field!("end"), end.as_str());
        }
        if let Some(admission) = &self.admission {
            principal(line, admission);
        }
        self.write_upstream(line);
        line.number(field!("bytes.received"), self.exchange.received_bytes.get());
        line.number(field!("bytes.sent"), self.exchange.sent_bytes.get());
        line.millis(field!("duration_ms"), micros);
        if let Some(agent) = self
            .user_agent
            .as_ref()
            .and_then(|agent| agent.to_str().ok())
        {
            line.text(field!("user_agent"), agent);
        }
    }

    fn write_upstream(&self, line: &mut Line<'_>) {
        let Some(upstream) = self.upstream else {
            return;
        };
        let upstreams = &self.gateway.shared.upstreams;
        line.text(field!("upstream"), upstreams.name(upstream));
        if let Some(server) = self.exchange.server() {
            line.text(field!("server"), &server);
        }
        if let Some(at) = self.exchange.answered_at.get() {
            line.millis(field!("upstream_ms"), micros(at.duration_since(self.began)));
        }
        if let Some(cause) = &self.cause {
            line.text(field!("cause"), cause);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let gateway = &self.gateway;
        let micros = micros(self.began.elapsed());
        // Nothing was answered: the client was gone first. 499 is what nginx logs for it.
        if self.status == 0 {
            self.status = 499;
            self.end = Some(End::Client);
        }
        let route = gateway.counts.get(self.route).map(|route| &**route);
        let outcome = Outcome {
            status: self.status,
            code: self.code.map(Code::index),
            micros,
            received_bytes: self.exchange.received_bytes.get(),
            sent_bytes: self.exchange.sent_bytes.get(),
        };
        gateway.kept.metrics.count(route, &outcome);
        if self.end == Some(End::Cut) {
            gateway.kept.metrics.cut.fetch_add(1, Ordering::Relaxed);
        }
        let at = gateway.shared.clock.now();
        gateway
            .kept
            .access
            .line(at, |line| self.write(line, micros));
    }
}

impl End {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Upstream => "upstream",
            Self::Client => "client",
            Self::Gateway => "gateway",
        }
    }
}

fn principal(line: &mut Line<'_>, admission: &Admission) {
    let principal = admission.principal();
    line.word(field!("principal.id"), admission.identity().user_id());
    line.word(field!("principal.method"), principal.method().as_str());
    if let CredentialId::Key(key) = principal.credential {
        line.plain(field!("key.id"), key);
    }
}

/// The most of a cause that an access line has.
const CAUSE_BYTES: usize = 400;

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
