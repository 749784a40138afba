//! What `end` says in an access line, for each way in which an answer can end.

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::http2_service::{Http2Service, head};
use crate::support::message::Call;
use crate::support::service::{Scripted, reset};
use crate::support::setup::Setup;
use crate::support::websocket::upgrade;
use crate::support::world::World;

async fn end_of(world: &World, path: &str) -> Value {
    let is_it = |line: &Value| line["path"] == path;
    let line = world.node().access.wait_for("an access line", is_it).await;
    line.get("end").cloned().unwrap_or_default()
}

async fn gateway_before(service: &Scripted, server: &str, upstream: &str) -> World {
    let setup = Setup::new()
        .server(server)
        .upstream_of("service", &[service.address], upstream)
        .route("/", "service", "");
    setup.start().await
}

#[tokio::test]
async fn a_websocket_ends_by_whom_breaks_it_off() {
    let service = Scripted::start().await;
    let setup = Setup::before(service.address);
    let world = setup.start().await;
    let token = &world.administrator().token;
    let opened = async |path: &str| {
        let mut client = world.wire().await;
        client.send(upgrade(path).bearer(token).bytes()).await;
        let mut upstream = service.accept_stream().await;
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            upstream.read_buf(&mut asked).await.unwrap();
        }
        upstream.write_all(SWITCH).await.unwrap();
        client.upgraded().await;
        (client, upstream)
    };

    let (mut client, upstream) = opened("/service").await;
    reset(upstream);
    client.rest().await;
    assert_eq!(end_of(&world, "/service").await, "upstream");
    let log = world.node().access.json();
    let told = log.iter().filter_map(|line| line["cause"].as_str());
    assert_eq!(told.filter(|cause| cause.contains("WebSocket")).count(), 1);

    // Without the word that TLS has for an end.
    let (client, _upstream) = opened("/client").await;
    drop(client);
    assert_eq!(end_of(&world, "/client").await, "client");

    let (mut client, upstream) = opened("/both").await;
    drop(upstream);
    client.rest().await;
    client.finish().await;
    assert_eq!(end_of(&world, "/both").await, Value::Null);
}

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[tokio::test]
async fn a_client_that_reads_nothing_has_not_ended_what_a_revocation_cut() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "", "").await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.narrow_wire().await;
    client.send(Call::get("/x").bearer(&key.key).bytes()).await;
    let mut upstream = service.begin_long_answer().await;
    upstream.flood().await;
    world.revoke(&key).await;
    upstream.rest().await;

    assert_eq!(end_of(&world, "/x").await, "cut");
    world.metric("dariet_exchanges_cut_total 1").await;
    drop(client);
}

#[tokio::test]
async fn a_client_that_takes_nothing_has_ended_what_its_deadline_cuts() {
    let service = Scripted::start().await;
    let world = gateway_before(&service, "", "timeout = \"1s\"").await;
    let mut http2 = world.http2().await;
    let call = world.by_administrator("GET", "/x");

    let stream = http2.start(&call).await;
    let mut upstream = service.begin_long_answer().await;
    let mut incoming = stream.head().await.unwrap();
    while upstream.try_send(vec![7; 65_536]).await.is_ok() {}

    incoming.broken_off().await;
    assert_eq!(end_of(&world, "/x").await, "client");
}

#[tokio::test]
async fn an_answer_without_body_whose_end_comes_apart_is_whole() {
    let service = Http2Service::start().await;
    let setup = Setup::new()
        .upstream_of("service", &[service.address], "protocol = \"h2c\"")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;

    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = service.accept().await;
    let mut call = upstream.next().await;
    let mut answer = call.begin(head(200, &[("content-length", "0")]));
    assert_eq!(wire.head().await.status(), 200);
    answer.finish(Bytes::new());

    assert_eq!(end_of(&world, "/x").await, Value::Null);
    wire.send(Call::get("/y").bytes()).await;
    let mut call = upstream.next().await;
    call.begin(head(204, &[])).finish(Bytes::new());
    wire.answer("GET").await.expect(204);
}
