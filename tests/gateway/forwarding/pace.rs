//! Who moves a byte now and then does not go on for ever, and who keeps up does.

use std::time::Duration;

use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::upgrade;
use crate::support::within;
use crate::support::world::World;

/// A client has a second, all in all, and then it must keep up.
const KEEP_UP: &str = "min_rate = \"64KiB\"\nmin_rate_grace = \"1s\"";
/// How slow a client is that does not. Here and below time is what it is about, so it must pass.
const BETWEEN_BYTES: Duration = Duration::from_millis(50);
/// Eight of them are more than the grace.
const PAUSE: Duration = Duration::from_millis(300);

async fn gateway_before(service: &Scripted) -> World {
    let setup = Setup::open_before(service.address).server(KEEP_UP);
    setup.start_empty().await
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_does_not_come_for_ever() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;

    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Content-Length: 100000\r\n\r\n"))
        .await;
    let mut http2 = world.http2().await;
    let mut stream = http2.begin(&Call::post("/x"), false).await;
    let mut count = 0;
    while wire.try_send("x").await.is_ok() && stream.send("x".into(), false).await.is_ok() {
        count += 1;
        assert!(count < 200, "it goes on for ever");
        tokio::time::sleep(BETWEEN_BYTES).await;
    }

    assert_eq!(stream.head().await.unwrap().status, 408);
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_beside_its_answer_does_not_come_for_ever() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let chunked = format!(
        "{}Transfer-Encoding: chunked\r\n\r\n",
        Call::post("/x").head()
    );
    let begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    let mut wire = world.wire().await;
    wire.send(chunked).await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream.send(begin).await;
    wire.head().await;
    let mut http2 = world.http2().await;
    let stream = http2.begin(&Call::post("/x"), false).await;
    let mut other = service.accept().await;
    other.head().await;
    other.send(begin).await;
    let (mut incoming, mut sending) = stream.both().await.unwrap();

    // What it answers to each byte keeps the service from being too slow.
    let one = async {
        while wire.try_send("1\r\nx\r\n").await.is_ok() && upstream.chunk().await.is_ok() {
            upstream.send("1\r\nx\r\n").await;
            if wire.chunk().await.is_err() {
                return;
            }
            tokio::time::sleep(BETWEEN_BYTES).await;
        }
    };
    within("the end of a request over HTTP/1.1", one).await;
    let one = async {
        while sending.send_data("x".into(), false).is_ok() && other.chunk().await.is_ok() {
            other.send("1\r\nx\r\n").await;
            if !matches!(incoming.piece().await, Some(Ok(_))) {
                return;
            }
            tokio::time::sleep(BETWEEN_BYTES).await;
        }
    };
    within("the end of a request over HTTP/2", one).await;
    assert!(http2.is_open().await);
}

#[tokio::test]
async fn who_keeps_up_is_waited_for_longer_than_the_grace() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;

    let piece = vec![b'x'; 0x10000];
    for _ in 0..8 {
        wire.send("10000\r\n").await;
        wire.send(&piece).await;
        wire.send("\r\n").await;
        let mut left = piece.len();
        while left > 0 {
            left -= upstream.chunk().await.unwrap().len();
        }
        tokio::time::sleep(PAUSE).await;
    }
    wire.send("0\r\n\r\n").await;
    assert_eq!(upstream.chunk().await.unwrap(), "");
}

#[tokio::test]
async fn a_websocket_whose_client_takes_its_time_goes_on() {
    let service = Scripted::start().await;
    let world = gateway_before(&service).await;
    let mut wire = world.wire().await;
    wire.send(upgrade("/x").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    wire.upgraded().await;
    let sending =
        tokio::spawn(async move { while upstream.try_send(vec![7; 65_536]).await.is_ok() {} });

    // What lies in between is full each time, so that all of it is waiting.
    for _ in 0..8 {
        tokio::time::sleep(PAUSE).await;
        wire.exactly(4_000_000).await.unwrap();
    }
    sending.abort();
}
