//! Services that frame their answers badly, and exchanges that are cut: what is left on a connection to
//! a service never becomes somebody else's answer.

use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

/// What a service says to the first client, and what that client gets: a status, or nothing.
type Row = (&'static str, &'static str, &'static [u8], &'static [u16]);

/// The answer that is nobody's. Were it read, the second client would get it.
const BAD_GATEWAY: &[u16] = &[502];
const PASSED: &[u16] = &[200];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // More than one answer.
    ("more than its length", "RFC 9112 §6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", PASSED),
    ("two answers", "RFC 9112 §9.3.2", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", PASSED),
    ("an answer behind the chunks", "RFC 9112 §7.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", PASSED),
    ("half an answer behind", "RFC 9112 §9.3.2", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Poison: ", PASSED),
    ("a line break behind", "RFC 9112 §9.3.2", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n", PASSED),
    ("an answer without body that has one", "RFC 9110 §15.3.5", b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", &[204]),
    ("an answer not modified that has one", "RFC 9110 §15.4.5", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", &[304]),
    ("interim answers", "RFC 9110 §15.2", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", PASSED),
    ("a switch that nobody asked for", "RFC 9110 §15.2.2", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", BAD_GATEWAY),
    // Two readings of its end.
    ("two lengths", "RFC 9112 §6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 6\r\n\r\nokpois", BAD_GATEWAY),
    ("a list of lengths", "RFC 9112 §6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 6\r\n\r\nokpois", BAD_GATEWAY),
    ("a length with a sign", "RFC 9110 §8.6", b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", BAD_GATEWAY),
    ("a length below nothing", "RFC 9110 §8.6", b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", BAD_GATEWAY),
    ("a length that is no number", "RFC 9110 §8.6", b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", BAD_GATEWAY),
    ("a length beyond all", "RFC 9110 §8.6 (overflow)", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", BAD_GATEWAY),
    ("a chunk's size that is no number", "RFC 9112 §7.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n", &[0, 502]),
    ("a chunk that does not end", "RFC 9112 §7.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX0\r\n\r\n", &[0, 502]),
    ("chunks in HTTP/1.0", "RFC 9112 §6.1", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", &[0, 200, 502]),
    // What is no answer.
    ("another version", "RFC 9112 §2.3", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("another protocol", "RFC 9112 §2.3", b"220 mail.example ESMTP\r\n", BAD_GATEWAY),
    ("a status of two digits", "RFC 9112 §4", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("a status of four digits", "RFC 9112 §4", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("a status below all", "RFC 9110 §15", b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("a NUL in a header", "RFC 9110 §5.5", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("a name with a space", "RFC 9112 §5.1", b"HTTP/1.1 200 OK\r\nX y: z\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("a line without colon", "RFC 9112 §5", b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n", BAD_GATEWAY),
    ("a request", "RFC 9112 §4", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD_GATEWAY),
];

#[tokio::test]
async fn what_a_service_says_too_much_is_nobodys_answer() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wrong = Vec::new();
    for (name, rule, said, statuses) in ROWS {
        let mut wire = world.wire().await;
        wire.send(Call::get("/first").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.head().await;
        let _ = upstream.try_send(said).await;
        let status = match wire.try_answer("GET").await {
            Ok(answer) => {
                let text = format!("{answer:?}");
                if text.to_ascii_lowercase().contains("poison") {
                    wrong.push(format!("{name} ({rule}): {text}"));
                }
                answer.status
            }
            Err(_) => 0,
        };
        if !statuses.contains(&status) {
            wrong.push(format!("{name} ({rule}): answered {status}"));
        }
        if let Err(why) = second_gets_its_own(&world, &service, upstream).await {
            wrong.push(format!("{name} ({rule}): {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How the first exchange is broken off, on the client's side or the service's.
type Cut = (&'static str, fn(Call) -> Call, &'static [u8]);

#[rustfmt::skip]
const CUTS: &[Cut] = &[
    ("before the answer", |call| call, b""),
    ("within the answer's head", |call| call, b"HTTP/1.1 200 OK\r\nContent-"),
    ("behind the answer's head", |call| call, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
    ("within the answer's body", |call| call, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst half"),
    ("within the answer's chunks", |call| call, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst"),
    ("behind interim answers", |call| call, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ("within its own body", half, b""),
    ("within its own body, answered already", half, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
];

/// Says that there is more of a body than comes.
fn half(mut call: Call) -> Call {
    call.method = "POST".to_owned();
    call.header("Content-Length", "1000")
}

#[tokio::test]
async fn a_connection_whose_exchange_was_cut_is_nobodys_next() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wrong = Vec::new();
    for (name, call, said) in CUTS {
        let call = call(Call::get("/first"));
        let mut wire = world.wire().await;
        wire.send(format!("{}\r\n", call.head())).await;
        let mut upstream = service.accept().await;
        upstream.head().await;
        upstream.send(said).await;
        // The client goes. What the service says from then on is for nobody.
        drop(wire);
        let (_, _) = upstream.rest().await;
        let _ = upstream
            .try_send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
            .await;
        if let Err(why) = second_gets_its_own(&world, &service, upstream).await {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn gateway_before(service: &Scripted) -> World {
    let setup = Setup::new()
        .server("workers = 1")
        .upstream("service", service.address)
        .route("/", "service", "public = true");
    setup.start_empty().await
}

/// Another client asks, over the same connection to the service or a new one, and gets its own answer.
async fn second_gets_its_own(
    world: &World,
    service: &Scripted,
    mut first: Wire,
) -> Result<(), String> {
    let mut wire = world.wire().await;
    wire.send(Call::get("/second").bytes()).await;
    let mut new;
    // Either is told by one event alone: bytes of the request here, or a connection there.
    let upstream = tokio::select! {
        over = first.is_over() => {
            if over {
                new = service.accept().await;
                &mut new
            } else {
                &mut first
            }
        }
        accepted = service.accept() => {
            new = accepted;
            &mut new
        }
    };
    let head = upstream.head().await;
    if !head.line.starts_with("GET /second ") {
        return Err(format!("the service got {head:?}"));
    }
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
        .await;
    let answer = wire.try_answer("GET").await;
    match answer {
        Ok(answer) if answer.status == 200 && answer.body == "mine" => Ok(()),
        other => Err(format!("the second client got {other:?}")),
    }
}
