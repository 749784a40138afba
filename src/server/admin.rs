use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::shutdown::{Drain, Stage};
use crate::domain::UserId;
use crate::store::Store;
use crate::telemetry::Metrics;

/// What `[admin] listen` answers: `/livez`, `/readyz` and `/metrics`, for operators and their tools.
pub struct Admin {
    /// How far the node is on its way out.
    pub drain: Drain,
    /// What is measured.
    pub metrics: Metrics,
    /// Without which the node is not ready.
    pub store: Arc<dyn Store>,
    /// Any other reason why it is not.
    pub not_ready: NotReady,
}

/// Asked at each `/readyz`: why the node must not be sent requests, if there is a reason.
pub type NotReady = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// What a scraper may take for a head, or between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// After an error that accepting again at once would only repeat.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers on the admin listener for as long as the node runs.
///
/// # Errors
///
/// When the listener cannot be used at all.
pub async fn serve_admin(listener: TcpListener, admin: Arc<Admin>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        let service = service_fn(move |request| {
            let admin = Arc::clone(&admin);
            async move { Ok::<_, Infallible>(admin.answer(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(tcp), service);
        tokio::spawn(connection);
    }
}

impl Admin {
    async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
            let allow = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(header::ALLOW, allow);
            return answer;
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "alive\n".into()),
            "/readyz" => self.ready().await,
            "/metrics" => self.metrics(),
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /livez, /readyz and /metrics\n".into(),
            ),
        }
    }

    /// Why the node must not be sent requests, if there is a reason.
    pub async fn not_ready(&self) -> Option<String> {
        if self.drain.stage() > Stage::Serving {
            return Some("shutting down".to_owned());
        }
        // Any question will do; nobody has this id.
        if let Err(error) = self.store.user(UserId::from_bytes([0; 16])).await {
            return Some(error.to_string());
        }
        (self.not_ready)()
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        match self.not_ready().await {
            None => text(StatusCode::OK, "ready\n".into()),
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.render() {
            Ok(metrics) => {
                let mut answer = text(StatusCode::OK, metrics);
                answer
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, OPENMETRICS);
                answer
            }
            Err(fmt::Error) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "metrics cannot be written\n".into(),
            ),
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    answer
}
