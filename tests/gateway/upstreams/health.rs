use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ask, gateway_before, of_server};
use crate::support::message::Call;
use crate::support::service::{Service, answer, nowhere};

/// A service that says of itself whether it is well, and answers everything else.
async fn service() -> (Service, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(true));
    let says = Arc::clone(&is_well);
    let service = Service::answering_with(move |request| {
        if request.target != "/health?deep=1" {
            return answer(&request.body);
        }
        let status = if says.load(Ordering::SeqCst) {
            204
        } else {
            503
        };
        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").into()
    });
    (service.await, is_well)
}

const CHECK: &str =
    "[upstreams.service.health_check]\npath = \"/health?deep=1\"\ninterval = \"50ms\"\n";

/// The requests of clients.
fn requests(service: &mut Service) -> usize {
    let taken = service.taken().into_iter();
    taken.filter(|request| request.target == "/x").count()
}

#[tokio::test]
async fn a_server_that_is_not_well_takes_no_requests_until_it_is_again() {
    let ((mut one, is_well), (mut other, _)) = (service().await, service().await);
    let world = gateway_before(
        &[one.address, other.address],
        &format!("slow_start = \"0s\"\n{CHECK}"),
    )
    .await;
    let address = one.address;
    let healthy = |value| of_server("upstream_server_healthy", address, value);
    ask(&world, 40).await;
    assert!(requests(&mut one) > 0 && requests(&mut other) > 0);

    is_well.store(false, Ordering::SeqCst);
    world.metric(&healthy(0)).await;
    requests(&mut one);
    ask(&world, 40).await;
    assert_eq!(requests(&mut one), 0);
    let is_told = |line: &serde_json::Value| line["message"] == "upstream server is not well";
    let line = world.node().log.wait_for("the verdict", is_told).await;
    assert_eq!(
        (&line["level"], &line["server"]),
        (&"WARN".into(), &one.address.to_string().into())
    );
    assert!(line.to_string().contains("503"), "{line}");

    is_well.store(true, Ordering::SeqCst);
    world.metric(&healthy(1)).await;
    ask(&world, 40).await;
    assert!(requests(&mut one) > 0);
    let failed = of_server(
        "upstream_server_health_checks_failed_total",
        other.address,
        0,
    );
    world.metric(&failed).await;
}

#[tokio::test]
async fn a_server_that_was_not_well_from_the_start_takes_nothing_until_it_is() {
    let gone = nowhere();
    let (mut other, _) = service().await;
    // Nothing but the checks can take it out.
    let lines =
        format!("[upstreams.service.ejection]\nmax_share = 0.0\n{CHECK}healthy_after = 100");
    let world = gateway_before(&[gone, other.address], &lines).await;
    world
        .metric(&of_server("upstream_server_healthy", gone, 0))
        .await;

    let mut back = Service::echo_at(gone).await;
    back.next().await;
    ask(&world, 20).await;

    assert_eq!((requests(&mut back), requests(&mut other)), (0, 20));
}

#[tokio::test]
async fn none_well_is_503_at_once() {
    let (service, is_well) = service().await;
    is_well.store(false, Ordering::SeqCst);
    let world = gateway_before(&[service.address], CHECK).await;
    world
        .metric(&of_server("upstream_server_healthy", service.address, 0))
        .await;

    let answer = world.call(&Call::get("/x")).await;

    assert_eq!(answer.refusal(), (503, "upstream_unavailable".to_owned()));
    assert!(answer.headers.has("retry-after"));
}

#[tokio::test]
async fn a_check_asks_as_the_configuration_says() {
    let (mut one, _) = service().await;
    let lines = format!("{CHECK}host = \"reports.internal\"\nstatus = \"200-204\"");
    let _world = gateway_before(&[one.address], &lines).await;

    let question = one.next().await;

    assert_eq!(
        (question.method.as_str(), question.target.as_str()),
        ("GET", "/health?deep=1")
    );
    assert_eq!(question.headers.get("host"), Some("reports.internal"));
    assert_eq!(question.headers.get("connection"), Some("close"));
}
