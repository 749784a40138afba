use bytes::Bytes;

use super::process::Process;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::Wire;

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const DATA: u8 = 0;

/// The next piece of a body that arrives at a service over HTTP/2.
async fn piece(service: &mut Wire) -> Bytes {
    loop {
        let header = service.exactly(9).await.unwrap();
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let payload = service.exactly(length.try_into().unwrap()).await.unwrap();
        if header[3] == DATA {
            return payload;
        }
    }
}

#[tokio::test]
async fn a_body_byte_by_byte_takes_no_more_memory_than_at_once() {
    // Until the answer has begun the body is kept, should the service not have acted on it.
    let service = Scripted::start().await;
    let setup = Setup::new()
        .plain()
        .upstream_of("service", &[service.address], "protocol = \"h2c\"")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut wire = Wire::plain(world.http()).await;
    let head = Call::post("/x").head();
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    let mut upstream = service.accept().await;
    upstream.exactly(24).await.unwrap();
    upstream.send(SETTINGS).await;
    let process = Process::of(world.node().id());

    for _ in 0..6_000 {
        wire.send("1\r\nx\r\n").await;
        assert_eq!(piece(&mut upstream).await, "x");
    }

    let grown = process.peak();
    assert!(grown < super::MEMORY, "{grown} KiB were taken");
}
