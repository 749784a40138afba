use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{HeaderMap, HeaderValue};

/// What an upstream must answer to the key of a WebSocket (RFC 6455 §4.2.2), where the gateway has made
/// that key: clients over HTTP/2 have none, and so cannot check the answer (RFC 8441 §5).
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

impl Handshake {
    /// Puts a new key in the place of whatever the client has sent. Nothing when the system gives no
    /// random bytes.
    pub(super) fn begin(headers: &mut HeaderMap) -> Option<Self> {
        let mut nonce = [0; 16];
        rand::fill(&mut nonce).ok()?;
        let key = BASE64_STANDARD.encode(nonce);
        let handshake = Self::of(&key)?;
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::try_from(key).ok()?);
        Some(handshake)
    }

    /// Whether this is the answer to the key.
    pub(super) fn is_answered_by(&self, headers: &HeaderMap) -> bool {
        headers.get(SEC_WEBSOCKET_ACCEPT) == Some(&self.accept)
    }

    fn of(key: &str) -> Option<Self> {
        let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        digest.update(key.as_bytes());
        digest.update(GUID);
        let accept = BASE64_STANDARD.encode(digest.finish());
        let accept = HeaderValue::try_from(accept).ok()?;
        Some(Self { accept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_the_key_is_one() {
        // The example of RFC 6455 §1.3.
        let handshake = Handshake::of("dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        let mut headers = HeaderMap::new();
        assert!(!handshake.is_answered_by(&headers));
        let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        assert!(handshake.is_answered_by(&headers));

        let mut request = HeaderMap::new();
        request.append(SEC_WEBSOCKET_KEY, HeaderValue::from_static("theirs"));
        let other = Handshake::begin(&mut request).unwrap();
        assert!(!other.is_answered_by(&headers));
        assert_eq!(request.get_all(SEC_WEBSOCKET_KEY).iter().count(), 1);
        assert_ne!(request[SEC_WEBSOCKET_KEY], "theirs");
    }
}
