//! What a head says, and how large it may be.

use super::*;

#[test]
fn a_head_has_a_bound() {
    let head = |length: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(length - frame)
        )
    };
    assert_eq!(verdict(&head(MAX_HEAD)), None);
    assert_eq!(
        verdict(&head(MAX_HEAD + 1)),
        Some(FramingError::HeadTooLarge)
    );
    assert_eq!(
        verdict(&"x".repeat(MAX_HEAD)),
        Some(FramingError::HeadTooLarge)
    );
    assert_eq!(verdict(&"x".repeat(MAX_HEAD - 1)), None);
}

fn head(bytes: &str) -> RequestHead {
    let mut requests = Requests::new(MAX_HEAD);
    match requests.next(&mut BytesMut::from(bytes)) {
        Ok(Some(Piece::Head(head))) => head,
        other => panic!("{bytes:?}: {other:?}"),
    }
}

#[test]
fn a_head_is_read_as_it_was_written() {
    let read = head(
        "\r\nPUT /a?b=c HTTP/1.1\r\nhOst: a:8\r\nX-Text: \t\"a\", b;\tc \r\nX-Empty: \t\r\n\
         x-text:again\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert_eq!(read.parts.method, http::Method::PUT);
    assert_eq!(read.parts.uri, "/a?b=c");
    assert_eq!(read.parts.version, http::Version::HTTP_11);
    let fields: Vec<_> = read.parts.headers.iter().collect();
    let expected = [
        ("host", "a:8"),
        ("x-text", "\"a\", b;\tc"),
        ("x-text", "again"),
        ("x-empty", ""),
        ("content-length", "3"),
    ];
    assert_eq!(fields.len(), expected.len());
    for ((name, value), (expected_name, expected)) in fields.into_iter().zip(expected) {
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            (expected_name, expected.as_bytes())
        );
    }
}

#[test]
fn a_head_says_what_becomes_of_its_connection() {
    for (fields, stays) in [
        ("1.1\r\n", true),
        ("1.1\r\nConnection: keep-alive\r\n", true),
        (
            "1.1\r\nConnection: x, CLOSE\r\nConnection: keep-alive\r\n",
            false,
        ),
        ("1.0\r\n", false),
        ("1.0\r\nConnection: Keep-Alive\r\n", true),
        ("1.0\r\nConnection: keep-alive, close\r\n", false),
    ] {
        let read = head(&format!("GET / HTTP/{fields}Host: a\r\n\r\n"));
        assert_eq!(read.wants_more, stays, "{fields:?}");
    }
    let expect = "Expect: 100-Continue\r\nTE: gzip, trailers\r\n\r\n";
    let read = head(&format!("POST / HTTP/1.1\r\nHost: a\r\n{expect}"));
    assert!(read.expects_continue && read.takes_trailers);
    let read = head(&format!("POST / HTTP/1.0\r\n{expect}"));
    assert!(!read.expects_continue, "HTTP/1.0 has no interim answers");
}

#[test]
fn a_head_of_very_many_fields_is_refused() {
    let head = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "a:\r\n".repeat(count));
    assert_eq!(verdict(&head(100)), None);
    assert_eq!(verdict(&head(101)), Some(FramingError::TooManyFields));
}
