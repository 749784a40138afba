use proptest::prelude::*;

use super::*;

/// What came of some bytes: the head or the error, as text, and what was left.
type Outcome = (String, Vec<u8>);

/// Reads bytes that come in pieces of these sizes, and then in one.
fn read_in(bytes: &[u8], pieces: &[usize]) -> Outcome {
    let dropped = AtomicU64::new(0);
    let mut reader = HeadReader::new(false, HeaderMap::new(), &dropped);
    let mut input = BytesMut::new();
    let mut rest = bytes;
    let mut pieces = pieces.iter();
    loop {
        match reader.read(&mut input) {
            Ok(Some(Head::Continue)) => continue,
            Ok(Some(Head::Final(head))) => {
                input.extend_from_slice(rest);
                return (format!("{head:?}"), input.to_vec());
            }
            Ok(None) if rest.is_empty() => return ("more".to_owned(), Vec::new()),
            Ok(None) => {}
            Err(error) => return (format!("{error:?}"), Vec::new()),
        }
        let piece = pieces.next().copied().unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(piece.clamp(1, rest.len()));
        input.extend_from_slice(piece);
        rest = behind;
    }
}

fn read(text: &str) -> Result<AnswerHead, AnswerError> {
    let dropped = AtomicU64::new(0);
    let mut reader = HeadReader::new(false, HeaderMap::new(), &dropped);
    match reader.read(&mut BytesMut::from(text))? {
        Some(Head::Final(head)) => Ok(head),
        other => panic!("{other:?}"),
    }
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect()
}

#[test]
fn an_answer_is_read_without_what_concerns_the_connection() {
    let head = read(
        "HTTP/1.1 201 Made\r\nContent-Length: 5\r\nX-Mine:a\r\nx-mine: \t b c \t\r\nEmpty:\r\n\
         Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: a\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2\r\n\r\n",
    );
    let head = head.unwrap();
    assert_eq!(head.status, StatusCode::CREATED);
    assert_eq!(
        lines(&head.headers),
        ["content-length: 5", "x-mine: a", "x-mine: b c", "empty: "]
    );
    let reason = head.extensions.get::<ReasonPhrase>().unwrap();
    assert_eq!(reason.as_bytes(), b"Made");
    assert!(head.may_keep);
    assert_eq!(head.body.left(), Some(5));
}

/// Heads, the body they say, and whether the connection may be kept.
const FRAMINGS: &[(&str, &str, bool)] = &[
    ("HTTP/1.1 200\r\n\r\n", "ToTheEnd", false),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "Length(0)",
        true,
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 007\r\n\r\n",
        "Length(7)",
        true,
    ),
    (
        "HTTP/1.0 200 OK\r\ncontent-length: 7\r\n\r\n",
        "Length(7)",
        false,
    ),
    (
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 7\r\n\r\n",
        "Length(7)",
        false,
    ),
    (
        "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 7\r\n\r\n",
        "Length(7)",
        false,
    ),
    (
        "HTTP/1.1 200 OK\r\nconnection: x, close\r\ncontent-length: 7\r\n\r\n",
        "Length(7)",
        false,
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n",
        "Chunked",
        true,
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: a\r\ntransfer-encoding: chunked\r\n\r\n",
        "Chunked",
        false,
    ),
    (
        "HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n",
        "Length(0)",
        true,
    ),
    (
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
        "Length(0)",
        true,
    ),
    (
        "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
        "Length(0)",
        true,
    ),
];

#[test]
fn the_body_reaches_as_far_as_the_head_says() {
    for (text, left, may_keep) in FRAMINGS {
        let head = read(text).unwrap();
        let body = format!("{:?}", head.body);
        assert!(body.starts_with(left), "{text}: {body}");
        assert_eq!(head.may_keep, *may_keep, "{text}");
        let is_overridden = *left == "Chunked" || head.status == StatusCode::NO_CONTENT;
        assert!(
            !(is_overridden && head.headers.contains_key(CONTENT_LENGTH)),
            "{text}"
        );
    }
}

const WRONG: &[(&str, &str)] = &[
    ("HTTP/2.0 200 OK\r\n\r\n", "StatusLine"),
    ("http/1.1 200 OK\r\n\r\n", "StatusLine"),
    ("HTTP/1.1  200 OK\r\n\r\n", "StatusLine"),
    ("HTTP/1.1 20 OK\r\n\r\n", "StatusLine"),
    ("HTTP/1.1 2000 OK\r\n\r\n", "StatusLine"),
    ("HTTP/1.1 099 OK\r\n\r\n", "StatusLine"),
    ("HTTP/1.1 200 a\rb\r\n\r\n", "StatusLine"),
    ("\r\nHTTP/1.1 200 OK\r\n\r\n", "StatusLine"),
    ("HTTP/1.1 200 OK\n\n", "Malformed(BareLineFeed)"),
    ("HTTP/1.1 200 OK\r\na: b\n\r\n", "Malformed(BareLineFeed)"),
    ("HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", "Malformed(Folded)"),
    (
        "HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n",
        "Malformed(Folded)",
    ),
    (
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "Malformed(SpaceBeforeColon)",
    ),
    ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", "Malformed(HeaderName)"),
    ("HTTP/1.1 200 OK\r\nab\r\n\r\n", "Malformed(HeaderName)"),
    (
        "HTTP/1.1 200 OK\r\na\u{e9}: b\r\n\r\n",
        "Malformed(HeaderName)",
    ),
    (
        "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
        "Malformed(HeaderValue)",
    ),
    (
        "HTTP/1.1 200 OK\r\na: b\r\r\n\r\n",
        "Malformed(HeaderValue)",
    ),
    (
        "HTTP/1.1 200 OK\r\nconnection: \0\r\n\r\n",
        "Malformed(HeaderValue)",
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
        "Malformed(LengthInvalid)",
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
        "Malformed(LengthInvalid)",
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n",
        "Malformed(LengthInvalid)",
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 10000000000000000000\r\n\r\n",
        "Malformed(LengthInvalid)",
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        "Malformed(LengthTwice)",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "Malformed(CodingUnknown)",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "Malformed(CodingUnknown)",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "Malformed(CodingTwice)",
    ),
    (
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "Malformed(CodingInOldVersion)",
    ),
];

#[test]
fn what_is_no_answer_is_named() {
    for (text, error) in WRONG {
        let found = read(text).map_err(|error| format!("{error:?}"));
        assert_eq!(found.unwrap_err(), *error, "{text}");
    }
}

#[test]
fn an_answer_has_bounds() {
    let fields = |count| "a: b\r\n".repeat(count);
    assert!(read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", fields(MAX_FIELDS))).is_ok());
    let error = read(&format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        fields(MAX_FIELDS + 1)
    ))
    .unwrap_err();
    assert!(matches!(error, AnswerError::TooManyHeaders), "{error:?}");

    let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(MAX_HEAD));
    for pieces in [&[][..], &[10, 10], &[1000; 70]] {
        let (outcome, _) = read_in(long.as_bytes(), pieces);
        assert_eq!(outcome, "Malformed(HeadTooLarge)");
    }

    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(MAX_INTERIM + 1);
    let error = read(&interim).unwrap_err();
    assert!(matches!(error, AnswerError::TooManyInterim), "{error:?}");
}

#[test]
fn interim_answers_are_dropped_and_counted() {
    let dropped = AtomicU64::new(0);
    let mut reader = HeadReader::new(false, HeaderMap::new(), &dropped);
    let mut input = BytesMut::from(
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\nContent-Length: 5\r\n\r\n\
         HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    );

    let first = reader.read(&mut input).unwrap();
    let second = reader.read(&mut input).unwrap();

    assert!(matches!(first, Some(Head::Continue)), "{first:?}");
    let Some(Head::Final(head)) = second else {
        panic!("{second:?}");
    };
    assert!(head.headers.is_empty());
    assert!(matches!(head.body, Decoder::ToTheEnd));
    assert_eq!(dropped.into_inner(), 2);
}

/// Pieces of heads, good and bad.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 103 Early Hints\r\n",
        "HTTP/1.0 404 Gone\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close, x\r\n",
        "Connection: keep-alive\r\n",
        "X: y\r\n",
        "Date : now\r\n",
        " folded\r\n",
        "\r\n",
        "\n",
        "\r",
        "abc",
        ":",
        "\0",
        "é",
    ]);
    let noise = prop::collection::vec(piece.clone(), 0..8);
    prop_oneof![
        noise.clone().prop_map(|pieces| pieces.concat()),
        noise.prop_map(|pieces| format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", pieces.concat())),
        prop::collection::vec(("[a-zA-Z-]{1,12}", "[ -~]{0,20}"), 0..12).prop_map(|fields| {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"));
            format!("HTTP/1.1 200 OK\r\n{}\r\nbody", fields.collect::<String>())
        }),
    ]
    .prop_map(String::into_bytes)
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, pieces: Vec<usize>) {
        read_in(&bytes, &pieces);
    }

    #[test]
    fn the_pieces_do_not_matter(
        bytes in stream(),
        pieces in prop::collection::vec(1_usize..40, 0..60),
    ) {
        let whole = read_in(&bytes, &[]);
        prop_assert_eq!(&read_in(&bytes, &pieces), &whole);
        prop_assert_eq!(&read_in(&bytes, &vec![1; bytes.len()]), &whole);
    }

    /// Whatever is read as an answer, httparse reads alike.
    #[test]
    fn another_parser_reads_the_same(bytes in stream()) {
        let dropped = AtomicU64::new(0);
        let mut reader = HeadReader::new(false, HeaderMap::new(), &dropped);
        let mut input = BytesMut::from(&bytes[..]);
        if let Ok(Some(Head::Final(head))) = reader.read(&mut input)
            && dropped.load(Ordering::Relaxed) == 0
        {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut parsed = httparse::Response::new(&mut fields);
            let length = parsed.parse(&bytes).unwrap().unwrap();
            prop_assert_eq!(length, bytes.len() - input.len());
            prop_assert_eq!(parsed.code, Some(head.status.as_u16()));
            for (name, value) in &head.headers {
                let is_there = parsed.headers.iter().any(|field| {
                    field.name.eq_ignore_ascii_case(name.as_str()) && field.value == value.as_bytes()
                });
                prop_assert!(is_there, "{}", name);
            }
            let dropped = parsed.headers.len() - head.headers.len();
            let named: usize = parsed.headers.iter().filter(|field| {
                let name = HeaderName::from_bytes(field.name.as_bytes()).unwrap();
                !head.headers.contains_key(name)
            }).count();
            prop_assert_eq!(named, dropped);
        }
    }
}

#[test]
fn an_answer_that_can_have_no_length_tells_none() {
    for status in ["204 No Content", "101 Switching Protocols"] {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nX: y\r\n\r\n");
        assert_eq!(lines(&read(&head).unwrap().headers), ["x: y"], "{status}");
    }
}
