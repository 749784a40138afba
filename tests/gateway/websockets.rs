//! WebSockets of clients over HTTP/2 (RFC 8441): a stream is what a connection is over HTTP/1.1.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use h2::{Reason, SendStream};

use crate::support::http2::{Http2, Incoming};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::websocket::{BINARY, TEXT, frame};
use crate::support::wire::{End, Head, Wire};
use crate::support::world::World;

/// Both ends of a WebSocket.
struct Open {
    incoming: Incoming,
    sending: SendStream<Bytes>,
    upstream: Wire,
    /// What the service was asked.
    asked: Head,
}

fn accept_of(head: &Head) -> String {
    let key = head.headers.get("sec-websocket-key").unwrap();
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

fn call(credential: &str) -> Call {
    Call::get("/ws?a=b")
        .bearer(credential)
        .header("Sec-WebSocket-Version", "13")
}

async fn open(http2: &mut Http2, service: &Scripted, call: &Call, headers: &str) -> Open {
    let stream = http2.connect("websocket", call).await;
    let mut upstream = service.accept().await;
    let asked = upstream.head().await;
    let accept = accept_of(&asked);
    upstream
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        ))
        .await;
    let (incoming, sending) = stream.both().await.unwrap();
    assert_eq!(incoming.status, 200);
    Open {
        incoming,
        sending,
        upstream,
        asked,
    }
}

async fn world_before(service: &Scripted) -> World {
    Setup::before(service.address).start().await
}

#[tokio::test]
async fn frames_pass_both_ways() {
    let service = Scripted::start().await;
    let world = world_before(&service).await;
    let mut http2 = world.http2().await;
    let call = call(&world.administrator().token).header("Sec-WebSocket-Key", "theirs");
    let mut open = open(&mut http2, &service, &call, "X-Answer: 1\r\n").await;

    assert_eq!(open.asked.line, "GET /ws?a=b HTTP/1.1");
    let asked = &open.asked.headers;
    assert_eq!(asked.get("upgrade"), Some("websocket"));
    assert_eq!(asked.get("connection"), Some("upgrade"));
    assert_eq!(asked.get("sec-websocket-version"), Some("13"));
    assert_ne!(asked.get("sec-websocket-key"), Some("theirs"));
    assert_eq!(asked.get("x-auth-user-role"), Some("admin"));
    assert!(!asked.has("authorization") && !asked.has("transfer-encoding"));
    let told = &open.incoming.headers;
    assert_eq!(told.get("x-answer"), Some("1"));
    for name in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!told.has(name), "{name}");
    }

    open.sending.send_data("up".into(), false).unwrap();
    assert_eq!(open.upstream.exactly(2).await.unwrap(), "up");
    let long = frame(BINARY, &vec![7; 1 << 20]);
    let ((), came) = tokio::join!(open.upstream.send(&long), open.incoming.exactly(long.len()));
    assert!(came == long);

    open.sending.send_data(Bytes::new(), true).unwrap();
    assert_eq!(open.upstream.rest().await, (Bytes::new(), End::Fin));
    open.upstream.send_frame(TEXT, b"bye").await;
    open.upstream.finish().await;
    assert_eq!(open.incoming.exactly(5).await, frame(TEXT, b"bye"));
    ends(open.incoming).await;
}

#[tokio::test]
async fn a_browser_carries_its_credential_among_the_protocols() {
    let service = Scripted::start().await;
    let world = world_before(&service).await;
    let mut http2 = world.http2().await;
    let offered = format!("dariet.bearer.{}", world.administrator().token);

    let call = Call::get("/ws").header("Sec-WebSocket-Protocol", &offered);
    let one = open(&mut http2, &service, &call, "").await;
    assert!(!one.asked.headers.has("sec-websocket-protocol"));
    let chosen = one.incoming.headers.get("sec-websocket-protocol");
    assert_eq!(chosen, Some("dariet.bearer"));

    let offered = format!("chat, {offered}");
    let call = Call::get("/ws").header("Sec-WebSocket-Protocol", &offered);
    let chat = "Sec-WebSocket-Protocol: chat\r\n";
    let other = open(&mut http2, &service, &call, chat).await;
    let passed = other.asked.headers.get("sec-websocket-protocol");
    assert_eq!(passed, Some("chat"));
    let chosen = other.incoming.headers.get("sec-websocket-protocol");
    assert_eq!(chosen, Some("chat"));
}

#[tokio::test]
async fn a_websocket_is_refused_like_any_request() {
    let service = Service::echo().await;
    let setup = Setup::before(service.address).route(
        "/admin",
        "service",
        r#"allow = [{ role = "admin" }]"#,
    );
    let world = setup.start().await;
    let viewer = world.new_user("ada", "viewer").await.token;
    let two = format!("dariet.bearer.{viewer}");
    let mut http2 = world.http2().await;

    for (protocol, call, refusal) in [
        ("websocket", Call::get("/ws"), (401, "credential_missing")),
        (
            "websocket",
            call(&viewer).target("/admin"),
            (403, "not_allowed"),
        ),
        (
            "websocket",
            call(&viewer).header("Sec-WebSocket-Protocol", &two),
            (400, "two_credentials"),
        ),
        (
            "websocket",
            call(&viewer).header("Content-Length", "5"),
            (400, "malformed_request"),
        ),
        (
            "websocket",
            call(&viewer).target("/api/auth/me"),
            (501, "not_implemented"),
        ),
        ("connect-udp", call(&viewer), (501, "not_implemented")),
    ] {
        let stream = http2.connect(protocol, &call).await;
        let answer = stream.answer().await.unwrap();
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()));
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn what_a_service_answers_otherwise_opens_nothing() {
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    for (answer, status) in [
        (refused, 403),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            502,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            502,
        ),
    ] {
        let service = Service::answering(answer).await;
        let world = Setup::before(service.address).start().await;
        let mut http2 = world.http2().await;
        let stream = http2
            .connect("websocket", &call(&world.administrator().token))
            .await;
        let answered = stream.answer().await.unwrap().expect(status);
        if status == 502 {
            assert_eq!(answered.code(), "upstream_broken", "{answer}");
        }
    }
}

/// It comes to its end in good order, and nothing else comes.
async fn ends(mut incoming: Incoming) {
    while let Some(piece) = incoming.piece().await {
        assert_eq!(piece.unwrap(), "");
    }
}

/// It ends with Close 1008 and nothing else.
async fn says_goodbye(mut incoming: Incoming) {
    let close = incoming.exactly(4).await;
    assert_eq!(close[..], [0x88, 2, 3, 0xf0]);
    ends(incoming).await;
}

#[tokio::test]
async fn a_websocket_is_closed_where_a_frame_has_ended_and_the_other_streams_go_on() {
    let service = Scripted::start().await;
    let world = world_before(&service).await;
    let key = world.new_key(world.administrator()).await;
    let other = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;
    let mut cut = open(&mut http2, &service, &call(&key.key), "").await;
    let quiet = open(&mut http2, &service, &call(&key.key), "").await;
    let mut unconcerned = open(&mut http2, &service, &call(&other.key), "").await;
    cut.upstream.send_frame(TEXT, b"hello").await;
    assert_eq!(cut.incoming.exactly(7).await, frame(TEXT, b"hello"));

    world.revoke(&key).await;
    let _ = cut.upstream.try_send(frame(TEXT, b"late")).await;
    let _ = cut.sending.send_data("late".into(), false);

    says_goodbye(cut.incoming).await;
    says_goodbye(quiet.incoming).await;
    assert_eq!(cut.upstream.rest().await.0, "");
    unconcerned.upstream.send_frame(TEXT, b"hello").await;
    assert_eq!(unconcerned.incoming.exactly(7).await, frame(TEXT, b"hello"));
}

#[tokio::test]
async fn a_websocket_is_reset_in_the_middle_of_a_frame() {
    let service = Scripted::start().await;
    let world = world_before(&service).await;
    let key = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;
    let mut open = open(&mut http2, &service, &call(&key.key), "").await;
    let frame = frame(BINARY, &[7; 1000]);
    open.upstream.send(&frame[..500]).await;
    assert_eq!(open.incoming.exactly(500).await, frame[..500]);

    world.revoke(&key).await;
    let _ = open.upstream.try_send(&frame[500..]).await;

    let end = open.incoming.piece().await.unwrap().unwrap_err();
    assert_eq!(end.reason(), Some(Reason::CANCEL));
    assert_eq!(open.upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_websocket_at_the_service() {
    let service = Scripted::start().await;
    let world = world_before(&service).await;
    let mut http2 = world.http2().await;
    let token = &world.administrator().token;
    let mut open = open(&mut http2, &service, &call(token), "").await;

    open.sending.send_reset(Reason::CANCEL);

    open.upstream.rest().await;
    assert!(http2.is_open().await);
}
