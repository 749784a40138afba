//! gRPC: by the programs that others use, and frame by frame.

use h2::Reason;
use serde_json::json;

use super::before;
use crate::peers::program::{self, Served};
use crate::support::certificates;
use crate::support::http2_service::{Http2Service, head};
use crate::support::message::Call;
use crate::support::setup::Setup;

const SCRIPT: &str = "grpc_echo.py";

#[tokio::test]
async fn a_real_caller_and_a_real_service_understand_each_other() {
    let echo = Served::by(SCRIPT);
    let setup = Setup::new()
        .upstream_of("service", &[echo.address], "protocol = \"h2c\"")
        .route("/test.Echo", "service", "");
    let world = setup.start().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, certificates::authority()).unwrap();
    let port = world.https().port().to_string();
    let token = &world.administrator().token;

    let told = program::call(SCRIPT, &[&port, ca.to_str().unwrap(), token]).await;

    let echoed = json!({"answer": "echo hello", "role": "admin", "trailer": "behind"});
    assert_eq!(told["echo"], echoed);
    assert_eq!(told["long"], 3_000_005);
    let failed = json!({"code": "FAILED_PRECONDITION", "details": "not 100% yet: é"});
    assert_eq!(told["fail"], failed);
    let remaining: u32 = told["remaining"]["answer"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((10..=20).contains(&remaining), "{remaining}");
    assert_eq!(told["nobody"]["code"], "UNAUTHENTICATED");
    let details = told["nobody"]["details"].as_str().unwrap();
    assert!(details.starts_with("log in"), "{details}");
    assert_eq!(told["nowhere"]["code"], "UNIMPLEMENTED");
    let both = ["echo 0", "echo 1", "echo 2", "echo 3", "echo 4"];
    assert_eq!(told["both"], json!(both));
}

fn call(timeout: &str) -> Call {
    Call::post("/public")
        .header("Content-Type", "application/grpc+proto")
        .header("TE", "trailers")
        .header("Grpc-Timeout", timeout)
}

#[tokio::test]
async fn a_callers_deadline_ends_the_call_and_is_no_fault_of_the_service() {
    let service = Http2Service::start().await;
    let lines = "[upstreams.service.ejection]\nfailures = 1\nmax_share = 1.0";
    let world = before(&service, lines).start().await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&call("100m")).await;
    let mut upstream = service.accept().await;
    let mut unanswered = upstream.next().await;
    assert_eq!(unanswered.head.headers["grpc-timeout"], "100m");

    let refused = stream.answer().await.unwrap().expect(504);
    assert_eq!(refused.headers.get("grpc-status"), Some("4"));
    assert_eq!(
        refused.headers.get("content-type"),
        Some("application/grpc")
    );
    assert_eq!(refused.body, "");
    assert_eq!(unanswered.was_reset().await, Reason::CANCEL);
    let ejections = format!(
        "dariet_upstream_server_ejections_total{{upstream=\"service\",server=\"{}\"}} 0",
        service.address
    );
    world.metric(&ejections).await;

    let stream = http2.start(&call("300m")).await;
    let mut begun = upstream.next().await;
    let mut answer = begun.begin(head(200, &[]));
    let mut incoming = stream.head().await.unwrap();
    assert_eq!(incoming.status, 200);
    assert_ne!(incoming.broken_off().await, Reason::NO_ERROR);
    assert_eq!(answer.was_reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn a_caller_cannot_make_the_routes_deadline_longer() {
    let service = Http2Service::start().await;
    let world = before(&service, "timeout = \"100ms\"").start().await;
    let mut http2 = world.http2().await;
    let stream = http2.start(&call("1H")).await;
    let mut upstream = service.accept().await;
    let mut unanswered = upstream.next().await;

    stream.answer().await.unwrap().expect(504);
    assert_eq!(unanswered.was_reset().await, Reason::CANCEL);
}
