//! The request's name in everybody's logs.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::Client;
use super::header::X_REQUEST_ID;

/// The request's name in everybody's logs: the header `X-Request-Id`, the field `request_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    const MAX_BYTES: usize = 128;

    /// A new id: a random UUID.
    ///
    /// It is unique, and needs no system call and nothing that workers share: each thread counts, and
    /// writes the count through a keyed hash.
    #[must_use]
    pub fn new() -> Self {
        let (high, low) = SOURCE.with(|source| {
            let count = source.count.get();
            source.count.set(count.wrapping_add(1));
            (
                source.key.hash_one((count, 0_u8)),
                source.key.hash_one((count, 1_u8)),
            )
        });
        let random = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        Self(value(uuid::Builder::from_random_bytes(random).into_uuid()))
    }

    /// The id that came from a trusted proxy, else a new one.
    ///
    /// Kept are 1 to 128 bytes of letters, digits and `-._~:/+=@`, which no log and no shell misreads.
    #[must_use]
    pub fn of(headers: &HeaderMap, client: &Client) -> Self {
        if !client.is_from_trusted {
            return Self::new();
        }
        match headers.get(X_REQUEST_ID) {
            Some(value) if is_safe(value.as_bytes()) => Self(value.clone()),
            _ => Self::new(),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header's value; cheap to copy.
    #[must_use]
    pub const fn header_value(&self) -> &HeaderValue {
        &self.0
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

struct Source {
    key: RandomState,
    count: Cell<u64>,
}

thread_local! {
    static SOURCE: Source = Source { key: RandomState::new(), count: Cell::new(0) };
}

fn value(uuid: Uuid) -> HeaderValue {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = uuid.hyphenated().encode_lower(&mut text);
    // Digits and hyphens are a header's value.
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text.as_bytes()))
        .unwrap_or_else(|_| HeaderValue::from_static("-"))
}

fn is_safe(id: &[u8]) -> bool {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/+=@".contains(byte);
    matches!(id.len(), 1..=RequestId::MAX_BYTES) && id.iter().all(is_safe)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    fn client(is_from_trusted: bool) -> Client {
        Client {
            address: Ipv4Addr::LOCALHOST.into(),
            is_from_trusted,
            proto: None,
            host: None,
        }
    }

    fn headers(id: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(id))])
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let make = || {
            (0..1000)
                .map(|_| RequestId::new().to_string())
                .collect::<Vec<_>>()
        };
        let mut ids: HashSet<_> = make().into_iter().collect();
        ids.extend(std::thread::spawn(make).join().unwrap());
        assert_eq!(ids.len(), 2000);
        assert!(
            ids.iter()
                .all(|id| Uuid::try_parse(id).unwrap().get_version_num() == 4)
        );
    }

    #[test]
    fn only_a_trusted_proxys_id_is_kept() {
        let headers = headers("abc-123");
        assert_eq!(RequestId::of(&headers, &client(true)).as_str(), "abc-123");
        assert_ne!(RequestId::of(&headers, &client(false)).as_str(), "abc-123");
    }

    #[test]
    fn an_id_that_a_log_could_misread_is_replaced() {
        let long = "a".repeat(129);
        for id in ["", "a b", "a\"b", "a,b", "a\\b", "a%0a", "<a>", &long] {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(id).unwrap());
            assert_eq!(
                RequestId::of(&headers, &client(true)).as_str().len(),
                36,
                "{id}"
            );
        }
        assert!(is_safe("a".repeat(128).as_bytes()));
    }
}
