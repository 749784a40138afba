use h2::Reason;

use crate::support::accounts::Key;
use crate::support::http2::{Http2, Incoming};
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::Wire;

/// A download that has begun.
async fn download(http2: &mut Http2, service: &Scripted, key: &Key) -> (Incoming, Wire) {
    let stream = http2.start(&Call::get("/x").bearer(&key.key)).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nmore")
        .await;
    let mut incoming = stream.head().await.unwrap();
    assert_eq!(incoming.piece().await.unwrap().unwrap(), "more");
    (incoming, upstream)
}

#[tokio::test]
async fn a_request_without_answer_yet_is_refused() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;

    let stream = http2.start(&Call::get("/x").bearer(&key.key)).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    world.revoke(&key).await;

    let refusal = stream.answer().await.unwrap().refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_download_is_cancelled_and_the_other_streams_of_its_connection_go_on() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let other = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;
    let (mut cut, mut late) = download(&mut http2, &service, &key).await;
    let (mut unconcerned, mut upstream) = download(&mut http2, &service, &other).await;

    world.revoke(&key).await;
    let _ = late.try_send("late").await;

    let end = cut.piece().await.unwrap().unwrap_err();
    assert_eq!(end.reason(), Some(Reason::CANCEL));
    assert!(end.is_reset() && end.is_remote(), "{end}");
    upstream.send("done").await;
    assert_eq!(unconcerned.piece().await.unwrap().unwrap(), "done");
    assert!(unconcerned.piece().await.is_none());
    let call = Call::get("/api/auth/me").bearer(&other.key);
    http2.call(&call).await.expect(200);
}

#[tokio::test]
async fn a_download_that_waits_for_its_client_is_cancelled() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;

    let stream = http2.start(&Call::get("/x").bearer(&key.key)).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    // More than a stream's window: the rest waits in the gateway.
    let body = vec![7; 200_000];
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
        .await;
    upstream.send(&body).await;
    let mut incoming = stream.head().await.unwrap();
    world.revoke(&key).await;

    let reason = incoming.broken_off().await;
    assert_eq!(reason, Reason::CANCEL);
    assert!(http2.is_open().await);
}

#[tokio::test]
async fn an_upload_that_is_being_answered_is_cancelled() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;

    let call = Call::post("/x").bearer(&key.key);
    let mut stream = http2.begin(&call, false).await;
    stream.send("hello".into(), false).await.unwrap();
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nmore")
        .await;
    let mut incoming = stream.head().await.unwrap();
    assert_eq!(incoming.piece().await.unwrap().unwrap(), "more");
    world.revoke(&key).await;

    assert_eq!(incoming.broken_off().await, Reason::CANCEL);
}
