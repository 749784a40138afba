use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;
use tokio::time::{Interval, interval};

/// What the demo's echo service answers with.
type EchoBody = Either<Full<Bytes>, Events>;

/// Starts the service behind the demo's gateway, on a free port of this machine. It answers what it was
/// asked, and at `/events` sends an event a second without end. It runs as long as the program.
pub(super) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name("echo".to_owned());
    thread.spawn(move || runtime.block_on(serve(listener)))?;
    Ok(address)
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: the next moment may have some.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection);
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

async fn answer(request: Request<Incoming>) -> Result<Response<EchoBody>, hyper::Error> {
    if request.uri().path() == "/events" {
        return Ok(with_type("text/event-stream", Either::Right(Events::new())));
    }
    let (head, mut body) = request.into_parts();
    let mut body_bytes = 0;
    while let Some(frame) = body.frame().await {
        body_bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    let echo = json!({
        "service": "echo",
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "headers": headers(&head.headers),
        "body_bytes": body_bytes,
    });
    let text = format!("{echo:#}\n");
    Ok(with_type("application/json", Either::Left(text.into())))
}

fn with_type(content_type: &'static str, body: EchoBody) -> Response<EchoBody> {
    let mut response = Response::new(body);
    let content_type = header::HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Several of a name stand in one text, as they may in HTTP.
fn headers(headers: &HeaderMap) -> Value {
    let names = headers.keys();
    let fields = names.map(|name| {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (name.to_string(), values.join(", ").into())
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

/// An event a second, the first at once.
struct Events {
    interval: Interval,
    count: u64,
}

impl Events {
    fn new() -> Self {
        Self {
            interval: interval(BETWEEN_EVENTS),
            count: 0,
        }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.interval.poll_tick(cx));
        self.count += 1;
        let event = format!("data: event {}\n\n", self.count);
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}
