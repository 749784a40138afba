use bytes::Bytes;

use crate::support::message::Call;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::wire::End;
use crate::support::world::Version;

const MAX: &str = "max_body = \"10KiB\"";

fn setup(service: std::net::SocketAddr) -> Setup {
    Setup::new()
        .upstream("service", service)
        .route("/", "service", MAX)
        .route("/none", "service", "max_body = \"0B\"\npublic = true")
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_never_reaches_the_service() {
    let mut service = Service::echo().await;
    let world = setup(service.address).start().await;

    for version in Version::ALL {
        for (path, length, status) in [
            ("/x", 10 << 10, 200),
            ("/x", (10 << 10) + 1, 413),
            ("/none", 0, 200),
            ("/none", 1, 413),
        ] {
            let mut client = world.client(version).await;
            let body = vec![b'x'; length];
            let call = world.by_administrator("POST", path).body(body);
            let answer = client.call(&call).await.expect(status);
            if status == 200 {
                assert_eq!(service.next().await.body.len(), length);
            } else {
                assert_eq!(answer.code(), "body_too_large", "{length} {version:?}");
            }
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_long_body_is_refused_while_it_is_sent() {
    let service = Service::echo().await;
    let world = setup(service.address).start().await;
    let call = world.by_administrator("POST", "/x");

    let mut wire = world.wire().await;
    let head = call.clone().head();
    wire.send(format!("{head}Content-Length: 10000000\r\n\r\nbegin"))
        .await;
    assert_eq!(wire.answer("POST").await.code(), "body_too_large");

    let call = call.header("Content-Length", "10000000");
    let mut client = world.http2().await;
    let stream = client.begin(&call, false).await;
    assert_eq!(stream.answer().await.unwrap().code(), "body_too_large");
    assert!(service.is_quiet());
}

#[tokio::test]
async fn who_may_not_pass_is_told_so_whatever_they_send() {
    let service = Service::echo().await;
    let world = setup(service.address).start().await;
    let call = Call::post("/x").body(vec![b'x'; 20 << 10]);
    let answer = world.call(&call).await;
    assert_eq!(answer.refusal(), (401, "credential_missing".to_owned()));
}

#[tokio::test]
async fn a_body_in_chunks_is_broken_off_where_it_grows_too_long() {
    let service = Scripted::start().await;
    let world = setup(service.address).start().await;
    let mut wire = world.wire().await;
    let head = world.by_administrator("POST", "/x").head();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));

    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"
    ))
    .await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    for _ in 0..2 {
        upstream.chunk().await.unwrap();
    }
    wire.send(&chunk).await;

    let answer = wire.answer("POST").await;
    assert_eq!(answer.refusal(), (413, "body_too_large".to_owned()));
    // The service must not take what it has for the whole.
    let (rest, end) = upstream.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?} {end:?}");
    wire.finish().await;
    let (rest, end) = wire.rest().await;
    assert!(rest.is_empty() && end != End::Reset, "{rest:?} {end:?}");
    let is_it = |line: &serde_json::Value| line["code"] == "body_too_large";
    let line = world.node().access.wait_for("the refusal", is_it).await;
    assert_eq!(line["status"], 413);
}

#[tokio::test]
async fn a_body_over_http2_is_broken_off_where_it_grows_too_long() {
    let service = Scripted::start().await;
    let world = setup(service.address).start().await;
    let mut client = world.http2().await;
    let call = world.by_administrator("POST", "/x");
    let mut stream = client.begin(&call, false).await;

    let piece = Bytes::from(vec![b'x'; 8 << 10]);
    stream.send(piece.clone(), false).await.unwrap();
    let mut upstream = service.accept().await;
    upstream.head().await;
    stream.send(piece, false).await.unwrap();

    let head = stream.head().await.unwrap();
    assert_eq!(head.status, 413);
    let (rest, _) = upstream.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    // The connection goes on.
    let answer = client.call(&Call::get("/x")).await;
    assert_eq!(answer.code(), "credential_missing");
}

#[tokio::test]
async fn an_answer_that_has_begun_is_cut_where_the_body_grows_too_long() {
    let service = Scripted::start().await;
    let world = setup(service.address).start().await;
    let mut wire = world.wire().await;
    let head = world.by_administrator("POST", "/x").head();

    wire.send(format!(
        "{head}Content-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    ))
    .await;
    let mut upstream = service.accept().await;
    upstream.head().await;
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        .await;
    let told = wire.head().await;
    assert_eq!(told.status(), 200);
    wire.send(format!("4000\r\n{}\r\n", "x".repeat(0x4000)))
        .await;

    let (rest, _) = wire.rest().await;
    assert!(rest.len() < 100, "{rest:?}");
    let is_it = |line: &serde_json::Value| line["route"] == "/";
    let line = world.node().access.wait_for("its access line", is_it).await;
    assert_eq!(line["end"], "client");
}
