use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use http::uri::{Authority, PathAndQuery};
use http::{Extensions, HeaderMap, HeaderName, Method, Request, StatusCode, Uri, response};
use memchr::memchr;

use crate::config::Scheme;
use crate::http::FramingError;
use crate::http::are_trimmed;
use crate::http::framing::read_trailers;
use crate::http::header::X_API_KEY;
use crate::http::hop_by_hop::stays_with_upstream;
use crate::proxy::AnswerError;
use crate::proxy::answer_error::MAX_FIELDS;
use crate::proxy::answer_head::{AnswerHead, has_body, is_event_stream, read_length};
use crate::proxy::decoder::Decoder;

/// A request whose head is written as HTTP/1.1 has it. There is one set of rules for what reaches a
/// server, and this is where it leads to both.
///
/// # Errors
///
/// [`FramingError`], when it is none.
pub(super) fn request(head: &[u8], scheme: Scheme) -> Result<Request<()>, FramingError> {
    let head = Bytes::copy_from_slice(head);
    let end = memchr(b'\n', &head).map_or(head.len(), |at| at + 1);
    let line = head.slice(..end);
    let mut headers = read_trailers(&head.slice(end..))?;
    let (method, target) = request_line(&line)?;
    let host = headers.remove(HOST).ok_or(FramingError::HostMissing)?;
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONNECTION);
    for (name, value) in &mut headers {
        value.set_sensitive(SECRET.contains(name));
    }
    let authority = Authority::try_from(host.as_bytes());
    let uri = Uri::builder()
        .scheme(scheme.as_str())
        .authority(authority.map_err(|_| FramingError::HostInvalid)?)
        .path_and_query(target)
        .build();
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri.map_err(|_| FramingError::Target)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// How much of a header list a request takes (RFC 9113 §6.5.2).
pub(super) fn list_size(request: &Request<()>) -> u64 {
    const EACH: usize = 32;
    let uri = request.uri();
    let pseudo = [
        (":method", request.method().as_str()),
        (":scheme", uri.scheme_str().unwrap_or_default()),
        (":authority", uri.authority().map_or("", Authority::as_str)),
        (
            ":path",
            uri.path_and_query().map_or("", PathAndQuery::as_str),
        ),
    ];
    let pseudo = pseudo.map(|(name, value)| name.len() + value.len() + EACH);
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + EACH);
    let size = pseudo
        .into_iter()
        .chain(fields)
        .fold(0, usize::saturating_add);
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// What HPACK must not remember: a connection carries the requests of many clients, and what clients never
/// index must not be indexed (RFC 7541 §6.2.3, §7.1.3).
const SECRET: [HeaderName; 4] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, X_API_KEY];

fn request_line(line: &Bytes) -> Result<(Method, PathAndQuery), FramingError> {
    let method = memchr(b' ', line).ok_or(FramingError::RequestLine)?;
    let rest = line.slice(method + 1..);
    let target = memchr(b' ', &rest).ok_or(FramingError::RequestLine)?;
    let method = Method::from_bytes(line.get(..method).unwrap_or_default());
    let target = PathAndQuery::from_maybe_shared(rest.slice(..target));
    Ok((
        method.map_err(|_| FramingError::RequestLine)?,
        target.map_err(|_| FramingError::Target)?,
    ))
}

/// The head of an answer as it is passed on; `has_ended` when nothing comes behind it.
///
/// # Errors
///
/// [`AnswerError`], when it could be read in two ways.
pub(super) fn answer(
    head: response::Parts,
    is_head: bool,
    has_ended: bool,
) -> Result<AnswerHead, AnswerError> {
    let (status, mut headers) = (head.status, head.headers);
    check(&headers)?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        // RFC 9113 §8.6
        return Err(AnswerError::StatusLine);
    }
    let removed: Vec<_> = headers
        .keys()
        .filter(|name| stays_with_upstream(name))
        .cloned()
        .collect();
    for name in removed {
        headers.remove(name);
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_LENGTH);
    }
    let length = headers.get(CONTENT_LENGTH);
    let left = length
        .map(|length| read_length(length.as_bytes()))
        .transpose()?;
    let kind = headers.get(CONTENT_TYPE);
    Ok(AnswerHead {
        status,
        is_event_stream: kind.is_some_and(|kind| is_event_stream(kind.as_bytes())),
        headers,
        extensions: Extensions::new(),
        body: if has_ended || !has_body(status, is_head) {
            Decoder::NONE
        } else {
            Decoder::Frames {
                left,
                is_done: false,
            }
        },
        may_keep: true,
        is_websocket: false,
    })
}

/// Checks what of headers or trailers could be read in two ways.
pub(super) fn check(headers: &HeaderMap) -> Result<(), AnswerError> {
    if headers.len() > MAX_FIELDS {
        return Err(AnswerError::TooManyHeaders);
    }
    // RFC 9113 §8.2.1
    if !are_trimmed(headers) {
        return Err(FramingError::HeaderValue.into());
    }
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(FramingError::LengthTwice.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use http::{HeaderValue, Response};
    use proptest::prelude::*;

    use super::*;
    use crate::http::Host;
    use crate::http::header::write_field;

    fn host() -> impl Strategy<Value = String> {
        let name = "[A-Za-z0-9_~-]{1,9}([.][A-Za-z0-9_~-]{1,9}){0,3}[.]?";
        let address = any::<Ipv6Addr>().prop_map(|address| format!("[{address}]"));
        (prop_oneof![name, address], "(:[0-9]{0,5})?").prop_map(|(name, port)| name + &port)
    }

    fn field() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
        let name = "[a-z0-9!#$%&'*+.^_`|~-]{1,12}";
        let value =
            prop::collection::vec(prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xff_u8], 0..20);
        (name, value).prop_map(|(name, value)| {
            let name = HeaderName::try_from(format!("x-{name}")).unwrap();
            (name, HeaderValue::from_bytes(&value).unwrap())
        })
    }

    proptest! {
        #[test]
        fn whatever_was_let_through_has_a_form_in_http2(
            host in host(),
            target in "/[a-z%0-9/_.~!$&'()*+,;=:@-]{0,20}([?][!-~]{0,20})?",
            fields in prop::collection::vec(field(), 0..9),
        ) {
            let asked = Request::builder().header(HOST, &host).body(()).unwrap();
            let (asked, ()) = asked.into_parts();
            let (Ok(Some(host)), Ok(target)) = (Host::of(&asked), PathAndQuery::try_from(target)) else {
                return Ok(());
            };
            let mut head = format!("GET {target} HTTP/1.1\r\n").into_bytes();
            write_field(&mut head, &HOST, &host.into_value());
            for (name, value) in &fields {
                write_field(&mut head, name, value);
            }
            head.extend_from_slice(b"\r\n");
            let request = request(&head, Scheme::Https);
            prop_assert!(request.is_ok(), "{request:?}");
            prop_assert_eq!(request.unwrap().headers().len(), fields.len());
        }
    }

    #[test]
    fn a_header_list_is_as_long_as_the_rfc_counts_it() {
        let head = b"GET /ab HTTP/1.1\r\nhost: a.b\r\nx-a: 1\r\n\r\n";
        let request = request(head, Scheme::Https).unwrap();
        let fields = [
            ":methodGET",
            ":schemehttps",
            ":authoritya.b",
            ":path/ab",
            "x-a1",
        ];
        let expected = fields.concat().len() + 5 * 32;
        assert_eq!(list_size(&request), expected as u64);
    }

    #[test]
    fn a_request_is_the_same_in_frames_but_for_what_frames_it() {
        let head = b"POST /a?b=c HTTP/1.1\r\nhost: ex.org:8080\r\nte: trailers\r\nx-a: 1\r\n\
                     x-a: 2\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        let request = request(head, Scheme::Https).unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://ex.org:8080/a?b=c");
        let headers = request.headers();
        assert_eq!(headers.len(), 3, "{headers:?}");
        assert_eq!(headers["te"], "trailers");
        assert!(headers.get_all("x-a").iter().eq(["1", "2"]));
    }

    #[test]
    fn a_secret_is_never_remembered_by_the_connection() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Basic x\r\ncookie: a=b\r\n\
                     x-api-key: k\r\nx-a: 1\r\n\r\n";
        let request = request(head, Scheme::Https).unwrap();
        for (name, value) in request.headers() {
            assert_eq!(value.is_sensitive(), name != "x-a", "{name}");
        }
    }

    fn read(status: u16, lines: &[(&'static str, &'static str)]) -> Result<AnswerHead, String> {
        let mut answer = Response::builder().status(status);
        for (name, value) in lines {
            answer = answer.header(*name, *value);
        }
        let (head, ()) = answer.body(()).unwrap().into_parts();
        super::answer(head, false, false).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_passes_without_what_concerned_the_connection() {
        let head = read(
            200,
            &[
                ("proxy-authenticate", "x"),
                ("te", "trailers"),
                ("x-a", "1"),
                ("content-length", "5"),
            ],
        )
        .unwrap();
        assert_eq!(head.headers.len(), 2);
        assert_eq!(head.body.left(), Some(5));
        assert!(!head.body.is_done());
        for status in [204, 304] {
            assert!(read(status, &[]).unwrap().body.is_done());
        }
    }

    #[test]
    fn an_answer_that_could_be_read_in_two_ways_is_none() {
        assert!(read(200, &[("a", " b")]).is_err());
        assert!(read(200, &[("content-length", "5"), ("content-length", "5")]).is_err());
        assert!(read(200, &[("content-length", "+5")]).is_err());
        assert!(read(200, &[("a", "b"); 101]).is_err());
        assert!(read(101, &[]).is_err());
    }
}
