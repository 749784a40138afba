//! A service that speaks HTTP/2, each of whose steps the test decides.

use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::http2::fields;
use super::message::Request;
use super::within;

/// A service. It takes a connection when the test accepts one.
pub struct Http2Service {
    pub address: SocketAddr,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    builder: Builder,
}

/// A connection to it.
pub struct Http2Upstream {
    calls: mpsc::UnboundedReceiver<Http2Call>,
    orders: mpsc::UnboundedSender<Order>,
    driver: JoinHandle<()>,
}

/// A request that came.
pub struct Http2Call {
    pub head: http::request::Parts,
    pub body: RecvStream,
    respond: SendResponse<Bytes>,
}

/// An answer that has begun.
pub struct Http2Answer {
    pub sending: SendStream<Bytes>,
}

enum Order {
    Graceful,
    Abrupt(Reason),
}

impl Http2Service {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener,
            tls: None,
            builder: Builder::new(),
        }
    }

    /// Speaks TLS.
    pub fn tls(mut self, acceptor: TlsAcceptor) -> Self {
        self.tls = Some(acceptor);
        self
    }

    /// Takes so many requests at once over a connection.
    pub fn max_streams(mut self, max: u32) -> Self {
        self.builder.max_concurrent_streams(max);
        self
    }

    /// Takes heads of so many bytes, as HTTP/2 counts them.
    pub fn max_head(mut self, max: u32) -> Self {
        self.builder.max_header_list_size(max);
        self
    }

    /// The next connection.
    pub async fn accept(&self) -> Http2Upstream {
        let accepted = within("a connection to the service", self.listener.accept()).await;
        let stream = accepted.unwrap().0;
        stream.set_nodelay(true).unwrap();
        match &self.tls {
            None => self.serve(stream).await,
            Some(acceptor) => {
                let tls = within("its handshake", acceptor.accept(stream)).await;
                self.serve(tls.unwrap()).await
            }
        }
    }

    /// Whether nobody waits for a connection.
    pub async fn is_quiet(&self) -> bool {
        let mut accept = Box::pin(self.listener.accept());
        poll_fn(|cx| std::task::Poll::Ready(accept.as_mut().poll(cx).is_pending())).await
    }

    /// Answers by itself: every request over every connection as `answers` says.
    pub fn answering(
        self,
        answers: impl Fn(&Request) -> Response<Bytes> + Send + Sync + 'static,
    ) -> mpsc::UnboundedReceiver<Request> {
        let (told, requests) = mpsc::unbounded_channel();
        let answers = std::sync::Arc::new(answers);
        tokio::spawn(async move {
            // Ends with the test.
            while let Ok((stream, _)) = self.listener.accept().await {
                let mut upstream = self.serve(stream).await;
                let (told, answers) = (told.clone(), std::sync::Arc::clone(&answers));
                tokio::spawn(async move {
                    while let Some(mut call) = upstream.calls.recv().await {
                        let request = call.whole().await;
                        let answer = answers(&request);
                        let _ = told.send(request);
                        call.answer(answer);
                    }
                });
            }
        });
        requests
    }

    async fn serve<Io>(&self, io: Io) -> Http2Upstream
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = within("HTTP/2", self.builder.handshake(io)).await.unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        let (orders, taken) = mpsc::unbounded_channel();
        let driver = tokio::spawn(drive(connection, told, taken));
        Http2Upstream {
            calls,
            orders,
            driver,
        }
    }
}

async fn drive<Io>(
    mut connection: Connection<Io, Bytes>,
    told: mpsc::UnboundedSender<Http2Call>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            Some(order) = orders.recv() => match order {
                Order::Graceful => connection.graceful_shutdown(),
                Order::Abrupt(reason) => connection.abrupt_shutdown(reason),
            },
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else {
                    return;
                };
                let (head, body) = request.into_parts();
                // The test may be over.
                let _ = told.send(Http2Call { head, body, respond });
            }
        }
    }
}

impl Http2Upstream {
    /// The next request.
    pub async fn next(&mut self) -> Http2Call {
        within("a request at the service", self.calls.recv())
            .await
            .unwrap()
    }

    /// Takes no more requests, and finishes those that it has.
    pub fn say_goodbye(&self) {
        self.orders.send(Order::Graceful).unwrap();
    }

    /// Gives up what it has.
    pub fn give_up(&self, reason: Reason) {
        self.orders.send(Order::Abrupt(reason)).unwrap();
    }

    /// Waits until the connection has ended.
    pub async fn ended(mut self) {
        within("the end of the connection", &mut self.driver)
            .await
            .unwrap();
    }

    /// Whether every request was taken.
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Http2Call {
    /// Reads it to its end.
    pub async fn whole(&mut self) -> Request {
        let mut body = BytesMut::new();
        while let Some(piece) = self.piece().await {
            body.extend(piece.unwrap());
        }
        let trailers = within("the trailers", self.body.trailers()).await.unwrap();
        let authority = self.head.uri.authority().unwrap().as_str();
        let mut headers = fields(&self.head.headers);
        headers.0.push(("host".to_owned(), authority.to_owned()));
        Request {
            method: self.head.method.to_string(),
            target: self.head.uri.path_and_query().unwrap().to_string(),
            headers,
            body: body.freeze(),
            trailers: trailers.as_ref().map(fields).unwrap_or_default(),
        }
    }

    /// The next piece of its body.
    pub async fn piece(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let piece = within("more of the body", self.body.data()).await?;
        if let Ok(piece) = &piece {
            let _ = self.body.flow_control().release_capacity(piece.len());
        }
        Some(piece)
    }

    /// Sends an interim answer.
    pub fn interim(&mut self, status: u16) {
        let interim = Response::builder().status(status).body(()).unwrap();
        self.respond.send_informational(interim).unwrap();
    }

    /// Answers whole.
    pub fn answer(mut self, answer: Response<Bytes>) {
        let (head, body) = answer.into_parts();
        let head = Response::from_parts(head, ());
        let Ok(mut sending) = self.respond.send_response(head, body.is_empty()) else {
            return;
        };
        if !body.is_empty() {
            let _ = sending.send_data(body, true);
        }
    }

    /// Begins an answer.
    pub fn begin(&mut self, answer: Response<()>) -> Http2Answer {
        let sending = self.respond.send_response(answer, false).unwrap();
        Http2Answer { sending }
    }

    /// Resets it.
    pub fn reset(&mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Waits until the gateway has reset it, and why.
    pub async fn was_reset(&mut self) -> Reason {
        let reset = poll_fn(|cx| self.respond.poll_reset(cx));
        within("the reset", reset).await.unwrap()
    }
}

impl Http2Answer {
    pub fn send(&mut self, piece: impl Into<Bytes>) {
        self.sending.send_data(piece.into(), false).unwrap();
    }

    pub fn finish(&mut self, piece: impl Into<Bytes>) {
        self.sending.send_data(piece.into(), true).unwrap();
    }

    pub fn trailers(&mut self, trailers: &[(&'static str, &'static str)]) {
        let trailers = trailers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let trailers: HeaderMap = trailers.collect();
        self.sending.send_trailers(trailers).unwrap();
    }

    /// Waits until the gateway has reset it, and why.
    pub async fn was_reset(&mut self) -> Reason {
        let reset = poll_fn(|cx| self.sending.poll_reset(cx));
        within("the reset", reset).await.unwrap()
    }
}

/// A head of an answer.
pub fn head(status: u16, fields: &[(&str, &str)]) -> Response<()> {
    let mut answer = Response::builder().status(status);
    for (name, value) in fields {
        answer = answer.header(*name, *value);
    }
    answer.body(()).unwrap()
}

/// A plain 200.
pub fn ok(body: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(body.into())
}
