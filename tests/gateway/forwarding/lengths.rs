use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn an_answer_to_head_tells_the_length_and_has_no_body() {
    let service = Service::answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        // Twice: whatever were left of the first answer would stand before the second.
        for _ in 0..2 {
            let answer = client.call(&world.by_administrator("HEAD", "/x")).await;
            let answer = answer.expect(200);
            assert_eq!(answer.headers.get("content-length"), Some("1234"));
            assert!(answer.body.is_empty());
        }
    }
    assert!(service.connections() <= 2, "one for each client at most");
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for status in ["204 No Content", "304 Not Modified"] {
        let bytes = format!("HTTP/1.1 {status}\r\nETag: \"a\"\r\n\r\n");
        let service = Service::answering(bytes).await;
        let world = Setup::before(service.address).start().await;
        for version in Version::ALL {
            let mut client = world.client(version).await;
            for _ in 0..2 {
                let answer = client.call(&world.by_administrator("GET", "/x")).await;
                assert_eq!(answer.status.to_string(), status[..3]);
                assert_eq!(answer.headers.get("etag"), Some("\"a\""));
                assert!(!answer.headers.has("transfer-encoding"), "{answer:?}");
                assert!(answer.body.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn the_length_of_an_answer_that_was_not_modified_is_passed_on() {
    let bytes = "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n";
    let service = Service::answering(bytes).await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    for _ in 0..2 {
        let answer = wire.call(&world.by_administrator("GET", "/x")).await;
        assert_eq!(answer.expect(304).body, "");
    }
}
