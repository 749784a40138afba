//! What gRPC says in headers. It is spoken over HTTP/2 alone.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, request};

use super::{ApiError, octet};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

const GRPC: &[u8] = b"application/grpc";

/// Whether a request is a call by gRPC.
#[must_use]
pub fn is_call(head: &request::Parts) -> bool {
    head.version == Version::HTTP_2 && is_grpc(&head.headers)
}

/// How long the caller waits for all of the answer, where a call by gRPC says so.
///
/// What is not 1 to 8 digits and a unit says nothing.
#[must_use]
pub fn timeout(version: Version, headers: &HeaderMap) -> Option<Duration> {
    if version != Version::HTTP_2 || !is_grpc(headers) {
        return None;
    }
    let (unit, digits) = headers.get(GRPC_TIMEOUT)?.as_bytes().split_last()?;
    if !matches!(digits.len(), 1..=8) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = digits.iter().map(|digit| u64::from(digit - b'0'));
    let count = digits.fold(0, |count, digit| count * 10 + digit);
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// A refusal as callers by gRPC read it: a head alone, with the status of gRPC beside that of HTTP.
#[must_use]
pub fn refusal(problem: Response<Bytes>, error: &ApiError) -> Response<Bytes> {
    let mut refusal = problem.map(|_| Bytes::new());
    let headers = refusal.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from(status(error.code.status())));
    if let Ok(message) = HeaderValue::try_from(message(&error.to_string())) {
        headers.insert(GRPC_MESSAGE, message);
    }
    refusal
}

/// Whether these headers are those of a call by gRPC.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(GRPC));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// As callers read a status of HTTP that stands alone, but where another says more.
fn status(status: StatusCode) -> u16 {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => DEADLINE_EXCEEDED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            RESOURCE_EXHAUSTED
        }
        StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED => UNIMPLEMENTED,
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => INTERNAL,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        _ => UNKNOWN,
    }
}

const UNKNOWN: u16 = 2;
const DEADLINE_EXCEEDED: u16 = 4;
const PERMISSION_DENIED: u16 = 7;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;
const UNAUTHENTICATED: u16 = 16;

/// Every byte outside 0x20–0x7E, and `%`, is percent-encoded.
fn message(text: &str) -> String {
    let mut message = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, 0x20..=0x7e) && byte != b'%' {
            message.push(char::from(byte));
        } else {
            octet::push_encoded(&mut message, byte);
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Code, problem};

    fn headers(kind: &'static str, timeout: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(GRPC_TIMEOUT, HeaderValue::try_from(timeout).unwrap());
        headers
    }

    #[test]
    fn a_timeout_is_a_number_and_a_unit() {
        let read = |text| timeout(Version::HTTP_2, &headers("application/grpc", text));
        for (text, nanos) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("40m", 40_000_000),
            ("50u", 50_000),
            ("99999999n", 99_999_999),
            ("0m", 0),
        ] {
            assert_eq!(read(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["", "S", "1", "123456789S", "-1S", "1.5S", "1 S", "1s", "1h"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_call_by_grpc_has_a_timeout() {
        let read = |version, kind| timeout(version, &headers(kind, "1S"));
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;x=y",
        ] {
            assert!(read(Version::HTTP_2, kind).is_some(), "{kind}");
            assert!(read(Version::HTTP_11, kind).is_none(), "{kind}");
        }
        for kind in [
            "application/grpc-web",
            "application/json",
            "application/grp",
        ] {
            assert!(read(Version::HTTP_2, kind).is_none(), "{kind}");
        }
    }

    #[test]
    fn a_refusal_is_a_head_alone_with_both_statuses() {
        let error = ApiError::new(Code::KeyRevoked).detail("a 100% sure\n\u{e9}".to_owned());
        let refusal = refusal(problem(&error, "id"), &error);
        assert_eq!(refusal.status(), 401);
        assert!(refusal.body().is_empty());
        assert_eq!(refusal.headers()["grpc-status"], "16");
        assert_eq!(refusal.headers()["grpc-message"], "a 100%25 sure%0A%C3%A9");
        assert!(refusal.headers().contains_key("www-authenticate"));
    }
}
