use serde_json::json;

use super::{add, edit, exchange, reload};
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::{CLOSE, TEXT, upgrade};
use crate::support::wire::{End, Wire};
use crate::support::world::World;

async fn open(world: &World, service: &Scripted, call: &Call) -> (Wire, Wire) {
    let mut client = world.wire().await;
    client.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    client.upgraded().await;
    (client, upstream)
}

async fn goes_on((client, upstream): &mut (Wire, Wire)) {
    upstream.send_frame(TEXT, b"down").await;
    assert_eq!(client.frame().await.unwrap().payload, "down");
    client.send_masked(TEXT, b"up").await;
    assert_eq!(upstream.frame().await.unwrap().payload, "up");
}

async fn was_cut((mut client, mut upstream): (Wire, Wire)) {
    let goodbye = client.frame().await.unwrap();
    assert_eq!(goodbye.opcode, CLOSE);
    assert_eq!(goodbye.payload[..2], 1008_u16.to_be_bytes());
    upstream.rest().await;
}

/// Two routes to one service, with lines of their own.
async fn gateway(service: &Scripted, one: &str, other: &str) -> World {
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/one", "service", &format!("{one} # one"))
        .route("/other", "service", other);
    setup.start().await
}

#[tokio::test]
async fn those_on_routes_that_nobody_touched_stay() {
    let service = Scripted::start().await;
    let world = gateway(&service, "public = true", "").await;
    let mut public = open(&world, &service, &upgrade("/one")).await;
    let mut signed_in = open(
        &world,
        &service,
        &upgrade("/other").bearer(&world.administrator().token),
    )
    .await;

    // Everything but what they rest on: other routes, another upstream, and their own but for who may.
    let more = "[upstreams.more]\nservers = [\"http://127.0.0.1:9\"]\n\
                [[routes]]\npath = \"/more\"\nupstream = \"more\"";
    edit(&world, add(more));
    reload(&world);
    edit(
        &world,
        exchange("public = true # one", "public = true\nmax_body = \"1MiB\""),
    );
    reload(&world);
    let own = format!("servers = [\"http://{}\"]", service.address);
    edit(&world, exchange(&own, &format!("{own}\nmax_waiting = 7")));
    reload(&world);

    goes_on(&mut public).await;
    goes_on(&mut signed_in).await;
}

#[tokio::test]
async fn one_on_a_route_that_became_stricter_is_cut_and_one_that_may_still_stays() {
    let service = Scripted::start().await;
    let world = gateway(&service, "", "").await;
    let viewer = world.new_user("ada", "viewer").await;
    let admin = &world.administrator().token;
    let asked_by = |token: &str| upgrade("/one").bearer(token);
    let of_viewer = open(&world, &service, &asked_by(&viewer.token)).await;
    let mut of_admin = open(&world, &service, &asked_by(admin)).await;
    let elsewhere = upgrade("/other").bearer(&viewer.token);
    let mut elsewhere = open(&world, &service, &elsewhere).await;

    edit(&world, exchange(" # one", "allow = [{ role = \"admin\" }]"));
    reload(&world);

    was_cut(of_viewer).await;
    goes_on(&mut of_admin).await;
    goes_on(&mut elsewhere).await;
    world.metric("dariet_exchanges_cut_total 1").await;
}

#[tokio::test]
async fn one_without_a_credential_is_cut_when_its_route_is_public_no_more() {
    let service = Scripted::start().await;
    let world = gateway(&service, "public = true", "public = true # other").await;
    let websocket = open(&world, &service, &upgrade("/one")).await;
    let mut other = open(&world, &service, &upgrade("/other")).await;

    edit(&world, exchange("public = true # one", ""));
    reload(&world);

    was_cut(websocket).await;
    goes_on(&mut other).await;
}

#[tokio::test]
async fn one_on_a_route_that_is_gone_is_cut() {
    let service = Scripted::start().await;
    let world = gateway(&service, "public = true", "public = true").await;
    let websocket = open(&world, &service, &upgrade("/one")).await;

    edit(&world, exchange("path = \"/one\"", "path = \"/two\""));
    reload(&world);

    was_cut(websocket).await;
}

#[tokio::test]
async fn one_that_was_asked_for_before_and_begins_after_is_asked_too() {
    let service = Scripted::start().await;
    let world = gateway(&service, "public = true", "public = true").await;
    let mut client = world.wire().await;
    client.send(upgrade("/one").bytes()).await;
    let mut upstream = service.accept().await;
    let head = upstream.head().await;
    assert_eq!(head.line, "GET /one HTTP/1.1");

    edit(&world, exchange("public = true # one", ""));
    reload(&world);
    upstream
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )
        .await;

    client.upgraded().await;
    was_cut((client, upstream)).await;
}

#[tokio::test]
async fn an_event_stream_is_asked_and_a_download_is_not() {
    let service = Scripted::start().await;
    let world = gateway(&service, "public = true", "public = true").await;
    let begin = async |kind: &str| {
        let mut client = world.wire().await;
        client.send(Call::get("/one").bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 10\r\n\r\nhello");
        upstream.send(head).await;
        assert_eq!(client.head().await.status(), 200);
        assert_eq!(client.exactly(5).await.unwrap(), "hello");
        (client, upstream)
    };
    let (mut events, _upstream) = begin("text/event-stream").await;
    let (mut download, mut of_download) = begin("text/plain").await;

    edit(&world, exchange("public = true # one", ""));
    reload(&world);

    let (rest, end) = events.rest().await;
    assert_eq!((rest.len(), end), (0, End::Reset));
    of_download.send("world").await;
    assert_eq!(download.exactly(5).await.unwrap(), "world");
}

#[tokio::test]
async fn a_change_of_role_is_judged_by_the_routes_as_they_are_now() {
    let service = Scripted::start().await;
    let world = gateway(&service, "allow = [{ role = \"admin\" }]", "").await;
    let user = world.new_user("ada", "admin").await;
    let call = upgrade("/one").bearer(&user.token);
    let mut websocket = open(&world, &service, &call).await;

    edit(
        &world,
        exchange(
            "allow = [{ role = \"admin\" }] # one",
            "allow = [{ role = \"viewer\" }, { role = \"admin\" }]",
        ),
    );
    reload(&world);
    world.patch_user(&user, &json!({"role": "viewer"})).await;

    goes_on(&mut websocket).await;
}
