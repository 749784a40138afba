//! HTTP/2 frame by frame, for what no library would send.

use std::fmt;

use rustls::ALL_VERSIONS;
use serde_json::Value;

use crate::support::wire::Wire;
use crate::support::world::World;

/// A connection of a client that breaks rules.
pub struct Frames {
    wire: Wire,
}

/// What became of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An answer; the code when it is a problem document, else empty.
    Answer(u16, String),
    /// The stream was reset, with this code.
    Reset(u32),
    /// The whole connection was ended, with the code of its goodbye if there was one.
    Gone(Option<u32>),
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
/// Both: a request without body.
pub const WHOLE: u8 = END_STREAM | END_HEADERS;

impl Frames {
    /// Connects, and says the client's part of the preface.
    pub async fn open(world: &World) -> Self {
        let tls = world.tls(&[b"h2"], ALL_VERSIONS).await;
        let mut wire = Wire::of_tls(tls);
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        wire.send(frame(SETTINGS, 0, 0, &[])).await;
        Self { wire }
    }

    /// Sends bytes as they are; the gateway may have gone.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.wire.try_send(bytes).await;
    }

    /// Waits for what becomes of a stream.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        self.read_to(stream, false).await
    }

    /// Waits for the end of a stream, where an answer that has begun may be broken off.
    pub async fn end_of(&mut self, stream: u32) -> Outcome {
        self.read_to(stream, true).await
    }

    async fn read_to(&mut self, stream: u32, may_break_off: bool) -> Outcome {
        let mut status = 0;
        let mut body = Vec::new();
        let mut goodbye = None;
        loop {
            let Ok(head) = self.wire.exactly(9).await else {
                return Outcome::Gone(goodbye);
            };
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let (kind, flags) = (head[3], head[4]);
            let of = u32::from_be_bytes(head[5..9].try_into().unwrap()) & 0x7fff_ffff;
            let Ok(payload) = self.wire.exactly(length.try_into().unwrap()).await else {
                return Outcome::Gone(goodbye);
            };
            match kind {
                GOAWAY => goodbye = Some(number(&payload[4..8])),
                SETTINGS if flags & 1 == 0 => self.send(frame(SETTINGS, 1, 0, &[])).await,
                RST_STREAM if of == stream && (may_break_off || status == 0) => {
                    return Outcome::Reset(number(&payload));
                }
                HEADERS if of == stream && status == 0 => {
                    status = read_status(&payload);
                    // An interim answer is not the answer.
                    if status < 200 {
                        status = 0;
                    }
                }
                DATA if of == stream => body.extend_from_slice(&payload),
                _ => {}
            }
            let is_end = of == stream && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
            if is_end && status != 0 {
                let problem = serde_json::from_slice::<Value>(&body).unwrap_or_default();
                let code = problem["code"].as_str().unwrap_or_default();
                return Outcome::Answer(status, code.to_owned());
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(status, code) => write!(f, "answered {status} {code}"),
            Self::Reset(code) => write!(f, "the stream was reset with {code}"),
            Self::Gone(code) => write!(f, "the connection was ended with {code:?}"),
        }
    }
}

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A request's head without body on stream 1.
pub fn request(fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, &block(fields))
}

/// A block as the head of a message without a body, on stream 1, in as many frames as it needs.
pub fn head(block: &[u8]) -> Vec<u8> {
    let pieces: Vec<_> = block.chunks(16_384).collect();
    let pieces = pieces.iter().enumerate().map(|(at, piece)| {
        let last = if at + 1 == pieces.len() {
            END_HEADERS
        } else {
            0
        };
        match at {
            0 => frame(HEADERS, END_STREAM | last, 1, piece),
            _ => frame(CONTINUATION, last, 1, piece),
        }
    });
    pieces.flatten().collect()
}

/// Fields as they are, nothing compressed and nothing remembered (RFC 7541 §6.2.2).
pub fn block(fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            push_length(&mut block, text.len());
            block.extend(text);
        }
    }
    block
}

/// A number with a prefix of seven bits (RFC 7541 §5.1).
fn push_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

/// The status at the start of a block: indexed, or three digits in Huffman's code.
fn read_status(block: &[u8]) -> u16 {
    match block[0] {
        0x88 => 200,
        0x89 => 204,
        0x8a => 206,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        0x48 | 0x08 | 0x18 => read_digits(&block[1..]),
        other => panic!("a block begins with {other:#x}"),
    }
}

fn read_digits(text: &[u8]) -> u16 {
    let length = usize::from(text[0] & 0x7f);
    let bytes = &text[1..=length];
    if text[0] & 0x80 == 0 {
        return std::str::from_utf8(bytes).unwrap().parse().unwrap();
    }
    let mut bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut status = 0;
    for _ in 0..3 {
        let mut take = |count: u32| (0..count).fold(0, |code, _| code << 1 | bits.next().unwrap());
        // RFC 7541, Appendix B: 0, 1 and 2 have five bits, the others six.
        let code = take(5);
        let digit = if code < 3 {
            code
        } else {
            (code << 1 | take(1)) - 0b1_1001 + 3
        };
        status = status * 10 + digit;
    }
    status
}
