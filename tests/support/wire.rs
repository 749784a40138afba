//! One end of a connection that speaks HTTP/1.1, byte by byte where a test wants it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::message::{Answer, Call, Fields, Request};
use super::within;

/// Who takes nothing for so long is stalled. A slow machine makes the tests weaker, not fail.
const STUCK: Duration = Duration::from_secs(1);

/// A connection of a client or of an upstream.
pub struct Wire {
    io: Box<dyn Io>,
    received: BytesMut,
    clean_end: End,
}

/// How the other side ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// TLS said that nothing more comes.
    CloseNotify,
    /// TCP said so, and over TLS nothing else did.
    Fin,
    /// It was reset.
    Reset,
}

/// The first line of a message and its fields.
#[derive(Debug, Clone)]
pub struct Head {
    pub line: String,
    pub headers: Fields,
}

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How far a body reaches.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Nothing,
    Length(usize),
    Chunked,
    ToTheEnd,
}

impl Wire {
    pub async fn plain(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        Self::of_plain(stream.unwrap())
    }

    pub fn of_plain(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self::new(stream, End::Fin)
    }

    pub fn of_unix(stream: UnixStream) -> Self {
        Self::new(stream, End::Fin)
    }

    pub fn of_tls(stream: impl Io + 'static) -> Self {
        Self::new(stream, End::CloseNotify)
    }

    fn new(io: impl Io + 'static, clean_end: End) -> Self {
        Self {
            io: Box::new(io),
            received: BytesMut::new(),
            clean_end,
        }
    }

    /// The bare connection; nothing may have been read from it.
    pub fn into_io(self) -> Box<dyn Io> {
        assert!(self.received.is_empty());
        self.io
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    /// As [`Self::send`], where the other side may have gone.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sent = async {
            self.io.write_all(bytes.as_ref()).await?;
            self.io.flush().await
        };
        within("the other side to take bytes", sent).await
    }

    /// Sends until the other side takes no more; answers how many bytes went at least.
    pub async fn flood(&mut self) -> usize {
        let piece = vec![7; 65_536];
        let mut sent = 0;
        while let Ok(taken) = tokio::time::timeout(STUCK, self.try_send(&piece)).await {
            taken.unwrap();
            sent += piece.len();
        }
        sent
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        // The other side may be gone already.
        let _ = within("the end of sending", self.io.shutdown()).await;
    }

    /// Sends a request and waits for its answer.
    pub async fn call(&mut self, call: &Call) -> Answer {
        self.send(call.bytes()).await;
        self.answer(&call.method).await
    }

    /// The next answer, to a request of this method.
    pub async fn answer(&mut self, method: &str) -> Answer {
        let answer = self.try_answer(method).await;
        answer.unwrap_or_else(|end| panic!("the connection ended before the answer: {end:?}"))
    }

    pub async fn try_answer(&mut self, method: &str) -> Result<Answer, End> {
        let head = self.try_head().await?;
        let status = head.status();
        let framing = match head.framing() {
            _ if method == "HEAD" || status < 200 || matches!(status, 204 | 304) => {
                Framing::Nothing
            }
            Framing::Nothing => Framing::ToTheEnd,
            framing => framing,
        };
        let (body, trailers) = self.body(framing).await?;
        Ok(Answer {
            status,
            headers: head.headers,
            body,
            trailers,
        })
    }

    /// The next request.
    pub async fn request(&mut self) -> Request {
        let request = self.try_request().await;
        request.unwrap_or_else(|end| panic!("the connection ended before the request: {end:?}"))
    }

    pub async fn try_request(&mut self) -> Result<Request, End> {
        let head = self.try_head().await?;
        let (body, trailers) = self.body(head.framing()).await?;
        let mut words = head.line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(words.next(), Some("HTTP/1.1"));
        Ok(Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: head.headers,
            body,
            trailers,
        })
    }

    /// The next head; its body is left to be read.
    pub async fn head(&mut self) -> Head {
        let head = self.try_head().await;
        head.unwrap_or_else(|end| panic!("the connection ended before the head: {end:?}"))
    }

    pub async fn try_head(&mut self) -> Result<Head, End> {
        let line = self.line().await?;
        let headers = self.fields().await?;
        Ok(Head { line, headers })
    }

    /// Exactly so many bytes.
    pub async fn exactly(&mut self, count: usize) -> Result<Bytes, End> {
        while self.received.len() < count {
            self.fill().await?;
        }
        Ok(self.received.split_to(count).freeze())
    }

    /// One chunk of a chunked body; empty at its end.
    pub async fn chunk(&mut self) -> Result<Bytes, End> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).unwrap();
        if size == 0 {
            return Ok(Bytes::new());
        }
        let chunk = self.exactly(size).await?;
        assert_eq!(self.exactly(2).await?, "\r\n");
        Ok(chunk)
    }

    /// Everything until the connection ends, and how it does.
    pub async fn rest(&mut self) -> (Bytes, End) {
        loop {
            if let Err(end) = self.fill().await {
                return (self.received.split().freeze(), end);
            }
        }
    }

    /// Waits without deadline for the next message; whether there is none.
    pub async fn is_over(&mut self) -> bool {
        self.received.is_empty() && !matches!(self.io.read_buf(&mut self.received).await, Ok(1..))
    }

    async fn body(&mut self, framing: Framing) -> Result<(Bytes, Fields), End> {
        let body = match framing {
            Framing::Nothing => Bytes::new(),
            Framing::Length(length) => self.exactly(length).await?,
            Framing::ToTheEnd => match self.rest().await {
                (_, End::Reset) => return Err(End::Reset),
                (body, _) => body,
            },
            Framing::Chunked => {
                let mut body = BytesMut::new();
                loop {
                    let chunk = self.chunk().await?;
                    if chunk.is_empty() {
                        return Ok((body.freeze(), self.fields().await?));
                    }
                    body.extend(chunk);
                }
            }
        };
        Ok((body, Fields::default()))
    }

    /// Fields up to an empty line.
    async fn fields(&mut self) -> Result<Fields, End> {
        let mut fields = Fields::default();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').unwrap();
            fields.0.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    async fn line(&mut self) -> Result<String, End> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.received[seen..].iter().position(|&byte| byte == b'\n') {
                let line = self.received.split_to(seen + at + 1);
                let line = line.strip_suffix(b"\r\n").unwrap();
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            seen = self.received.len();
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        let read = within("more bytes", self.io.read_buf(&mut self.received)).await;
        match read {
            Ok(0) => Err(self.clean_end),
            Ok(_) => Ok(()),
            Err(error) => Err(End::of(&error)),
        }
    }
}

impl Head {
    /// The status of an answer.
    pub fn status(&self) -> u16 {
        let (version, rest) = self.line.split_once(' ').unwrap();
        assert_eq!(version, "HTTP/1.1", "{}", self.line);
        rest[..3].parse().unwrap()
    }

    fn framing(&self) -> Framing {
        if let Some(coding) = self.headers.get("transfer-encoding") {
            assert_eq!(coding, "chunked");
            return Framing::Chunked;
        }
        match self.headers.get("content-length") {
            Some(length) => Framing::Length(length.parse().unwrap()),
            None => Framing::Nothing,
        }
    }
}

impl End {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Fin,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            _ => panic!("the connection broke: {error}"),
        }
    }
}
