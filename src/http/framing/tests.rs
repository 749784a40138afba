mod heads;

use proptest::prelude::*;

use super::*;

pub(super) const MAX_HEAD: usize = 1024;

/// Gives `stream` in pieces as a connection would, and answers what was taken and how it ended.
fn follow_in(stream: &[u8], steps: &[usize]) -> (Vec<u8>, Option<FramingError>) {
    let mut requests = Requests::new(MAX_HEAD);
    let mut held = BytesMut::new();
    let mut given = 0;
    let mut steps = steps.iter().copied().chain([usize::MAX]);
    while given < stream.len() {
        let step = steps.next().unwrap_or(usize::MAX);
        let step = step.clamp(1, stream.len() - given);
        held.extend_from_slice(&stream[given..given + step]);
        given += step;
        let error = pieces(&mut requests, &mut held).1;
        if error.is_some() {
            return (stream[..given - held.len()].to_vec(), error);
        }
    }
    (stream[..given - held.len()].to_vec(), None)
}

/// Every piece that is there, and what is wrong with what stands behind them.
pub(super) fn pieces(
    requests: &mut Requests,
    held: &mut BytesMut,
) -> (Vec<Piece>, Option<FramingError>) {
    let mut pieces = Vec::new();
    loop {
        let before = (held.len(), requests.is_in_body());
        match requests.next(held) {
            Ok(piece) => pieces.extend(piece),
            Err(error) => return (pieces, Some(error)),
        }
        if (held.len(), requests.is_in_body()) == before {
            return (pieces, None);
        }
    }
}

fn follow(stream: &[u8]) -> (Vec<u8>, Option<FramingError>) {
    follow_in(stream, &[])
}

fn verdict(stream: &str) -> Option<FramingError> {
    follow(stream.as_bytes()).1
}

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "\r\nGET /a?b=%20 HTTP/1.1\r\nhost:[::1]:8443\r\nX-Empty:\r\nX-Text: \t\"a\", b;\tc \r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
    "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:\t007 \r\n\r\nGET / H",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:chunked\r\n\r\n0;\r\nGrpc-Status: 0\r\nX: y\r\n\r\n",
];

#[test]
fn plain_messages_are_handed_on_whole() {
    for message in GOOD {
        assert_eq!(
            follow(message.as_bytes()),
            (message.as_bytes().to_vec(), None),
            "{message:?}"
        );
    }
    let all = GOOD.concat();
    assert_eq!(follow(all.as_bytes()), (all.as_bytes().to_vec(), None));
}

fn assert_refused(cases: &[(&str, FramingError)]) {
    for (head, error) in cases {
        let verdict = follow(head.as_bytes());
        assert_eq!(verdict, (Vec::new(), Some(*error)), "{head:?}");
    }
}

#[test]
fn a_request_line_that_breaks_a_rule_is_refused_by_its_rule() {
    use FramingError::*;
    assert_refused(&[
        // RFC 9112 §2.2
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", BareLineFeed),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BareLineFeed),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BareCarriageReturn),
        ("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", BareCarriageReturn),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLines),
        // RFC 9112 §2.3
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Version),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Version),
        ("PRI * HTTP/2.0\r\n\r\n", Version),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", Version),
        ("GET / HTTP/1.1x\r\nHost: a\r\n\r\n", Version),
        ("GET / \r\nHost: a\r\n\r\n", Version),
        // RFC 9112 §3
        ("GET /\r\nHost: a\r\n\r\n", RequestLine),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", RequestLine),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("\u{16}\u{3}\u{1}\r\n\r\n", RequestLine),
        // RFC 9112 §3.2
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET / HTTP/1.1\r\n\r\n", HostMissing),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HostTwice),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Folded),
        // RFC 9112 §6.1
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            CodingInOldVersion,
        ),
        // RFC 9110 §9.3.6
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
            ConnectBody,
        ),
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            ConnectBody,
        ),
    ]);
}

#[test]
fn a_header_that_breaks_a_rule_is_refused_by_its_rule() {
    use FramingError::*;
    for (fields, error) in [
        // RFC 9112 §2.2
        ("X: b\n", BareLineFeed),
        ("\n", BareLineFeed),
        ("X: b\rY: c\r\n", BareCarriageReturn),
        ("X: b\r\r\n", BareCarriageReturn),
        // RFC 9112 §3.2
        ("host: a\r\n", HostTwice),
        // RFC 9112 §5
        ("X: b\r\n c\r\n", Folded),
        ("\tX: b\r\n", Folded),
        ("X : a\r\n", SpaceBeforeColon),
        ("Content-Length\t: 1\r\n", SpaceBeforeColon),
        ("X\r\n", HeaderName),
        (": b\r\n", HeaderName),
        ("X\0: b\r\n", HeaderName),
        ("X(y): b\r\n", HeaderName),
        ("Xé: b\r\n", HeaderName),
        // RFC 9110 §5.5
        ("X: b\0c\r\n", HeaderValue),
        ("X: b\u{b}\r\n", HeaderValue),
        ("X: \u{7f}\r\n", HeaderValue),
        // RFC 9112 §6
        ("Content-Length: 1\r\nContent-Length: 1\r\n", LengthTwice),
        ("Content-Length: 1, 1\r\n", LengthInvalid),
        ("Content-Length: +1\r\n", LengthInvalid),
        ("Content-Length: -1\r\n", LengthInvalid),
        ("Content-Length: 0x1\r\n", LengthInvalid),
        ("Content-Length: 1 0\r\n", LengthInvalid),
        ("Content-Length:\r\n", LengthInvalid),
        ("Content-Length: 18446744073709551616\r\n", LengthInvalid),
        ("Transfer-Encoding: gzip, chunked\r\n", CodingUnknown),
        ("Transfer-Encoding: chunked, identity\r\n", CodingUnknown),
        ("Transfer-Encoding: \u{b}chunked\r\n", HeaderValue),
        ("Transfer-Encoding:\r\n", CodingUnknown),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            CodingTwice,
        ),
        (
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            LengthAndCoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            LengthAndCoding,
        ),
        ("Content_Length: 1\r\n", Disguised),
        ("transfer.encoding: chunked\r\n", Disguised),
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_refused(&[(&head, error)]);
    }
}

#[test]
fn a_host_that_could_be_read_as_something_else_is_refused() {
    for host in ["a, b", "a/b", "u@a", "a b", "a\\b", "a?b", "é"] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_refused(&[(&head, FramingError::HostInvalid)]);
    }
}

#[test]
fn the_end_of_a_body_in_chunks_is_told_before_the_next_request() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut held = BytesMut::from(format!("{head}0\r\n\r\n{head}").as_str());
    let mut requests = Requests::new(MAX_HEAD);

    assert!(matches!(requests.next(&mut held), Ok(Some(Piece::Head(_)))));
    assert!(requests.is_in_body());
    assert!(matches!(requests.next(&mut held), Ok(None)));
    assert!(!requests.is_in_body());
    assert!(matches!(requests.next(&mut held), Ok(Some(Piece::Head(_)))));
}

#[test]
fn a_chunked_body_that_breaks_a_rule_is_refused_by_its_rule() {
    use FramingError::*;
    let long = format!("1;{}\r\n", "x".repeat(257));
    let trailers = format!("0\r\nX: {}\r\n\r\n", "y".repeat(9000));
    for (body, error) in [
        ("\r\n", ChunkSize),
        ("g\r\n", ChunkSize),
        (" 1\r\na\r\n", ChunkSize),
        ("+1\r\na\r\n", ChunkSize),
        ("0x1\r\na\r\n", ChunkSize),
        ("1 \r\na\r\n", ChunkSize),
        ("1 ;x\r\na\r\n", ChunkSize),
        ("1\na\r\n", ChunkSize),
        ("00000000000000001\r\na\r\n", ChunkSize),
        ("1;a\nb\r\n", ChunkExtension),
        ("1;a\0b\r\n", ChunkExtension),
        (&long, ChunkExtension),
        ("1;a\rb\r\n", ChunkEnd),
        ("1\rXa\r\n", ChunkEnd),
        ("1\r\nab\r\n", ChunkEnd),
        ("2\r\na\r\n0\r\n\r\n", ChunkEnd),
        ("1\r\na\n", ChunkEnd),
        ("1\r\na\rX", ChunkEnd),
        ("0\r\nX: a\n\r\n", BareLineFeed),
        ("0\r\n\n", BareLineFeed),
        ("0\r\nX : a\r\n\r\n", SpaceBeforeColon),
        ("0\r\nX: a\r\n b\r\n\r\n", Folded),
        ("0\r\nX: a\0\r\n\r\n", HeaderValue),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", SpaceBeforeColon),
        (&trailers, TrailersTooLarge),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(verdict(&format!("{head}{body}")), Some(error), "{body:?}");
    }
}

#[test]
fn what_stands_before_a_broken_message_is_taken() {
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad = "GET / HTTP/1.1\nHost: a\n\n";
    let mut held = BytesMut::from(format!("{good}{bad}").as_bytes());
    let mut requests = Requests::new(MAX_HEAD);

    assert!(matches!(requests.next(&mut held), Ok(Some(Piece::Head(_)))));

    let error = FramingError::BareLineFeed;
    assert_eq!(requests.next(&mut held).unwrap_err(), error);
    let mut good = BytesMut::from(good);
    assert_eq!(requests.next(&mut good).unwrap_err(), error);
}

#[test]
fn the_stand_says_which_deadline_holds() {
    let mut requests = Requests::new(MAX_HEAD);
    let mut held = BytesMut::new();
    let mut stand = |bytes: &str| {
        held.extend_from_slice(bytes.as_bytes());
        assert_eq!(pieces(&mut requests, &mut held).1, None);
        requests.stand(held.len())
    };
    assert_eq!(stand(""), Stand::Between);
    assert_eq!(stand("\r\n"), Stand::Between);
    assert_eq!(stand("P"), Stand::InHead);
    let head = "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(stand(head), Stand::InBody);
    assert_eq!(stand("a"), Stand::InBody);
    assert_eq!(stand("b"), Stand::Between);
    assert_eq!(stand("GET / HTTP/1.1\r\nHost: a\r\n"), Stand::InHead);
}

fn message() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "X: y\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "abc",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "0\r\n",
        ";x",
        "X",
        ":",
        "\0",
        "é",
    ]);
    let noise = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![2 => prop::sample::select(GOOD.to_vec()).prop_map(str::to_owned), 1 => noise]
}

pub(super) fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(message(), 0..5).prop_map(|messages| messages.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_bytes_panic(stream: Vec<u8>, pieces: Vec<usize>) {
        follow_in(&stream, &pieces);
    }

    #[test]
    fn the_pieces_do_not_matter(stream in stream(), pieces in prop::collection::vec(1_usize..40, 0..60)) {
        prop_assert_eq!(follow_in(&stream, &pieces), follow(&stream));
        let single: Vec<_> = stream.iter().map(|_| 1).collect();
        prop_assert_eq!(follow_in(&stream, &single), follow(&stream));
    }
}
