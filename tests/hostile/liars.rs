//! Services that lie over HTTP/2: what they say is answered with 502 or seen to be cut off, is never another
//! client's answer, and their connection is no trap for those who come next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};

use crate::ask::all;
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PUSH_PROMISE, RST_STREAM,
    SETTINGS, WHOLE, WINDOW_UPDATE, block, frame, head,
};
use crate::stage::tell;
use crate::support::message::{Answer, Call};
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::{Client, Version, World};

/// What a service says to the first request, which is on stream 1, and what its client may get.
type Row = (
    &'static str,
    &'static str,
    fn() -> Vec<u8>,
    &'static [&'static str],
);

const BROKEN: &[&str] = &["502 upstream_broken"];
const CUT: &[&str] = &["cut", "502 upstream_broken"];
const PASSED: &[&str] = &["200 ok"];
/// Sent again, since the service has not acted on it, or given up where there is nobody else to ask.
const AGAIN: &[&str] = &["200 mine", "502 upstream_broken"];
/// What is no field of an answer may be dropped as well.
const BROKEN_OR_DROPPED: &[&str] = &["502 upstream_broken", "200 "];
/// The service may still answer, until it is too late.
const BROKEN_OR_LATE: &[&str] = &["502 upstream_broken", "504 upstream_timeout"];
/// The answer was whole, and what came behind it may have come too early to tell them apart.
const WHOLE_OR_CUT: &[&str] = &["200 ok", "cut", "502 upstream_broken"];

fn fields(flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags, 1, &block(fields))
}

/// A head alone, with more fields.
fn whole(more: &[(&str, &str)]) -> Vec<u8> {
    let all = [&[(":status", "200")], more].concat();
    fields(WHOLE, &all)
}

/// A head with more fields and this body.
fn with_body(more: &[(&str, &str)], body: &str) -> Vec<u8> {
    let all = [&[(":status", "200")], more].concat();
    let data = frame(DATA, END_STREAM, 1, body.as_bytes());
    [fields(END_HEADERS, &all), data].concat()
}

fn ok() -> Vec<u8> {
    with_body(&[], "ok")
}

/// This, and a good answer behind it.
fn then_ok(bytes: Vec<u8>) -> Vec<u8> {
    [bytes, ok()].concat()
}

fn head_then(behind: Vec<u8>) -> Vec<u8> {
    [fields(END_HEADERS, &[(":status", "200")]), behind].concat()
}

fn trailers(flags: u8, lines: &[(&str, &str)]) -> Vec<u8> {
    [frame(DATA, 0, 1, b"ok"), fields(flags, lines)].concat()
}

fn goodbye(last: u8, code: u8) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, code])
}

fn setting(name: u8, value: u32) -> Vec<u8> {
    frame(
        SETTINGS,
        0,
        0,
        &[&[0, name][..], &value.to_be_bytes()].concat(),
    )
}

fn raw_head(block: &[u8]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, block)
}

/// A head that goes on in so many frames of this size.
fn endless(frames: usize, size: usize) -> Vec<u8> {
    let first = frame(HEADERS, END_STREAM, 1, &block(&[(":status", "200")]));
    // `accept-encoding: gzip, deflate`, one byte each (RFC 7541, Appendix A).
    let more = frame(CONTINUATION, 0, 1, &vec![0x90; size]);
    [first, more.repeat(frames)].concat()
}

fn large(bytes: usize) -> Vec<u8> {
    let value = "x".repeat(bytes);
    head(&block(&[(":status", "200"), ("x-large", &value)]))
}

fn interim(count: usize) -> Vec<u8> {
    then_ok(fields(END_HEADERS, &[(":status", "103")]).repeat(count))
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("an answer", "RFC 9113 §8.1", ok, PASSED),
    // What an answer is made of.
    ("a body without a head", "RFC 9113 §8.1", || frame(DATA, END_STREAM, 1, b"ok"), BROKEN),
    ("no status", "RFC 9113 §8.3.2", || fields(WHOLE, &[("x-a", "b")]), BROKEN),
    ("two statuses", "RFC 9113 §8.3", || fields(WHOLE, &[(":status", "200"), (":status", "204")]), BROKEN),
    ("a status that is no number", "RFC 9113 §8.3.2", || fields(WHOLE, &[(":status", "abc")]), BROKEN),
    ("a status of two digits", "RFC 9113 §8.3.2", || fields(WHOLE, &[(":status", "20")]), BROKEN),
    ("a status of four digits", "RFC 9113 §8.3.2", || fields(WHOLE, &[(":status", "2000")]), BROKEN),
    ("an empty status", "RFC 9113 §8.3.2", || fields(WHOLE, &[(":status", "")]), BROKEN),
    ("a status behind the fields", "RFC 9113 §8.3", || fields(WHOLE, &[("x-a", "b"), (":status", "200")]), BROKEN),
    ("a path in an answer", "RFC 9113 §8.3", || whole(&[(":path", "/poison")]), BROKEN_OR_DROPPED),
    ("a method in an answer", "RFC 9113 §8.3", || whole(&[(":method", "GET")]), BROKEN_OR_DROPPED),
    ("a pseudo-header that there is not", "RFC 9113 §8.3", || whole(&[(":poison", "x")]), BROKEN),
    ("a name in capitals", "RFC 9113 §8.2.1", || whole(&[("X-A", "b")]), BROKEN),
    ("a name with a space", "RFC 9113 §8.2.1", || whole(&[("x a", "b")]), BROKEN),
    ("a name with a colon", "RFC 9113 §8.2.1", || whole(&[("x:a", "b")]), BROKEN),
    ("a name with a line break", "RFC 9113 §8.2.1, CVE-2019-19330 (HAProxy)", || whole(&[("x\r\nx-poison", "b")]), BROKEN),
    ("an empty name", "RFC 9113 §8.2.1", || whole(&[("", "b")]), BROKEN),
    ("a value with a line break", "RFC 9113 §8.2.1, CVE-2019-19330", || whole(&[("x-a", "b\r\nx-poison: c")]), BROKEN),
    ("a value with a line feed", "RFC 9113 §8.2.1", || whole(&[("x-a", "b\nx-poison: c")]), BROKEN),
    ("a value with a carriage return", "RFC 9113 §8.2.1", || whole(&[("x-a", "b\rc")]), BROKEN),
    ("a value with a NUL", "RFC 9113 §8.2.1", || whole(&[("x-a", "b\0c")]), BROKEN),
    ("a value with a space in front", "RFC 9113 §8.2.1", || whole(&[("x-a", " b")]), BROKEN),
    ("a value with a tab behind", "RFC 9113 §8.2.1", || whole(&[("x-a", "b\t")]), BROKEN),
    // What belongs to HTTP/1.1.
    ("a connection list", "RFC 9113 §8.2.2", || whole(&[("connection", "x-a")]), BROKEN),
    ("chunks", "RFC 9113 §8.2.2", || whole(&[("transfer-encoding", "chunked")]), BROKEN),
    ("a kept connection", "RFC 9113 §8.2.2", || whole(&[("keep-alive", "timeout=5")]), BROKEN),
    ("a proxy's connection", "RFC 9113 §8.2.2", || whole(&[("proxy-connection", "close")]), BROKEN),
    ("an upgrade", "RFC 9113 §8.2.2", || whole(&[("upgrade", "h2c")]), BROKEN),
    ("a switch of protocols", "RFC 9113 §8.6", || fields(WHOLE, &[(":status", "101")]), BROKEN),
    ("HTTP/1.1 itself", "RFC 9113 §3.4", || b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(), BROKEN),
    // Two readings of its end.
    ("more than its length", "RFC 9113 §8.1.1", || with_body(&[("content-length", "2")], "okpoison"), CUT),
    ("less than its length", "RFC 9113 §8.1.1", || with_body(&[("content-length", "6")], "ok"), CUT),
    ("a length and no body", "RFC 9113 §8.1.1", || whole(&[("content-length", "6")]), BROKEN),
    ("no length and a body", "RFC 9113 §8.1.1", || with_body(&[("content-length", "0")], "poison"), &["cut", "200 ", "502 upstream_broken"]),
    ("two lengths", "RFC 9110 §8.6", || with_body(&[("content-length", "2"), ("content-length", "6")], "ok"), BROKEN),
    ("the same length twice", "RFC 9110 §8.6", || with_body(&[("content-length", "2"), ("content-length", "2")], "ok"), BROKEN),
    ("a list of lengths", "RFC 9110 §8.6", || with_body(&[("content-length", "2, 2")], "ok"), BROKEN),
    ("a length with a sign", "RFC 9110 §8.6", || with_body(&[("content-length", "+2")], "ok"), BROKEN),
    ("a length that is no number", "RFC 9110 §8.6", || with_body(&[("content-length", "two")], "ok"), BROKEN),
    ("a length beyond all", "RFC 9110 §8.6 (overflow)", || with_body(&[("content-length", "99999999999999999999")], "ok"), BROKEN),
    ("a body where there is none", "RFC 9110 §15.3.5", || [fields(END_HEADERS, &[(":status", "204")]), frame(DATA, END_STREAM, 1, b"poison")].concat(), &["204 ", "502 upstream_broken"]),
    ("a body of what was not modified", "RFC 9110 §15.4.5", || [fields(END_HEADERS, &[(":status", "304")]), frame(DATA, END_STREAM, 1, b"poison")].concat(), &["304 ", "502 upstream_broken"]),
    ("the length of what was not modified", "RFC 9110 §15.4.5", || fields(WHOLE, &[(":status", "304"), ("content-length", "6")]), &["304 "]),
    ("an end that comes apart", "RFC 9113 §8.1", || [with_head_of_two(), frame(DATA, 0, 1, b"ok"), frame(DATA, END_STREAM, 1, b"")].concat(), PASSED),
    ("data behind the end", "RFC 9113 §5.1", || [ok(), frame(DATA, END_STREAM, 1, b"poison")].concat(), WHOLE_OR_CUT),
    ("a second answer", "RFC 9113 §8.1", || [ok(), with_body(&[], "poison")].concat(), WHOLE_OR_CUT),
    ("padding longer than its frame", "RFC 9113 §6.1", || head_then(frame(DATA, END_STREAM | 8, 1, &[200, b'x'])), CUT),
    // Interim answers.
    ("some interim answers", "RFC 9110 §15.2", || interim(3), PASSED),
    ("interim answers without end", "SECURITY.md, Bounds", || interim(200), BROKEN),
    ("an interim answer that ends it", "RFC 9113 §8.1", || fields(WHOLE, &[(":status", "103")]), BROKEN),
    // Trailers.
    ("a status in trailers", "RFC 9113 §8.1", || head_then(trailers(WHOLE, &[(":status", "500")])), WHOLE_OR_CUT),
    ("trailers that are not the end", "RFC 9113 §8.1", || head_then(trailers(END_HEADERS, &[("x-a", "b")])), CUT),
    ("trailers in capitals", "RFC 9113 §8.2.1", || head_then(trailers(WHOLE, &[("X-A", "b")])), CUT),
    ("trailers with a space in front", "RFC 9113 §8.2.1", || head_then(trailers(WHOLE, &[("x-a", " b")])), CUT),
    ("identity in trailers", "RFC 9110 §6.5.1", || head_then(trailers(WHOLE, &[("x-auth-user-id", "poison"), ("set-cookie", "poison")])), PASSED),
    // The ends of streams.
    ("a reset", "RFC 9113 §5.4.2", || frame(RST_STREAM, 0, 1, &[0, 0, 0, 2]), BROKEN),
    ("a reset without an error", "RFC 9113 §8.1", || frame(RST_STREAM, 0, 1, &[0, 0, 0, 0]), BROKEN),
    ("a reset that refuses", "RFC 9113 §8.7", || frame(RST_STREAM, 0, 1, &[0, 0, 0, 7]), AGAIN),
    ("a reset behind the head", "RFC 9113 §5.4.2", || head_then(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])), CUT),
    ("a refusal behind the head", "RFC 9113 §8.7", || head_then(frame(RST_STREAM, 0, 1, &[0, 0, 0, 7])), CUT),
    ("a reset behind the end", "RFC 9113 §8.1", || [ok(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 0])].concat(), PASSED),
    ("a short reset", "RFC 9113 §6.4", || frame(RST_STREAM, 0, 1, &[0, 0]), BROKEN),
    ("a reset of nothing", "RFC 9113 §6.4", || then_ok(frame(RST_STREAM, 0, 0, &[0; 4])), BROKEN),
    ("a reset of what was never begun", "RFC 9113 §6.4", || then_ok(frame(RST_STREAM, 0, 9, &[0; 4])), BROKEN),
    // The ends of connections.
    ("a goodbye before it", "RFC 9113 §6.8", || goodbye(0, 0), AGAIN),
    ("a goodbye in anger before it", "RFC 9113 §6.8", || goodbye(0, 11), AGAIN),
    ("a goodbye in anger after it", "RFC 9113 §6.8", || goodbye(1, 11), BROKEN_OR_LATE),
    ("a goodbye behind it", "RFC 9113 §6.8", || [ok(), goodbye(1, 0)].concat(), PASSED),
    ("a goodbye on a stream", "RFC 9113 §6.8", || frame(GOAWAY, 0, 1, &[0; 8]), BROKEN),
    ("a short goodbye", "RFC 9113 §6.8", || frame(GOAWAY, 0, 0, &[0; 4]), &["502 upstream_broken", "200 mine"]),
    // Streams that are not ours.
    ("an answer on a stream that we did not begin", "RFC 9113 §5.1", || frame(HEADERS, WHOLE, 3, &block(&[(":status", "200")])), BROKEN),
    ("an answer on a stream of the service's", "RFC 9113 §5.1.1", || frame(HEADERS, WHOLE, 2, &block(&[(":status", "200")])), BROKEN),
    ("an answer on no stream", "RFC 9113 §6.2", || frame(HEADERS, WHOLE, 0, &block(&[(":status", "200")])), BROKEN),
    ("data on no stream", "RFC 9113 §6.1", || frame(DATA, END_STREAM, 0, b"poison"), BROKEN),
    ("a push", "RFC 9113 §8.4", || then_ok(frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/poison")])].concat())), BROKEN),
    // Frames.
    ("a frame that is too large", "RFC 9113 §4.2", || head_then(frame(DATA, END_STREAM, 1, &vec![b'x'; 16_385])), CUT),
    ("a frame that nobody knows", "RFC 9113 §4.1", || then_ok(frame(0x55, 0xff, 1, b"poison")), PASSED),
    ("many empty frames", "CVE-2019-9518", || [fields(END_HEADERS, &[(":status", "200")]), frame(DATA, 0, 1, b"").repeat(50), frame(DATA, END_STREAM, 1, b"ok")].concat(), WHOLE_OR_CUT),
    ("a head that is not continued", "RFC 9113 §6.10", || [frame(HEADERS, END_STREAM, 1, &block(&[(":status", "200")])), frame(PING, 0, 0, &[0; 8])].concat(), BROKEN),
    ("a continuation of nothing", "RFC 9113 §6.10", || then_ok(frame(CONTINUATION, END_HEADERS, 1, &block(&[("x-a", "b")]))), BROKEN),
    ("a continuation on another stream", "RFC 9113 §6.10", || [frame(HEADERS, END_STREAM, 1, &block(&[(":status", "200")])), frame(CONTINUATION, END_HEADERS, 3, &block(&[("x-a", "b")]))].concat(), BROKEN),
    ("continuations without end", "CVE-2024-27316", || endless(64, 16_384), BROKEN),
    ("small continuations without end", "CVE-2024-27316", || endless(2_000, 1), BROKEN),
    ("a head beyond its bound", "SECURITY.md, Bounds", || large(70_000), BROKEN),
    ("more headers than there may be", "SECURITY.md, Bounds", || whole(&[("x-a", "b"); 101]), BROKEN),
    ("a ping of seven bytes", "RFC 9113 §6.7", || then_ok(frame(PING, 0, 0, &[0; 7])), BROKEN),
    ("a ping on a stream", "RFC 9113 §6.7", || then_ok(frame(PING, 0, 1, &[0; 8])), BROKEN),
    ("an answer to no ping", "CVE-2019-9512", || then_ok(frame(PING, 1, 0, &[7; 8]).repeat(50)), PASSED),
    // Settings and windows.
    ("settings that end too early", "RFC 9113 §6.5", || then_ok(frame(SETTINGS, 0, 0, &[0; 5])), BROKEN),
    ("settings on a stream", "RFC 9113 §6.5", || then_ok(frame(SETTINGS, 0, 1, &[])), BROKEN),
    ("an answer to settings with settings", "RFC 9113 §6.5", || then_ok(frame(SETTINGS, 1, 0, &[0; 6])), BROKEN),
    ("a window beyond all", "RFC 9113 §6.5.2", || then_ok(setting(4, 1 << 31)), BROKEN),
    ("frames smaller than may be", "RFC 9113 §6.5.2", || then_ok(setting(5, 16_383)), BROKEN),
    ("frames larger than may be", "RFC 9113 §6.5.2", || then_ok(setting(5, 1 << 24)), BROKEN),
    ("a table beyond all", "RFC 7541 §4.2", || then_ok(setting(1, u32::MAX)), PASSED),
    ("a setting that there is not", "RFC 9113 §6.5.2", || then_ok(setting(0xff, 7)), PASSED),
    ("many settings", "CVE-2019-9515", || then_ok(setting(3, 100).repeat(50)), PASSED),
    ("no streams any more", "RFC 9113 §5.1.2", || then_ok(setting(3, 0)), PASSED),
    ("a window that opens by nothing", "RFC 9113 §6.9", || then_ok(frame(WINDOW_UPDATE, 0, 0, &[0; 4])), BROKEN),
    ("a window that opens beyond all", "RFC 9113 §6.9.1", || then_ok(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])), BROKEN),
    ("a window update of three bytes", "RFC 9113 §6.9", || then_ok(frame(WINDOW_UPDATE, 0, 0, &[0; 3])), BROKEN),
    // HPACK.
    ("an index of nothing", "RFC 7541 §6.1", || raw_head(&[0x80]), BROKEN),
    ("an index beyond the table", "RFC 7541 §2.3.3", || raw_head(&[0x88, 0xff, 0x20]), BROKEN),
    ("a number without end", "RFC 7541 §5.1", || raw_head(&[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), BROKEN),
    ("a text that ends too early", "RFC 7541 §5.2", || raw_head(&[0x88, 0x00, 0x7f, b'x']), BROKEN),
    ("Huffman's code with its end", "RFC 7541 §5.2", || raw_head(&[0x88, 0x00, 0x01, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]), BROKEN),
    ("a table larger than ours", "RFC 7541 §6.3", || raw_head(&[0x3f, 0xff, 0xff, 0x7f, 0x88]), BROKEN),
];

fn with_head_of_two() -> Vec<u8> {
    fields(END_HEADERS, &[(":status", "200"), ("content-length", "2")])
}

/// A service that says what its row says to the first request, and answers every other one.
async fn liar(row: fn() -> Vec<u8>, listener: TcpListener) {
    let is_first = Arc::new(AtomicBool::new(true));
    // Ends with the test.
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(lie(row, stream, Arc::clone(&is_first)));
    }
}

async fn lie(row: fn() -> Vec<u8>, stream: TcpStream, is_first: Arc<AtomicBool>) -> Option<()> {
    let mut wire = Wire::of_plain(stream);
    wire.exactly(24).await.ok()?;
    wire.try_send(frame(SETTINGS, 0, 0, &[])).await.ok()?;
    loop {
        let head = wire.exactly(9).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        wire.exactly(length.try_into().unwrap()).await.ok()?;
        if head[3] != HEADERS {
            continue;
        }
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        let said = if is_first.swap(false, Ordering::SeqCst) {
            row()
        } else {
            let head = frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")]));
            [head, frame(DATA, END_STREAM, stream, b"mine")].concat()
        };
        wire.try_send(said).await.ok()?;
    }
}

async fn answer(client: &mut Client, call: &Call) -> Option<Answer> {
    client.try_call(call).await
}

fn told(answer: Option<&Answer>) -> String {
    let Some(answer) = answer else {
        return "cut".to_owned();
    };
    let is_problem = answer.headers.get("content-type") == Some("application/problem+json");
    if is_problem {
        format!("{} {}", answer.status, answer.code())
    } else {
        let body = String::from_utf8_lossy(&answer.body);
        format!("{} {body}", answer.status)
    }
}

async fn tried(world: &World, (index, row): (usize, &Row), version: Version) -> Result<(), String> {
    let (name, rule, _, wants) = row;
    let wrong = |why: String| Err(format!("{name} ({rule}), {version:?}: {why}"));
    let path = format!("/{index}-{version:?}");
    let call = Call::get(&format!("{path}/first")).header("TE", "trailers");
    let first = answer(&mut world.client(version).await, &call).await;
    let seen = told(first.as_ref());
    if !wants.contains(&seen.as_str()) {
        return wrong(format!("answered {seen:?}"));
    }
    if first.is_some_and(|answer| format!("{answer:?}").contains("poison")) {
        return wrong("the client was poisoned".to_owned());
    }
    // Others are answered, be it once what was broken is seen to be.
    let mut seen = String::new();
    for _ in 0..3 {
        let call = Call::get(&format!("{path}/second"));
        let second = answer(&mut world.client(version).await, &call).await;
        seen = told(second.as_ref());
        if seen == "200 mine" {
            return Ok(());
        }
    }
    wrong(format!("the second client got {seen:?}"))
}

#[tokio::test]
async fn a_service_that_lies_over_http2_is_told_as_such_and_harms_nobody_else() {
    let mut setup = Setup::new().server("workers = 1");
    for (index, (_, _, row, _)) in ROWS.iter().enumerate() {
        for version in Version::ALL {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let name = format!("liar-{index}-{version:?}").to_lowercase();
            let lines = "protocol = \"h2c\"\nresponse_timeout = \"2s\"";
            let address = listener.local_addr().unwrap();
            let path = format!("/{index}-{version:?}");
            setup =
                setup
                    .upstream_of(&name, &[address], lines)
                    .route(&path, &name, "public = true");
            tokio::spawn(liar(*row, listener));
        }
    }
    let world = setup.start_empty().await;

    let world = &world;
    let rows = ROWS.iter().enumerate();
    let tries = rows.flat_map(|row| Version::ALL.map(|version| tried(world, row, version)));
    let outcomes = Box::pin(all(tries)).await;
    tell("liars", outcomes.len());
    let wrong: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
