//! What could be read in two ways is refused, and nothing behind it is read.

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;

/// What stands behind each bad message. Were it read, the service would see it.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

const BAD: [&str; 34] = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
];

#[tokio::test]
async fn a_message_that_can_be_read_in_two_ways_is_refused_and_its_connection_closed() {
    let service = Service::echo().await;
    let setup = Setup::new()
        .plain()
        .upstream("service", service.address)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    for bad in BAD {
        for mut wire in [world.wire().await, Wire::plain(world.http()).await] {
            wire.send(format!("{bad}{SMUGGLED}")).await;
            let answer = wire.answer("GET").await;
            assert_eq!(
                answer.refusal(),
                (400, "malformed_request".to_owned()),
                "{bad:?}"
            );
            assert_eq!(answer.headers.get("connection"), Some("close"), "{bad:?}");
            assert_eq!(wire.rest().await.0, "", "{bad:?}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_bad_message_is_refused_behind_a_good_one() {
    let mut service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;

    for bad in [BAD[0], BAD[18], BAD[26]] {
        let mut wire = world.wire().await;
        let good = Call::post("/good").body("hello").bytes();
        wire.send([&good[..], bad.as_bytes(), SMUGGLED.as_bytes()].concat())
            .await;

        assert_eq!(wire.answer("POST").await.expect(200).body, "hello");
        assert_eq!(wire.answer("GET").await.code(), "malformed_request");
        assert_eq!(wire.rest().await.0, "");
        assert_eq!(service.next().await.target, "/good");
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_body_that_breaks_its_own_framing_ends_the_connection() {
    let service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    for body in [
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "0\r\nbad trailer\r\n\r\n",
    ] {
        let mut wire = world.wire().await;
        wire.send(format!("{head}{body}{SMUGGLED}")).await;
        let (answers, _) = wire.rest().await;
        let answers = String::from_utf8_lossy(&answers);
        assert!(
            answers.matches("HTTP/1.1 ").count() <= 1,
            "{body:?}: {answers}"
        );
        assert!(!answers.contains("200 OK"), "{body:?}: {answers}");
    }
    assert!(service.is_quiet());
}
