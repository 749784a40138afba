//! A service that keeps every byte it gets, and reads them as strictly as RFC 9112 allows.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::message::Fields;
use crate::support::within;

/// Answers each request with its own body, takes each WebSocket, and keeps what it got.
pub struct Recorder {
    pub address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    connections: Arc<tokio::sync::Mutex<JoinSet<()>>>,
    accepting: tokio::task::JoinHandle<()>,
}

/// Everything that came.
#[derive(Default, Clone)]
pub struct Kept {
    pub messages: Vec<Message>,
    /// What a strict reader refuses: two readers may see two different requests there.
    pub faults: Vec<String>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Message {
    pub raw: Vec<u8>,
    pub target: String,
    pub fields: Fields,
    pub body: Vec<u8>,
    /// Whether it came to its end.
    pub is_whole: bool,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::<Mutex<Kept>>::default();
        let connections = Arc::<tokio::sync::Mutex<JoinSet<()>>>::default();
        let (keep, hold) = (Arc::clone(&kept), Arc::clone(&connections));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut connections = hold.lock().await;
                connections.spawn(serve(stream, Arc::clone(&keep)));
            }
        });
        Self {
            address,
            kept,
            connections,
            accepting,
        }
    }

    /// Everything that came, once the gateway has ended and with it every connection to here.
    pub async fn all(&self) -> Kept {
        let mut connections = self.connections.lock().await;
        let ended = async { while connections.join_next().await.is_some() {} };
        within("the gateway's connections to end", ended).await;
        self.kept.lock().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Kept {
    /// The messages in which `text` stands, anywhere.
    pub fn about<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Message> {
        self.messages
            .iter()
            .filter(move |message| message.has(text))
    }
}

impl Message {
    /// Whether `text` stands anywhere in it, in any case.
    pub fn has(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let mut windows = self.raw.windows(text.len());
        windows.any(|window| window.eq_ignore_ascii_case(text))
    }

    /// The message as text, to be shown.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw)
            .escape_debug()
            .to_string()
    }
}

async fn serve(mut stream: TcpStream, kept: Arc<Mutex<Kept>>) {
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes) {
            Ok(Some(message)) => {
                bytes.drain(..message.raw.len());
                let is_websocket = message.fields.has("upgrade");
                let answer = if is_websocket {
                    SWITCH.to_vec()
                } else {
                    echo(&message)
                };
                kept.lock().messages.push(message);
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
                if is_websocket {
                    return tunnel(stream, &kept).await;
                }
            }
            Ok(None) => match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                _ => {
                    if !bytes.is_empty() {
                        kept.lock().messages.push(partial(bytes));
                    }
                    return;
                }
            },
            Err(fault) => {
                let text = String::from_utf8_lossy(&bytes).escape_debug().to_string();
                kept.lock().faults.push(format!("{fault}: {text}"));
                kept.lock().messages.push(partial(bytes));
                return;
            }
        }
    }
}

/// What comes once protocols were switched is kept as one message that never ends.
async fn tunnel(mut stream: TcpStream, kept: &Mutex<Kept>) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {}
    if !bytes.is_empty() {
        kept.lock().messages.push(partial(bytes));
    }
}

/// To the key that the tests' clients send.
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn echo(message: &Message) -> Vec<u8> {
    let length = message.body.len();
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    // The answer to HEAD ends with its head.
    if !message.raw.starts_with(b"HEAD ") {
        answer.extend(&message.body);
    }
    answer
}

fn partial(raw: Vec<u8>) -> Message {
    let line = raw.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    Message {
        target: line.split(' ').nth(1).unwrap_or_default().to_owned(),
        raw,
        fields: Fields::default(),
        body: Vec::new(),
        is_whole: false,
    }
}

type Parsed<T> = Result<Option<T>, String>;

/// One whole request at the start of `bytes`, if it is there.
fn parse(bytes: &[u8]) -> Parsed<Message> {
    let Some((fields, head)) = fields(bytes, true)? else {
        return Ok(None);
    };
    let line = String::from_utf8_lossy(&bytes[..find(bytes, b"\r\n").unwrap_or(0)]).into_owned();
    let words: Vec<_> = line.split(' ').collect();
    let [_, target, "HTTP/1.1"] = words[..] else {
        return Err(format!("request line {line:?}"));
    };
    if fields.all("host").len() != 1 {
        return Err("not one Host".to_owned());
    }
    let rest = &bytes[head..];
    let lengths = fields.all("content-length");
    let codings = fields.all("transfer-encoding");
    let (body, taken) = match (&lengths[..], &codings[..]) {
        ([], []) => (Vec::new(), 0),
        ([length], []) => {
            let is_plain = length.bytes().all(|byte| byte.is_ascii_digit());
            let length: usize = length.parse().map_err(|_| format!("length {length:?}"))?;
            if !is_plain {
                return Err("length with a sign".to_owned());
            }
            if rest.len() < length {
                return Ok(None);
            }
            (rest[..length].to_vec(), length)
        }
        ([], ["chunked"]) => match chunked(rest)? {
            Some(body) => body,
            None => return Ok(None),
        },
        _ => return Err(format!("framing {lengths:?} {codings:?}")),
    };
    Ok(Some(Message {
        raw: bytes[..head + taken].to_vec(),
        target: target.to_owned(),
        fields,
        body,
        is_whole: true,
    }))
}

/// Fields up to an empty line, and how many bytes they have.
fn fields(bytes: &[u8], has_start_line: bool) -> Parsed<(Fields, usize)> {
    let mut fields = Fields::default();
    let mut at = 0;
    loop {
        let Some(length) = find(&bytes[at..], b"\r\n") else {
            return if bytes[at..].contains(&b'\n') {
                Err("a bare line feed".to_owned())
            } else {
                Ok(None)
            };
        };
        let line = &bytes[at..at + length];
        let is_start_line = at == 0 && has_start_line;
        at += length + 2;
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err("a control character".to_owned());
        }
        if line.is_empty() && !is_start_line {
            return Ok(Some((fields, at)));
        }
        if is_start_line {
            continue;
        }
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').ok_or("a line without colon")?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(format!("the name {name:?}"));
        }
        fields.0.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A chunked body, and how many bytes it and its trailers have.
fn chunked(bytes: &[u8]) -> Parsed<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(length) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("the chunk's size {size:?}"));
        }
        let size = usize::from_str_radix(&size, 16).map_err(|_| "a chunk's size".to_owned())?;
        at += length + 2;
        if size == 0 {
            let trailers = fields(&bytes[at..], false)?;
            return Ok(trailers.map(|(_, length)| (body, at + length)));
        }
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        body.extend(&bytes[at..at + size]);
        at += size + 2;
        if bytes[at - 2..at] != *b"\r\n" {
            return Err("a chunk that does not end".to_owned());
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
