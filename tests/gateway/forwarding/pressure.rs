use std::time::Duration;

use bytes::Bytes;

use crate::support::http2::Http2;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

const PIECE: usize = 64 << 10;
const TOTAL: usize = 64 << 20;
/// What the kernel's buffers on the way and the gateway's own may hold together.
const HELD: usize = 32 << 20;
/// Who takes nothing for so long is held back. A slow machine makes the tests weaker, not fail.
const STUCK: Duration = Duration::from_secs(1);

/// Sends pieces until nobody takes them; answers how many bytes went at least.
async fn send_until_stuck(wire: &mut Wire) -> usize {
    let piece = vec![7; PIECE];
    let mut sent = 0;
    while sent < TOTAL {
        let sending = wire.try_send(&piece);
        match tokio::time::timeout(STUCK, sending).await {
            Ok(taken) => taken.unwrap(),
            Err(_) => break,
        }
        sent += PIECE;
    }
    sent
}

#[tokio::test]
async fn a_service_that_does_not_read_holds_its_client_back() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;
    let head = world.by_administrator("PUT", "/x").head();

    wire.send(format!("{head}Content-Length: {TOTAL}\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    let sent = send_until_stuck(&mut wire).await;

    assert!(
        sent < HELD,
        "{sent} bytes were taken for a service that reads none"
    );
    upstream.head().await;
    assert_eq!(upstream.exactly(sent).await.unwrap().len(), sent);
}

#[tokio::test]
async fn a_service_that_does_not_read_holds_its_http2_client_back() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut http2 = world.http2().await;
    let call = world.by_administrator("PUT", "/x");

    let mut stream = http2.begin(&call, false).await;
    let _upstream = service.accept().await;
    let mut sent = 0;
    while sent < TOTAL {
        let piece = Bytes::from_static(&[7; PIECE]);
        let sending = stream.send(piece, false);
        if tokio::time::timeout(STUCK, sending).await.is_err() {
            break;
        }
        sent += PIECE;
    }

    assert!(
        sent < HELD,
        "{sent} bytes were taken for a service that reads none"
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_service_back() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    wire.send(world.by_administrator("GET", "/x").bytes()).await;
    let mut upstream = service.accept().await;
    let sent = answer_until_stuck(&mut upstream).await;

    assert!(
        sent < HELD,
        "{sent} bytes were taken for a client that reads none"
    );
    assert_eq!(wire.head().await.status(), 200);
    assert_eq!(wire.exactly(sent).await.unwrap().len(), sent);
}

#[tokio::test]
async fn an_http2_client_that_does_not_read_holds_back_only_its_own_stream() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut http2 = world.http2().await;

    let slow = http2.start(&world.by_administrator("GET", "/slow")).await;
    let mut upstream = service.accept().await;
    let sent = answer_until_stuck(&mut upstream).await;

    assert!(
        sent < HELD,
        "{sent} bytes were taken for a stream that is not read"
    );
    let _unread = slow.head().await.unwrap();
    quick_call_passes(&world, &mut http2, &service).await;
}

async fn answer_until_stuck(upstream: &mut Wire) -> usize {
    upstream.request().await;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {TOTAL}\r\n\r\n");
    upstream.send(head).await;
    send_until_stuck(upstream).await
}

async fn quick_call_passes(world: &World, http2: &mut Http2, service: &Scripted) {
    let call = world.by_administrator("GET", "/quick");
    let serve = async {
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
    };
    let (answer, ()) = tokio::join!(http2.call(&call), serve);
    assert_eq!(answer.expect(200).body, "ok");
}
