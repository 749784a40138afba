//! What is cut ends at the service too, and nothing else does.

use h2::Reason;

use super::before;
use crate::support::http2_service::{Http2Service, head, ok};
use crate::support::message::Call;

#[tokio::test]
async fn a_revocation_ends_the_stream_at_the_service_and_no_other() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let key = world.new_key(world.administrator()).await;
    let other = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;
    let waiting = http2.start(&Call::get("/1").bearer(&key.key)).await;
    let mut upstream = service.accept().await;
    let mut unanswered = upstream.next().await;
    let cut = http2.start(&Call::get("/2").bearer(&key.key)).await;
    let mut begun = upstream.next().await.begin(head(200, &[]));
    begun.send("more");
    let mut cut = cut.head().await.unwrap();
    assert_eq!(cut.piece().await.unwrap().unwrap(), "more");
    let unconcerned = http2.start(&Call::get("/3").bearer(&other.key)).await;
    let rest = upstream.next().await;

    world.revoke(&key).await;

    assert_eq!(unanswered.was_reset().await, Reason::CANCEL);
    assert_eq!(begun.was_reset().await, Reason::CANCEL);
    let refusal = waiting.answer().await.unwrap().refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
    assert_eq!(cut.broken_off().await, Reason::CANCEL);
    rest.answer(ok("well"));
    assert_eq!(unconcerned.answer().await.unwrap().expect(200).body, "well");
}

#[tokio::test]
async fn an_upload_that_the_service_does_not_take_is_cut() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let key = world.new_key(world.administrator()).await;
    let mut http2 = world.http2().await;
    let call = Call::post("/1").bearer(&key.key);
    let mut stream = http2.begin(&call, false).await;
    let mut upstream = service.accept().await;
    let mut unread = upstream.next().await;
    // As much as the service takes without reading.
    stream.send(vec![7; 65_535].into(), false).await.unwrap();
    stream.send(vec![7; 65_535].into(), false).await.unwrap();

    world.revoke(&key).await;

    assert_eq!(unread.was_reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_stream_at_the_service() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut http2 = world.http2().await;
    let mut stream = http2.start(&Call::get("/public")).await;
    let mut upstream = service.accept().await;
    let mut call = upstream.next().await;

    stream.sending.send_reset(Reason::CANCEL);

    assert_eq!(call.was_reset().await, Reason::CANCEL);
    let stream = http2.start(&Call::get("/public")).await;
    upstream.next().await.answer(ok(""));
    stream.answer().await.unwrap().expect(200);
}

#[tokio::test]
async fn a_deadline_ends_the_stream_and_not_the_connection() {
    let service = Http2Service::start().await;
    let world = before(&service, "response_timeout = \"100ms\"")
        .start()
        .await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&Call::get("/public")).await;
    let mut upstream = service.accept().await;
    let mut call = upstream.next().await;

    let refused = stream.answer().await.unwrap();
    assert_eq!(refused.refusal(), (504, "upstream_timeout".to_owned()));
    assert_eq!(call.was_reset().await, Reason::CANCEL);
    let stream = http2.start(&Call::get("/public")).await;
    upstream.next().await.answer(ok(""));
    stream.answer().await.unwrap().expect(200);
}
