use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UnixListener;

use super::ask;
use crate::support::message::Call;
use crate::support::service::{Service, answer};
use crate::support::setup::Setup;
use crate::support::wire::Wire;

#[tokio::test]
async fn a_server_may_have_an_ipv6_address() {
    let mut service = Service::echo_at("[::1]:0").await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;

    let answer = world.call(&Call::post("/x").body("hello")).await;

    assert_eq!(answer.expect(200).body, "hello");
    let host = service.next().await.headers;
    assert_eq!(host.get("host"), Some("localhost"));
}

#[tokio::test]
async fn a_server_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let checks = Arc::<AtomicUsize>::default();
    let checked = Arc::clone(&checks);
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let checked = Arc::clone(&checked);
            tokio::spawn(async move {
                let mut wire = Wire::of_unix(stream);
                while let Ok(request) = wire.try_request().await {
                    if request.target == "/health" {
                        checked.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(request.headers.get("host"), Some("localhost"));
                    }
                    if wire.try_send(answer(&request.body)).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let lines = "[upstreams.service.health_check]\npath = \"/health\"\ninterval = \"50ms\"";
    let setup = Setup::new()
        .upstream_at("service", &format!("\"unix:{}\"", path.display()), lines)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    ask(&world, 3).await;
    let mut http2 = world.http2().await;
    let call = Call::post("/x").body(vec![7; 300_000]);
    assert_eq!(http2.call(&call).await.expect(200).body, vec![7; 300_000]);
    let server = format!("unix:{}", path.display());
    let is_it = |line: &serde_json::Value| line["server"] == server;
    world.node().access.wait_for("an access line", is_it).await;

    serving.abort();
    drop(folder);
    let healthy = |value: u64| {
        format!(
            "dariet_upstream_server_healthy{{upstream=\"service\",server=\"{server}\"}} {value}"
        )
    };
    world.metric(&healthy(0)).await;
    assert!(checks.load(Ordering::SeqCst) > 0);
}
