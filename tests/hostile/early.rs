//! Answers that come before the body was read: what is left of it is never a request.

use crate::ask::all;
use crate::stage::{Listener, Stage, verdict};
use crate::support::message::Call;
use crate::support::wire::Wire;

/// What is refused, as the lines of its head up to what frames the body, and the status. The answer
/// does not wait for the body.
type Row = (&'static str, &'static str, u16);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("no credential", "POST /signed/{id} HTTP/1.1\r\nHost: a\r\n", 401),
    ("a credential that is none", "POST /signed/{id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n", 401),
    ("two credentials", "POST /signed/{id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n", 400),
    ("another role", "POST /staff/{id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n", 403),
    ("no route", "POST /nowhere/{id} HTTP/1.1\r\nHost: a\r\n", 404),
    ("a path that is refused", "POST /open/%00{id} HTTP/1.1\r\nHost: a\r\n", 400),
    ("a host that is refused", "POST /open/{id} HTTP/1.1\r\nHost: a:b\r\n", 400),
    ("a trace", "TRACE /open/{id} HTTP/1.1\r\nHost: a\r\n", 501),
    ("an upgrade with a body", "GET /open/{id} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n", 400),
    ("no endpoint", "POST /api/auth/{id} HTTP/1.1\r\nHost: a\r\n", 404),
    ("no such method", "PUT /api/auth/login HTTP/1.1\r\nHost: a\r\nX: {id}\r\n", 405),
    ("no JSON", "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nX: {id}\r\n", 415),
    ("a log-out that needs no body", "POST /api/auth/logout HTTP/1.1\r\nHost: a\r\nX: {id}\r\n", 401),
    ("an API call of another role", "POST /api/auth/users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nX: {id}\r\n", 403),
    ("a GET with a body", "GET /api/auth/me HTTP/1.1\r\nHost: a\r\nX: {id}\r\n", 401),
    ("a DELETE with a body", "DELETE /signed/{id} HTTP/1.1\r\nHost: a\r\n", 401),
    ("a client that would wait", "POST /signed/{id} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n", 401),
];

#[derive(Debug, Clone, Copy)]
enum Framing {
    Length,
    Chunked,
    /// A length, and less than that before the client goes.
    CutShort,
}

/// What stands behind the head.
#[derive(Debug, Clone, Copy)]
struct Body {
    framing: Framing,
    size: usize,
}

/// Every framing, and bodies that look like one request and like more than anybody drains.
fn bodies() -> impl Iterator<Item = Body> {
    let framings = [Framing::Length, Framing::Chunked, Framing::CutShort];
    let sizes = |framing| [1, 4000].map(|size| Body { framing, size });
    framings.into_iter().flat_map(sizes)
}

#[tokio::test]
async fn the_body_behind_an_early_answer_is_never_a_request() {
    let mut stage = Stage::start().await;
    let tries = ROWS
        .iter()
        .flat_map(|row| bodies().map(move |body| (row, body)))
        .flat_map(|(row, body)| Listener::ALL.map(|listener| (row, body, listener)));
    let tries = all(tries.map(|(row, body, listener)| {
        let (stage, id) = (&stage, stage.id());
        async move {
            let seen = ask(stage, row, body, listener, &id).await;
            (row, body, listener, id, seen)
        }
    }))
    .await;
    let kept = stage.end().await;

    let wrong = tries.iter().filter_map(|(row, body, listener, id, seen)| {
        let mut arrived = kept.about(id);
        let is_next = |target: &str| target == format!("/open/{id}next");
        let stray = arrived.find(|message| !is_next(&message.target));
        let why = match (seen, stray) {
            (Ok(()), None) => return None,
            (_, Some(message)) => message.text(),
            (Err(why), None) => why.clone(),
        };
        Some(format!("{}, {body:?} {listener:?}: {why}", row.0))
    });
    let wrong: Vec<_> = wrong.collect();
    verdict("early answers", tries.len(), &wrong, &kept);
}

async fn ask(
    stage: &Stage,
    row: &Row,
    body: Body,
    listener: Listener,
    id: &str,
) -> Result<(), String> {
    let Body { framing, size } = body;
    let smuggled = format!("GET /open/{id}smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let text = smuggled.repeat(size);
    let head = row
        .1
        .replace("{id}", id)
        .replace("{token}", &stage.viewer.token);
    let request = match framing {
        Framing::Length => format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()),
        Framing::Chunked => {
            let length = text.len();
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{text}\r\n0\r\n\r\n")
        }
        Framing::CutShort => format!("{head}Content-Length: {}\r\n\r\n{text}", text.len() + 9),
    };
    let mut wire = stage.wire(listener).await;
    let sent = wire.try_send(request).await;
    if matches!(framing, Framing::CutShort) {
        wire.finish().await;
    }
    let answer = wire.try_answer("POST").await;
    let answer = answer.map_err(|end| format!("no answer: {end:?}"))?;
    if answer.status != row.2 {
        return Err(format!("answered {answer:?}"));
    }
    if sent.is_ok() {
        next(&mut wire, id).await?;
    }
    Ok(())
}

/// Where the connection goes on, the next request is the next request.
async fn next(wire: &mut Wire, id: &str) -> Result<(), String> {
    let call = Call::post(&format!("/open/{id}next")).body("hello");
    if wire.try_send(call.bytes()).await.is_err() {
        return Ok(());
    }
    match wire.try_answer("POST").await {
        Ok(answer) if answer.status == 200 && answer.body == "hello" => Ok(()),
        Ok(answer) => Err(format!("the next was answered {answer:?}")),
        Err(_) => Ok(()),
    }
}

/// Bodies that nobody reads take no window from the streams beside them.
#[tokio::test]
async fn refused_uploads_leave_an_http2_connection_to_others() {
    let stage = Stage::start().await;
    let mut http2 = stage.world.http2().await;
    for _ in 0..20 {
        let call = Call::post("/signed").body("x".repeat(100_000));
        let mut stream = http2.begin(&call, false).await;
        let _ = stream.send(call.body.clone(), true).await;
        stream.answer().await.unwrap().expect(401);
    }

    let call = Call::post("/open/next").body("y".repeat(100_000));
    let answer = http2.call(&call).await.expect(200);

    assert_eq!(answer.body.len(), 100_000);
}
