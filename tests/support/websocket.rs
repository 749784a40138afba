//! WebSocket frames (RFC 6455 §5.2), as both ends write and read them.

use bytes::Bytes;

use super::message::Call;
use super::wire::{End, Head, Wire};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Bytes,
}

/// The key that clients send here. That an upstream gets it as it is proves the handshake theirs.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request that asks for a WebSocket.
pub fn upgrade(target: &str) -> Call {
    Call::get(target)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

impl Wire {
    /// Takes an upgrade as an upstream does, with more headers of the answer; gives the request's head.
    pub async fn accept_websocket(&mut self, headers: &str) -> Head {
        let head = self.head().await;
        assert_eq!(head.headers.get("sec-websocket-key"), Some(KEY));
        self.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n{headers}\r\n"
        ))
        .await;
        head
    }

    /// Waits as a client until the WebSocket is there.
    pub async fn upgraded(&mut self) -> Head {
        let head = self.head().await;
        assert_eq!(head.status(), 101, "{head:?}");
        assert_eq!(head.headers.get("sec-websocket-accept"), Some(ACCEPT));
        let upgrade = head.headers.get("upgrade").unwrap();
        assert!(upgrade.eq_ignore_ascii_case("websocket"));
        head
    }

    /// Sends a frame as a client, masked.
    pub async fn send_masked(&mut self, opcode: u8, payload: &[u8]) {
        const MASK: [u8; 4] = [7, 11, 13, 17];
        let mut frame = header(opcode, payload.len(), true);
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
        self.send(frame).await;
    }

    /// Sends a frame as a server.
    pub async fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.send(frame(opcode, payload)).await;
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Result<Frame, End> {
        let start = self.exactly(2).await?;
        assert_eq!(start[0] & 0xf0, 0x80, "a last frame without extensions");
        let length = match start[1] & 0x7f {
            126 => {
                let bytes = self.exactly(2).await?;
                usize::from(u16::from_be_bytes(bytes[..].try_into().unwrap()))
            }
            127 => {
                let bytes = self.exactly(8).await?;
                u64::from_be_bytes(bytes[..].try_into().unwrap())
                    .try_into()
                    .unwrap()
            }
            short => usize::from(short),
        };
        let is_masked = start[1] & 0x80 != 0;
        let mask = self.exactly(if is_masked { 4 } else { 0 }).await?;
        let payload = self.exactly(length).await?;
        let payload = if is_masked {
            let bytes = payload.iter().zip(mask.iter().cycle());
            bytes.map(|(a, b)| a ^ b).collect()
        } else {
            payload
        };
        Ok(Frame {
            opcode: start[0] & 0x0f,
            payload,
        })
    }
}

/// A frame as a server writes it.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(opcode, payload.len(), false);
    frame.extend(payload);
    frame
}

fn header(opcode: u8, length: usize, is_masked: bool) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut header = vec![0x80 | opcode];
    match length {
        0..=125 => header.push(mask | u8::try_from(length).unwrap()),
        126..=65535 => {
            header.push(mask | 126);
            header.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    header
}
