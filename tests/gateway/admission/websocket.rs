use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::websocket::{BINARY, CLOSE, Frame, TEXT, upgrade};
use crate::support::wire::End;

#[tokio::test]
async fn a_websocket_carries_frames_both_ways() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut client = world.wire().await;
    let call = upgrade("/ws?room=1").bearer(&world.administrator().token);

    client.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    let head = upstream.accept_websocket("").await;
    client.upgraded().await;
    assert!(head.line.starts_with("GET /ws?room=1 "), "{}", head.line);
    assert_eq!(head.headers.get("x-auth-method"), Some("session"));
    assert!(!head.headers.has("authorization"));

    for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let payload = vec![b'x'; length];
        let (received, ()) = tokio::join!(upstream.frame(), client.send_masked(BINARY, &payload));
        assert_eq!(received.unwrap().payload, payload);
        let (received, ()) = tokio::join!(client.frame(), upstream.send_frame(TEXT, &payload));
        assert_eq!(received.unwrap().payload, payload);
    }
    upstream.send_frame(CLOSE, &[0x03, 0xe8]).await;
    let close = client.frame().await.unwrap();
    assert_eq!(
        (close.opcode, &close.payload[..]),
        (CLOSE, &[0x03, 0xe8][..])
    );
    client.send_masked(CLOSE, &[0x03, 0xe8]).await;
    assert_eq!(upstream.frame().await.unwrap().opcode, CLOSE);
    drop(upstream);
    assert_eq!(client.rest().await, (bytes::Bytes::new(), End::CloseNotify));
}

#[tokio::test]
async fn frames_that_come_right_behind_the_handshake_are_not_lost() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut client = world.wire().await;
    let call = upgrade("/ws").bearer(&world.administrator().token);

    client.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\n\r\n"
        .to_vec();
    bytes.extend(crate::support::websocket::frame(TEXT, b"hello"));
    upstream.send(bytes).await;

    assert_eq!(client.head().await.status(), 101);
    let hello = Frame {
        opcode: TEXT,
        payload: "hello".into(),
    };
    assert_eq!(client.frame().await, Ok(hello));
}

#[tokio::test]
async fn a_browser_carries_its_credential_among_the_protocols() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await.key;

    for credential in [&world.administrator().token, &key] {
        let mut client = world.wire().await;
        let offered = format!("dariet.bearer.{credential}");
        let call = upgrade("/ws").header("Sec-WebSocket-Protocol", &offered);
        client.send(call.bytes()).await;
        let mut upstream = service.accept().await;
        let head = upstream.accept_websocket("").await;
        assert!(!head.headers.has("sec-websocket-protocol"), "{head:?}");
        let chosen = client.upgraded().await;
        assert_eq!(
            chosen.headers.get("sec-websocket-protocol"),
            Some("dariet.bearer")
        );

        let mut client = world.wire().await;
        let offered = format!("chat, dariet.bearer.{credential}, superchat");
        let call = upgrade("/ws").header("Sec-WebSocket-Protocol", &offered);
        client.send(call.bytes()).await;
        let mut upstream = service.accept().await;
        let head = upstream
            .accept_websocket("Sec-WebSocket-Protocol: chat\r\n")
            .await;
        let passed = head.headers.get("sec-websocket-protocol").unwrap();
        assert_eq!(passed.replace(' ', ""), "chat,superchat");
        let chosen = client.upgraded().await;
        assert_eq!(chosen.headers.get("sec-websocket-protocol"), Some("chat"));
    }
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
    let viewer = world.new_user("ada", "viewer").await;
    let two = format!("dariet.bearer.{}", viewer.token);

    for (call, refusal) in [
        (upgrade("/ws"), (401, "credential_missing")),
        (upgrade("/ws").bearer("dk_0"), (401, "credential_malformed")),
        (
            upgrade("/admin").bearer(&viewer.token),
            (403, "not_allowed"),
        ),
        (
            upgrade("/ws")
                .bearer(&viewer.token)
                .header("Sec-WebSocket-Protocol", &two),
            (400, "two_credentials"),
        ),
    ] {
        let answer = world.call(&call).await;
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()));
    }
    let plain = Call::get("/x").header("Sec-WebSocket-Protocol", &two);
    assert_eq!(world.call(&plain).await.code(), "credential_missing");
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_service_may_refuse_a_websocket() {
    let service = Service::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    let call = upgrade("/ws").bearer(&world.administrator().token);
    assert_eq!(wire.call(&call).await.expect(403).body, "no");
    let call = world.by_administrator("GET", "/x");
    assert_eq!(wire.call(&call).await.expect(403).body, "no");
}
