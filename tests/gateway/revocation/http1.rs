use super::Download;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::End;

#[tokio::test]
async fn a_request_without_answer_yet_is_refused() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.wire().await;
    client.send(Call::get("/x").bearer(&key.key).bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    world.revoke(&key).await;

    let refusal = client.answer("GET").await.refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_request_behind_a_whole_answer_is_refused() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let call = Call::get("/x").bearer(&key.key);

    let mut client = world.wire().await;
    client.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    client.answer("GET").await.expect(200);
    client.send(call.bytes()).await;
    upstream.request().await;
    world.revoke(&key).await;

    let refusal = client.answer("GET").await.refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
}

#[tokio::test]
async fn an_upload_without_answer_yet_is_refused() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.wire().await;
    let head = Call::post("/x").bearer(&key.key).head();
    client
        .send(format!("{head}Content-Length: 100\r\n\r\nhello"))
        .await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    assert_eq!(upstream.exactly(5).await.unwrap(), "hello");
    world.revoke(&key).await;
    // What comes after the revocation reaches nobody.
    let _ = client.try_send(" late").await;

    let refusal = client.answer("POST").await.refusal();
    assert_eq!(refusal, (401, "key_revoked".to_owned()));
    assert_eq!(upstream.rest().await.0, "");
}

#[tokio::test]
async fn a_download_is_reset() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let download = Download::begin(&world, &service, &key.key).await;
    world.revoke(&key).await;

    download.gets_cut().await;
}

#[tokio::test]
async fn a_download_of_known_length_is_reset() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.wire().await;
    client.send(Call::get("/x").bearer(&key.key).bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nmore")
        .await;
    client.head().await;
    assert_eq!(client.exactly(4).await.unwrap(), "more");
    world.revoke(&key).await;
    let _ = upstream.try_send(" late").await;

    let (rest, end) = client.rest().await;
    assert_eq!((&rest[..], end), (&b""[..], End::Reset));
}

#[tokio::test]
async fn an_event_stream_is_reset() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let events = Download::begin_events(&world, &service, &key.key).await;
    world.revoke(&key).await;

    events.gets_cut().await;
}

#[tokio::test]
async fn a_download_without_tls_is_reset() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).plain().start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = crate::support::wire::Wire::plain(world.http()).await;
    client.send(Call::get("/x").bearer(&key.key).bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nmore")
        .await;
    client.head().await;
    assert_eq!(client.chunk().await.unwrap(), "more");
    world.revoke(&key).await;

    let (rest, end) = client.rest().await;
    assert_eq!((&rest[..], end), (&b""[..], End::Reset));
}

#[tokio::test]
async fn many_downloads_are_reset_at_once() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;
    let other = world.new_key(world.administrator()).await;

    let mut cut = Vec::new();
    for _ in 0..20 {
        cut.push(Download::begin(&world, &service, &key.key).await);
    }
    let unconcerned = Download::begin(&world, &service, &other.key).await;
    world.revoke(&key).await;

    for download in cut {
        download.gets_cut().await;
    }
    unconcerned.finishes().await;
}

#[tokio::test]
async fn an_answer_that_was_given_whole_leaves_its_connection_to_others() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.wire().await;
    client.send(Call::get("/x").bearer(&key.key).bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    client.answer("GET").await.expect(200);
    world.revoke(&key).await;

    client
        .send(world.by_administrator("GET", "/x").bytes())
        .await;
    upstream.request().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.answer("GET").await.expect(200).body, "ok");
}
