//! An HTTP/2 client that shows how streams and connections end.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use tokio::task::JoinHandle;

use super::message::{Answer, Call, Fields};
use super::wire::Wire;
use super::within;

/// A connection.
pub struct Http2 {
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request that was begun.
pub struct Stream {
    response: ResponseFuture,
    pub sending: SendStream<Bytes>,
}

/// An answer whose head has come.
pub struct Incoming {
    pub status: u16,
    pub headers: Fields,
    body: RecvStream,
}

impl Http2 {
    pub async fn over(wire: Wire) -> Self {
        // Room for several streams that are not read, each with the usual window.
        let mut builder = h2::client::Builder::new();
        builder.initial_connection_window_size(1 << 20);
        let handshake = builder.handshake(wire.into_io());
        let (sender, connection) = within("the HTTP/2 handshake", handshake).await.unwrap();
        Self {
            sender,
            connection: tokio::spawn(connection),
        }
    }

    /// Sends a request and waits for its answer.
    pub async fn call(&mut self, call: &Call) -> Answer {
        let stream = self.start(call).await;
        stream.answer().await.unwrap()
    }

    /// Sends a request whole.
    pub async fn start(&mut self, call: &Call) -> Stream {
        let mut stream = self.begin(call, call.body.is_empty()).await;
        if !call.body.is_empty() {
            stream.send(call.body.clone(), true).await.unwrap();
        }
        stream
    }

    /// Sends the head of a request; `is_whole` when no body follows.
    pub async fn begin(&mut self, call: &Call, is_whole: bool) -> Stream {
        let uri = format!("https://{}{}", call.host, call.target);
        let mut request = http::Request::builder()
            .method(call.method.as_str())
            .uri(uri);
        for (name, value) in &call.fields {
            request = request.header(name.to_lowercase(), value);
        }
        let request = request.body(()).unwrap();
        let mut sender = within("a stream", self.sender.clone().ready())
            .await
            .unwrap();
        let (response, sending) = sender.send_request(request, is_whole).unwrap();
        Stream { response, sending }
    }

    /// Asks for a stream to be a tunnel of this protocol (RFC 8441).
    pub async fn connect(&mut self, protocol: &'static str, call: &Call) -> Stream {
        let announced = async {
            while !self.sender.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        };
        within("the announcement of extended CONNECT", announced).await;
        let mut request = http::Request::connect(format!("https://{}{}", call.host, call.target));
        for (name, value) in &call.fields {
            request = request.header(name.to_lowercase(), value);
        }
        let protocol = h2::ext::Protocol::from_static(protocol);
        let request = request.extension(protocol).body(()).unwrap();
        let mut sender = within("a stream", self.sender.clone().ready())
            .await
            .unwrap();
        let (response, sending) = sender.send_request(request, false).unwrap();
        Stream { response, sending }
    }

    /// Whether the connection takes another request.
    pub async fn is_open(&mut self) -> bool {
        within("a stream", self.sender.clone().ready())
            .await
            .is_ok()
    }

    /// Waits until the other side has ended the connection.
    pub async fn ended(self) -> Result<(), h2::Error> {
        // While the sender is there this side keeps the connection open.
        let ended = within("the end of the connection", self.connection).await;
        drop(self.sender);
        ended.unwrap()
    }
}

impl Stream {
    /// Sends a piece of the body, as the other side takes it.
    pub async fn send(&mut self, mut piece: Bytes, is_last: bool) -> Result<(), h2::Error> {
        loop {
            self.sending.reserve_capacity(piece.len());
            let room = poll_fn(|cx| self.sending.poll_capacity(cx));
            let Some(room) = within("room for the body", room).await else {
                return Err(Reason::CANCEL.into());
            };
            let now = piece.split_to(room?.min(piece.len()));
            let is_end = is_last && piece.is_empty();
            self.sending.send_data(now, is_end)?;
            if piece.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits for the status of an interim answer.
    pub async fn interim(&mut self) -> u16 {
        let interim = poll_fn(|cx| self.response.poll_informational(cx));
        let interim = within("an interim answer", interim).await;
        interim.unwrap().unwrap().status().as_u16()
    }

    /// Waits for the head of the answer.
    pub async fn head(self) -> Result<Incoming, h2::Error> {
        Ok(self.both().await?.0)
    }

    /// Waits for the head of the answer, and goes on sending.
    pub async fn both(self) -> Result<(Incoming, SendStream<Bytes>), h2::Error> {
        let (head, body) = within("the answer", self.response).await?.into_parts();
        let incoming = Incoming {
            status: head.status.as_u16(),
            headers: fields(&head.headers),
            body,
        };
        Ok((incoming, self.sending))
    }

    /// Waits for the whole answer.
    pub async fn answer(self) -> Result<Answer, h2::Error> {
        let mut incoming = self.head().await?;
        let mut body = BytesMut::new();
        while let Some(piece) = incoming.piece().await {
            body.extend(piece?);
        }
        let trailers = within("the trailers", incoming.body.trailers()).await?;
        Ok(Answer {
            status: incoming.status,
            headers: incoming.headers,
            body: body.freeze(),
            trailers: trailers.as_ref().map(fields).unwrap_or_default(),
        })
    }
}

impl Incoming {
    /// The next piece of the body.
    pub async fn piece(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let piece = within("more of the body", self.body.data()).await?;
        if let Ok(piece) = &piece {
            // Fails when the stream was reset meanwhile; the next piece tells.
            let _ = self.body.flow_control().release_capacity(piece.len());
        }
        Some(piece)
    }

    /// So many bytes of the body.
    pub async fn exactly(&mut self, length: usize) -> Bytes {
        let mut bytes = BytesMut::new();
        while bytes.len() < length {
            bytes.extend(self.piece().await.unwrap().unwrap());
        }
        assert_eq!(bytes.len(), length);
        bytes.freeze()
    }

    /// Why the stream was broken off; fails when it ends well.
    pub async fn broken_off(&mut self) -> Reason {
        loop {
            match self.piece().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    assert!(error.is_remote() && error.is_reset(), "{error}");
                    return error.reason().unwrap();
                }
                None => panic!("the answer looks whole"),
            }
        }
    }
}

/// Headers as tests have them.
pub fn fields(headers: &HeaderMap) -> Fields {
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    };
    Fields(headers.iter().map(field).collect())
}
