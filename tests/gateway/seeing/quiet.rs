//! What clients can bring about as often as they like does not fill the log.

use rustls::ALL_VERSIONS;
use serde_json::Value;

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::within;
use crate::support::world::World;

fn told<'a>(log: &'a [Value], message: &str) -> Vec<&'a Value> {
    let lines = log.iter().filter(|line| line["message"] == message);
    lines.collect()
}

#[tokio::test]
async fn failures_without_end_are_told_of_now_and_then() {
    let service = Service::answering("nonsense\r\n\r\n").await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;

    for _ in 0..200 {
        wire.call(&Call::get("/x")).await.expect(502);
    }

    let is_it = |line: &Value| line["untold"].is_number();
    let ask_on = async {
        while !world.node().log.json().iter().any(is_it) {
            wire.call(&Call::get("/x")).await.expect(502);
        }
    };
    within("a line that counts the others", ask_on).await;
    let log = world.node().log.json();
    let told = told(&log, "upstream gave no answer");
    assert!(told.len() < 60, "{} lines", told.len());
}

#[tokio::test]
async fn what_a_client_breaks_off_is_no_news_of_the_service() {
    let service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;

    let mut wire = world.wire().await;
    let head = Call::post("/x").head();
    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"
    ))
    .await;
    let _ = wire.try_answer("POST").await;
    world.call(&Call::get("/after")).await.expect(200);

    let log = world.node().log.json();
    assert_eq!(told(&log, "upstream gave no answer"), Vec::<&Value>::new());
}

/// Frames that h2 warns of, each of them the client's to send.
async fn warned_of(world: &World) {
    const PING: u8 = 6;
    let mut wire = Wire::of_tls(world.tls(&[b"h2"], ALL_VERSIONS).await);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for _ in 0..100 {
        bytes.extend([0, 0, 8, PING, 1, 0, 0, 0, 0]);
        bytes.extend([7; 8]);
    }
    // One that is answered, when those before it were read.
    bytes.extend([0, 0, 8, PING, 0, 0, 0, 0, 0]);
    bytes.extend([9; 8]);
    wire.send(bytes).await;
    loop {
        let head = wire.exactly(9).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = wire.exactly(length.try_into().unwrap()).await.unwrap();
        if (head[3], &payload[..]) == (PING, &[9; 8]) {
            return;
        }
    }
}

#[tokio::test]
async fn frames_that_no_client_should_send_are_not_told_of() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start_empty().await;

    warned_of(&world).await;

    let log = world.node().log.json();
    let of_h2 = |line: &&Value| {
        line["target"]
            .as_str()
            .is_some_and(|at| at.starts_with("h2"))
    };
    assert_eq!(log.iter().filter(of_h2).count(), 0);
}
