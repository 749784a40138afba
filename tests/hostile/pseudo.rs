//! HTTP/2 that HTTP/1.1 could not carry: what is not refused would be a request of its own behind us.

use crate::ask::all;
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, Outcome, PING,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, block, frame, request,
};
use crate::recorder::Message;
use crate::stage::{Listener, Place, Route, Stage, verdict};

/// An attack, and the fields of its request. `{path}` is a target on the route.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static [u8], &'static [u8])],
    Wants,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// The stream is reset, or the connection is ended: a malformed request is an error of its stream,
    /// and any may be treated as one of the connection (RFC 9113 §5.4, §8.1.1). Nothing whole arrives.
    Ended,
    /// The connection is ended, and nothing arrives.
    Gone,
    /// The connection is ended, but what came first was a request.
    Late,
    /// It is answered with this refusal.
    Answer(u16, &'static str),
    /// It arrives.
    Arrives,
}

use Wants::{Answer, Arrives, Ended, Gone, Late};

const BAD: Wants = Answer(400, "malformed_request");
const PATH: Wants = Answer(400, "path_refused");

const METHOD: (&[u8], &[u8]) = (b":method", b"GET");
const POST: (&[u8], &[u8]) = (b":method", b"POST");
const CONNECT: (&[u8], &[u8]) = (b":method", b"CONNECT");
const SOCKET: (&[u8], &[u8]) = (b":protocol", b"websocket");
const SCHEME: (&[u8], &[u8]) = (b":scheme", b"https");
const HOST: (&[u8], &[u8]) = (b":authority", b"localhost");
const TARGET: (&[u8], &[u8]) = (b":path", b"{path}");

/// Heads, each the whole request but for the credential.
#[rustfmt::skip]
const HEADS: &[Row] = &[
    ("as it should be", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, TARGET], Arrives),
    // Pseudo-headers.
    ("no method", "RFC 9113 §8.3.1", &[SCHEME, HOST, TARGET], Ended),
    ("no scheme", "RFC 9113 §8.3.1", &[METHOD, HOST, TARGET], Ended),
    ("no path", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST], Ended),
    ("nothing but a path", "RFC 9113 §8.3.1", &[TARGET], Ended),
    ("no pseudo-header", "RFC 9113 §8.3.1", &[(b"x", b"{path}")], Ended),
    ("two methods", "RFC 9113 §8.3", &[METHOD, POST, SCHEME, HOST, TARGET], Ended),
    ("two paths", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, TARGET, (b":path", b"/staff")], Ended),
    ("two authorities", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, (b":authority", b"evil.example"), TARGET], Ended),
    ("two schemes", "RFC 9113 §8.3", &[METHOD, SCHEME, SCHEME, HOST, TARGET], Ended),
    ("one behind a header", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, (b"x", b"y"), TARGET], Ended),
    ("one that nobody knows", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, TARGET, (b":x", b"y")], Ended),
    ("one of an answer", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, TARGET, (b":status", b"200")], Ended),
    ("one in capitals", "RFC 9113 §8.2", &[METHOD, SCHEME, HOST, (b":PATH", b"{path}")], Ended),
    ("one without name", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, TARGET, (b":", b"y")], Ended),
    ("one with a space", "RFC 9113 §8.3", &[METHOD, SCHEME, HOST, TARGET, (b":path ", b"/staff")], Ended),
    // What becomes the request line.
    ("a line break in the method", "CVE-2021-33193, RFC 9113 §8.2.1", &[(b":method", b"GET /smuggled HTTP/1.1\r\nX: "), SCHEME, HOST, TARGET], Ended),
    ("a space in the method", "CVE-2021-33193", &[(b":method", b"GET /smuggled HTTP/1.1"), SCHEME, HOST, TARGET], Ended),
    ("an empty method", "RFC 9110 §9.1", &[(b":method", b""), SCHEME, HOST, TARGET], Ended),
    ("a NUL in the method", "RFC 9110 §9.1", &[(b":method", b"GE\0T"), SCHEME, HOST, TARGET], Ended),
    ("a line break in the path", "CVE-2021-33193, RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, (b":path", b"{path} HTTP/1.1\r\nX-Auth-User-Role: admin\r\nX: ")], Ended),
    ("a space in the path", "CVE-2021-33193", &[METHOD, SCHEME, HOST, (b":path", b"{path} HTTP/1.1")], Ended),
    ("a NUL in the path", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"{path}\0")], Ended),
    ("a tab in the path", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"{path}\tx")], Ended),
    ("an empty path", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b""), (b"x", b"{path}")], Ended),
    ("a path without slash", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"x{path}")], Ended),
    ("an absolute path", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"http://evil.example{path}")], Ended),
    ("an asterisk", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"*"), (b"x", b"{path}")], PATH),
    ("a question mark alone", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"?{path}")], BAD),
    ("a backslash in the path", "SECURITY.md, To services", &[METHOD, SCHEME, HOST, (b":path", b"{path}\\x")], PATH),
    ("a byte that is no UTF-8 in the path", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, (b":path", b"{path}\xff")], Ended),
    ("a character beyond ASCII in the query", "RFC 9112 §3.2", &[METHOD, SCHEME, HOST, (b":path", b"{path}?\xc2\xa0HTTP/1.1")], BAD),
    ("a line break of Unicode in the query", "RFC 9112 §3.2", &[METHOD, SCHEME, HOST, (b":path", b"{path}?\xc2\x85")], BAD),
    // What becomes Host.
    ("a line break in the authority", "CVE-2021-33193", &[METHOD, SCHEME, (b":authority", b"localhost\r\nX-Auth-User-Role: admin"), TARGET], Ended),
    ("a user in the authority", "RFC 9113 §8.3.1", &[METHOD, SCHEME, (b":authority", b"a@localhost"), TARGET], BAD),
    ("a path in the authority", "RFC 9113 §8.3.1", &[METHOD, SCHEME, (b":authority", b"localhost/staff"), TARGET], Ended),
    ("a space in the authority", "RFC 9113 §8.3.1", &[METHOD, SCHEME, (b":authority", b"local host"), TARGET], Ended),
    ("an empty authority", "RFC 9113 §8.3.1", &[METHOD, SCHEME, (b":authority", b""), TARGET], Ended),
    ("a port of letters", "RFC 3986 §3.2.3", &[METHOD, SCHEME, (b":authority", b"localhost:http"), TARGET], BAD),
    ("a NUL in the authority", "RFC 9113 §8.2.1", &[METHOD, SCHEME, (b":authority", b"localhost\0"), TARGET], Ended),
    ("an authority and another host", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, TARGET, (b"host", b"evil.example")], BAD),
    ("an authority and another port", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, TARGET, (b"host", b"localhost:81")], BAD),
    ("an authority and the same host", "RFC 9113 §8.3.1", &[METHOD, SCHEME, HOST, TARGET, (b"host", b"localhost")], Arrives),
    ("two hosts", "RFC 9110 §7.2", &[METHOD, SCHEME, TARGET, (b"host", b"localhost"), (b"host", b"evil.example")], BAD),
    ("an authority and the same host twice", "RFC 9110 §7.2", &[METHOD, SCHEME, HOST, TARGET, (b"host", b"localhost"), (b"host", b"localhost")], BAD),
    ("no authority, a host that is none", "RFC 9110 §7.2", &[METHOD, SCHEME, TARGET, (b"host", b"local host")], BAD),
    // The scheme.
    ("a scheme that is a URL", "Kettle 2021 (HTTP/2: The Sequel)", &[METHOD, (b":scheme", b"https://evil.example/?"), HOST, TARGET], Ended),
    ("a scheme with a line break", "Kettle 2021", &[METHOD, (b":scheme", b"http\r\nX: y"), HOST, TARGET], Ended),
    ("an empty scheme", "RFC 9113 §8.3.1", &[METHOD, (b":scheme", b""), HOST, TARGET], BAD),
    // What frames a message over HTTP/1.1.
    ("chunks", "CVE-2021-33193 (H2.TE), RFC 9113 §8.2.2", &[METHOD, SCHEME, HOST, TARGET, (b"transfer-encoding", b"chunked")], Ended),
    ("chunks with an underscore", "H2.TE", &[METHOD, SCHEME, HOST, TARGET, (b"transfer_encoding", b"chunked")], Arrives),
    ("a connection list", "RFC 9113 §8.2.2", &[METHOD, SCHEME, HOST, TARGET, (b"connection", b"x-auth-user-id")], Ended),
    ("keep-alive", "RFC 9113 §8.2.2", &[METHOD, SCHEME, HOST, TARGET, (b"keep-alive", b"timeout=5")], Ended),
    ("proxy-connection", "RFC 9113 §8.2.2", &[METHOD, SCHEME, HOST, TARGET, (b"proxy-connection", b"keep-alive")], Ended),
    ("an upgrade", "RFC 9113 §8.2.2", &[METHOD, SCHEME, HOST, TARGET, (b"upgrade", b"websocket")], Ended),
    ("TE beyond trailers", "RFC 9113 §8.2.2", &[METHOD, SCHEME, HOST, TARGET, (b"te", b"gzip")], Ended),
    ("a length without body", "RFC 9113 §8.1.1 (H2.CL)", &[METHOD, SCHEME, HOST, TARGET, (b"content-length", b"5")], Ended),
    ("a length that is no number", "RFC 9113 §8.1.1", &[METHOD, SCHEME, HOST, TARGET, (b"content-length", b"+0")], Ended),
    ("a list of lengths", "RFC 9113 §8.1.1", &[METHOD, SCHEME, HOST, TARGET, (b"content-length", b"0, 0")], Ended),
    ("two lengths", "RFC 9113 §8.1.1", &[METHOD, SCHEME, HOST, TARGET, (b"content-length", b"0"), (b"content-length", b"5")], Ended),
    ("two equal lengths", "RFC 9113 §8.1.1", &[METHOD, SCHEME, HOST, TARGET, (b"content-length", b"0"), (b"content-length", b"0")], BAD),
    // Names and values.
    ("capitals in a name", "RFC 9113 §8.2", &[METHOD, SCHEME, HOST, TARGET, (b"X-Auth-User-Id", b"forged")], Ended),
    ("an empty name", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"", b"y")], Ended),
    ("a space in a name", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x y", b"z")], Ended),
    ("a colon in a name", "RFC 9113 §8.2.1, Kettle 2021", &[METHOD, SCHEME, HOST, TARGET, (b"transfer-encoding: chunked\r\nx", b"y")], Ended),
    ("a line break in a name", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x\r\ny", b"z")], Ended),
    ("a NUL in a name", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x\0", b"z")], Ended),
    ("a line break in a value", "CVE-2021-33193, RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b"y\r\nTransfer-Encoding: chunked")], Ended),
    ("a line feed in a value", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b"y\nX-Auth-User-Role: admin")], Ended),
    ("a carriage return in a value", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b"y\rz")], Ended),
    ("a NUL in a value", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b"y\0")], Ended),
    ("a whole request in a value", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b"\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")], Ended),
    ("a space before a value", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b" y")], BAD),
    ("a tab behind a value", "RFC 9113 §8.2.1", &[METHOD, SCHEME, HOST, TARGET, (b"x", b"y\t")], BAD),
    // Methods that are no requests for a service.
    ("CONNECT", "RFC 9113 §8.5", &[(b":method", b"CONNECT"), HOST, (b"x", b"{path}")], Answer(501, "not_implemented")),
    ("CONNECT with a path", "RFC 9113 §8.5", &[(b":method", b"CONNECT"), SCHEME, HOST, TARGET], Ended),
    ("an extended CONNECT for another protocol", "RFC 8441 §4", &[(b":method", b"CONNECT"), (b":protocol", b"connect-udp"), SCHEME, HOST, TARGET], Answer(501, "not_implemented")),
    ("an extended GET", "RFC 8441 §4", &[METHOD, (b":protocol", b"websocket"), SCHEME, HOST, TARGET], Ended),
    ("an extended CONNECT for HTTP/2 itself", "RFC 8441 §4", &[CONNECT, (b":protocol", b"h2c"), SCHEME, HOST, TARGET], Answer(501, "not_implemented")),
    ("an extended CONNECT for nothing", "RFC 8441 §4", &[CONNECT, (b":protocol", b""), SCHEME, HOST, TARGET], Answer(501, "not_implemented")),
    ("an extended CONNECT for two protocols", "RFC 9113 §8.3", &[CONNECT, SOCKET, (b":protocol", b"h2c"), SCHEME, HOST, TARGET], Ended),
    ("an extended CONNECT whose protocol comes late", "RFC 9113 §8.3", &[CONNECT, SCHEME, HOST, TARGET, (b"x", b"y"), SOCKET], Ended),
    ("an extended CONNECT without a path", "RFC 8441 §4", &[CONNECT, SOCKET, SCHEME, HOST, (b"x", b"{path}")], Ended),
    ("an extended CONNECT without a scheme", "RFC 8441 §4", &[CONNECT, SOCKET, HOST, TARGET], Ended),
    ("an extended CONNECT with a connection list", "RFC 9113 §8.2.2", &[CONNECT, SOCKET, SCHEME, HOST, TARGET, (b"connection", b"upgrade")], Ended),
    ("an extended CONNECT with an upgrade", "RFC 9113 §8.2.2", &[CONNECT, SOCKET, SCHEME, HOST, TARGET, (b"upgrade", b"websocket")], Ended),
    ("an extended CONNECT with chunks", "RFC 9113 §8.2.2", &[CONNECT, SOCKET, SCHEME, HOST, TARGET, (b"transfer-encoding", b"chunked")], Ended),
    ("an extended CONNECT to another path", "RFC 3986 §5.2.4", &[CONNECT, SOCKET, SCHEME, HOST, (b":path", b"{path}/../../../x")], PATH),
    ("an extended CONNECT with a backslash", "WHATWG URL", &[CONNECT, SOCKET, SCHEME, HOST, (b":path", b"{path}\\x")], PATH),
    ("an extended CONNECT to the gateway's own", "RFC 8441 §4", &[CONNECT, SOCKET, SCHEME, HOST, (b":path", b"/api/auth/me?{path}")], Answer(501, "not_implemented")),
    ("an extended CONNECT to another host", "RFC 9113 §8.3.1", &[CONNECT, SOCKET, SCHEME, HOST, TARGET, (b"host", b"evil.example")], BAD),
    ("an extended CONNECT in small letters", "RFC 8441 §4", &[(b":method", b"connect"), SOCKET, SCHEME, HOST, TARGET], Ended),
    ("an extended POST", "RFC 8441 §4", &[POST, SOCKET, SCHEME, HOST, TARGET], Ended),
    ("TRACE", "CWE-693 (XST)", &[(b":method", b"TRACE"), SCHEME, HOST, TARGET], Answer(501, "not_implemented")),
    ("small letters in the method", "RFC 9110 §9.1 (Django, Werkzeug)", &[(b":method", b"delete"), SCHEME, HOST, TARGET], Answer(501, "not_implemented")),
];

#[tokio::test]
async fn a_head_that_http1_could_not_carry_is_refused() {
    let mut stage = Stage::start().await;
    let tries = HEADS
        .iter()
        .flat_map(|row| Route::ANSWERING.map(|route| (row, route)));
    let tries = all(tries.map(|(row, route)| {
        let (stage, id) = (&stage, stage.id());
        let bytes = request(&fields(stage, row.2, route, &id));
        async move { (row.0, row.1, row.3, route, outcome(stage, &bytes, id).await) }
    }))
    .await;
    judge("pseudo-headers", &mut stage, &tries).await;
}

/// Frames, each connection's whole content behind the preface.
type Sent = (&'static str, &'static str, fn(&Head) -> Vec<u8>, Wants);

/// A good request's fields, to be put into frames: of a GET, and of a POST.
struct Head {
    get: Vec<u8>,
    post: Vec<u8>,
    length_five: Vec<u8>,
}

#[rustfmt::skip]
const FRAMES: &[Sent] = &[
    // Bodies against their length.
    ("less data than the length", "RFC 9113 §8.1.1 (H2.CL)", |head| [frame(HEADERS, END_HEADERS, 1, &head.length_five), frame(DATA, END_STREAM, 1, b"hel")].concat(), Ended),
    ("more data than the length", "RFC 9113 §8.1.1 (H2.CL)", |head| [frame(HEADERS, END_HEADERS, 1, &head.length_five), frame(DATA, END_STREAM, 1, b"hello GET /smuggled")].concat(), Ended),
    ("no data at all", "RFC 9113 §8.1.1", |head| [frame(HEADERS, END_HEADERS, 1, &head.length_five), frame(DATA, END_STREAM, 1, b"")].concat(), Ended),
    ("data as long as it says", "RFC 9113 §8.1.1", |head| [frame(HEADERS, END_HEADERS, 1, &head.length_five), frame(DATA, END_STREAM, 1, b"hello")].concat(), Arrives),
    // Trailers.
    ("a pseudo-header among trailers", "RFC 9113 §8.1 (dropped)", |head| [frame(HEADERS, END_HEADERS, 1, &head.post), frame(HEADERS, WHOLE, 1, &block(&[(b":path", b"/smuggled")]))].concat(), Arrives),
    ("trailers that do not end", "RFC 9113 §8.1", |head| [frame(HEADERS, END_HEADERS, 1, &head.post), frame(HEADERS, END_HEADERS, 1, &block(&[(b"x", b"y")]))].concat(), Ended),
    ("a line break in a trailer", "RFC 9113 §8.2.1", |head| [frame(HEADERS, END_HEADERS, 1, &head.post), frame(HEADERS, WHOLE, 1, &block(&[(b"x", b"y\r\nz: a")]))].concat(), Ended),
    ("a trailer that forges", "RFC 9110 §6.5.1", |head| [frame(HEADERS, END_HEADERS, 1, &head.post), frame(HEADERS, WHOLE, 1, &block(&[("x-auth-user-id", "forged"), ("x_auth_user_role", "forged"), ("content-length", "9")]))].concat(), Arrives),
    // Streams.
    ("a body without a head", "RFC 9113 §5.1", |_| frame(DATA, END_STREAM, 1, b"GET /smuggled"), Gone),
    ("a body on no stream", "RFC 9113 §6.1", |_| frame(DATA, END_STREAM, 0, b"x"), Gone),
    ("a head on no stream", "RFC 9113 §6.2", |head| frame(HEADERS, WHOLE, 0, &head.get), Gone),
    ("a head on a server's stream", "RFC 9113 §5.1.1", |head| frame(HEADERS, WHOLE, 2, &head.get), Gone),
    ("a stream below the last one", "RFC 9113 §5.1.1", |_| [frame(HEADERS, WHOLE, 5, b"\x00"), frame(HEADERS, WHOLE, 3, b"\x00")].concat(), Gone),
    ("a reset of no stream", "RFC 9113 §6.4", |_| frame(RST_STREAM, 0, 0, &[0, 0, 0, 8]), Gone),
    ("a reset of a stream that is not there", "RFC 9113 §6.4", |_| frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), Gone),
    ("a push by a client", "RFC 9113 §8.4", |head| frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], &head.get[..]].concat()), Gone),
    ("data behind the end", "RFC 9113 §5.1", |head| [frame(HEADERS, WHOLE, 1, &head.get), frame(DATA, END_STREAM, 1, b"GET /smuggled")].concat(), Late),
    // Header blocks.
    ("a head that is broken off by another frame", "RFC 9113 §6.10", |head| [frame(HEADERS, END_STREAM, 1, &head.get), frame(DATA, 0, 1, b"x")].concat(), Gone),
    ("a head that goes on on another stream", "RFC 9113 §6.10", |head| [frame(HEADERS, END_STREAM, 1, &head.get), frame(CONTINUATION, END_HEADERS, 3, b"")].concat(), Gone),
    ("a continuation of nothing", "RFC 9113 §6.10", |head| frame(CONTINUATION, END_HEADERS, 1, &head.get), Gone),
    ("an index that is not there", "RFC 7541 §2.3.3", |_| frame(HEADERS, WHOLE, 1, &[0xff, 0x7f]), Gone),
    ("the index 0", "RFC 7541 §6.1", |_| frame(HEADERS, WHOLE, 1, &[0x80]), Gone),
    ("a length beyond the block", "RFC 7541 §5.2", |_| frame(HEADERS, WHOLE, 1, &[0x00, 0x05, b'x']), Gone),
    ("a number without end", "RFC 7541 §5.1", |_| frame(HEADERS, WHOLE, 1, &[0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), Gone),
    ("Huffman's end of string", "RFC 7541 §5.2", |_| frame(HEADERS, WHOLE, 1, &[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]), Gone),
    ("a table larger than allowed", "RFC 7541 §6.3", |_| frame(HEADERS, WHOLE, 1, &[0x3f, 0xff, 0xff, 0x7f]), Gone),
    ("padding longer than the frame", "RFC 9113 §6.2", |_| frame(HEADERS, WHOLE | 8, 1, &[9, 0x82]), Gone),
    // Frames about the connection.
    ("settings of a stream", "RFC 9113 §6.5", |_| frame(SETTINGS, 0, 1, &[]), Gone),
    ("settings of five bytes", "RFC 9113 §6.5", |_| frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0]), Gone),
    ("an acknowledgement that says something", "RFC 9113 §6.5", |_| frame(SETTINGS, 1, 0, &[0, 1, 0, 0, 0, 0]), Gone),
    ("a window beyond all", "RFC 9113 §6.5.2", |_| frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]), Gone),
    ("a frame size below all", "RFC 9113 §6.5.2", |_| frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), Gone),
    ("a window opened by nothing", "RFC 9113 §6.9", |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 0]), Gone),
    ("a window opened too far", "RFC 9113 §6.9.1", |_| [frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])].concat(), Gone),
    ("a ping of seven bytes", "RFC 9113 §6.7", |_| frame(PING, 0, 0, &[0; 7]), Gone),
    ("a ping of a stream", "RFC 9113 §6.7", |_| frame(PING, 0, 1, &[0; 8]), Gone),
    ("a goodbye of a stream", "RFC 9113 §6.8", |_| frame(GOAWAY, 0, 1, &[0; 8]), Gone),
    ("a frame larger than agreed", "RFC 9113 §4.2", |_| frame(DATA, 0, 1, &[0; 16_385]), Gone),
    ("HTTP/1.1 in the place of frames", "RFC 9113 §3.4", |_| b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Gone),
];

#[tokio::test]
async fn frames_that_break_the_protocol_end_their_stream_or_the_connection() {
    let mut stage = Stage::start().await;
    let tries = FRAMES
        .iter()
        .flat_map(|row| Route::ANSWERING.map(|route| (row, route)));
    let tries = all(tries.map(|(row, route)| {
        let (stage, id) = (&stage, stage.id());
        let head =
            |fields_of: &'static [(&[u8], &[u8])]| block(&fields(stage, fields_of, route, &id));
        let head = Head {
            get: head(&[METHOD, SCHEME, HOST, TARGET]),
            post: head(&[POST, SCHEME, HOST, TARGET]),
            length_five: head(&[POST, SCHEME, HOST, TARGET, (b"content-length", b"5")]),
        };
        let bytes = row.2(&head);
        async move { (row.0, row.1, row.3, route, outcome(stage, &bytes, id).await) }
    }))
    .await;
    judge("frames", &mut stage, &tries).await;
}

type Try = (&'static str, &'static str, Wants, Route, (Outcome, String));

async fn outcome(stage: &Stage, bytes: &[u8], id: String) -> (Outcome, String) {
    let mut frames = Frames::open(&stage.world).await;
    frames.send(bytes).await;
    (frames.outcome(1).await, id)
}

async fn judge(table: &str, stage: &mut Stage, tries: &[Try]) {
    let kept = stage.end().await;
    let wrong = tries
        .iter()
        .filter_map(|(name, rule, wants, route, (outcome, id))| {
            let arrived: Vec<_> = kept.about(id).collect();
            let why = judged(*wants, outcome, &arrived).err()?;
            Some(format!("{name} ({rule}), {route:?}: {why}"))
        });
    let wrong: Vec<_> = wrong.collect();
    verdict(table, tries.len(), &wrong, &kept);
}

fn judged(wants: Wants, outcome: &Outcome, arrived: &[&Message]) -> Result<(), String> {
    let is_gone = matches!(outcome, Outcome::Gone(Some(1..)));
    let is_right = match wants {
        Ended => is_gone || matches!(outcome, Outcome::Reset(1..)),
        Gone | Late => is_gone,
        Answer(status, code) => *outcome == Outcome::Answer(status, code.to_owned()),
        Arrives => *outcome == Outcome::Answer(200, String::new()),
    };
    let is_fine =
        |message: &Message| message.is_whole && !message.has("forged") && !message.has("smuggled");
    match (wants, arrived) {
        _ if !is_right => Err(outcome.to_string()),
        (Arrives | Late, [only]) if is_fine(only) => Ok(()),
        // A request may have begun to be forwarded before its body broke.
        (Ended, [only]) if !only.is_whole => Ok(()),
        (Ended | Gone | Late | Answer(..), []) => Ok(()),
        _ => Err(format!("{outcome}, and there arrived {arrived:?}")),
    }
}

/// The fields of a row with its place put in, and with the route's credential.
fn fields(
    stage: &Stage,
    row: &[(&[u8], &[u8])],
    route: Route,
    id: &str,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let place = Place {
        listener: Listener::Tls,
        route,
    };
    let fields = row.iter().map(|(name, value)| {
        let value = stage.fill(value, place, id);
        (name.to_vec(), value)
    });
    let credential = stage.credential(route).into_iter();
    let credential = credential.map(|(name, value)| (name.to_ascii_lowercase(), value));
    fields.chain(credential).collect()
}
