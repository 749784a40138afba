use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::ext::ReasonPhrase;

use crate::http::RequestHead;
use crate::http::header::write_field;

/// What a request says of how it is to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    is_head: bool,
    is_old: bool,
    pub(super) takes_trailers: bool,
    /// Whether another request may come over the connection.
    pub(super) may_stay: bool,
}

/// How the end of an answer's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has none; a head may tell all the same how long it would be.
    None(Option<u64>),
    /// By its length: so many bytes are still to come.
    Length(u64),
    /// By its last chunk.
    Chunked,
    /// By the end of the connection, since HTTP/1.0 has no chunks.
    UntilClose,
}

impl Asked {
    pub(super) fn by(head: &RequestHead) -> Self {
        Self {
            is_head: head.parts.method == Method::HEAD,
            is_old: head.parts.version == Version::HTTP_10,
            takes_trailers: head.takes_trailers,
            may_stay: head.wants_more,
        }
    }

    /// By a request that could not be read.
    pub(super) const fn unread() -> Self {
        Self {
            is_head: false,
            is_old: false,
            takes_trailers: false,
            may_stay: false,
        }
    }

    /// By a request to switch protocols, whose answer says itself what becomes of the connection.
    pub(super) const fn to_switch() -> Self {
        Self {
            may_stay: true,
            ..Self::unread()
        }
    }
}

impl Framing {
    pub(super) fn of<B: Body>(response: &Response<B>, asked: &Asked) -> Self {
        let length = response.body().size_hint().exact();
        match (response.status(), length) {
            (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, _) => Self::None(None),
            _ if asked.is_head => Self::None(length.filter(|length| *length > 0)),
            (_, Some(length)) => Self::Length(length),
            (_, None) if asked.is_old => Self::UntilClose,
            (_, None) => Self::Chunked,
        }
    }

    pub(super) const fn is_until_close(self) -> bool {
        matches!(self, Self::UntilClose)
    }
}

/// Writes the head of an answer.
pub(super) fn write_head<B>(
    out: &mut Vec<u8>,
    response: &Response<B>,
    asked: &Asked,
    framing: Framing,
    date: impl FnOnce() -> HeaderValue,
) {
    write_status(out, response, asked.is_old);
    let headers = response.headers();
    write_framing(out, headers, framing);
    let mut has_date = false;
    for (name, value) in headers {
        match *name {
            header::CONTENT_LENGTH if !matches!(framing, Framing::None(_)) => continue,
            header::DATE => has_date = true,
            _ => {}
        }
        write_field(out, name, value);
    }
    if !has_date {
        write_field(out, &header::DATE, &date());
    }
    if !asked.may_stay {
        out.extend_from_slice(b"connection: close\r\n");
    } else if asked.is_old {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn write_status<B>(out: &mut Vec<u8>, response: &Response<B>, is_old: bool) {
    let status = response.status();
    out.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let own = response.extensions().get().map(ReasonPhrase::as_bytes);
    // Some clients cannot read a status without words.
    let usual = || status.canonical_reason().unwrap_or("Unknown").as_bytes();
    out.extend_from_slice(own.unwrap_or_else(usual));
    out.extend_from_slice(b"\r\n");
}

fn write_framing(out: &mut Vec<u8>, headers: &HeaderMap, framing: Framing) {
    let length = match framing {
        Framing::Length(length) => Some(length),
        Framing::None(length) => length.filter(|_| !headers.contains_key(header::CONTENT_LENGTH)),
        Framing::Chunked => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            None
        }
        Framing::UntilClose => None,
    };
    if let Some(length) = length {
        out.extend_from_slice(b"content-length: ");
        write_number(out, length, 10);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes a number to a base of at most 16.
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64, base: u64) {
    let start = out.len();
    loop {
        let digit = u32::try_from(number % base).unwrap_or_default();
        let digit = char::from_digit(digit, 16).unwrap_or('0');
        out.push(u8::try_from(digit).unwrap_or(b'0'));
        number /= base;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_as_they_were(number: u64) {
            let mut out = Vec::new();
            write_number(&mut out, number, 10);
            out.push(b' ');
            write_number(&mut out, number, 16);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{number} {number:x}"));
        }
    }
}
