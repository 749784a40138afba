use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::world::Version;

/// Bytes in which nothing can be lost, doubled or moved unseen.
fn body(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn a_body_of_any_size_passes_both_ways_unchanged() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for length in [0, 1, 64 << 10, 5 << 20] {
            let sent = body(length);
            let call = world.by_administrator("POST", "/echo").body(sent.clone());

            let answer = client.call(&call).await.expect(200);
            assert!(answer.body == sent, "{length} bytes over {version:?}");
            assert!(service.next().await.body == sent);
        }
    }
}

#[tokio::test]
async fn a_body_in_chunks_passes_unchanged() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    for length in [0, 1, 64 << 10, 5 << 20] {
        let sent = body(length);
        let call = world.by_administrator("PUT", "/echo").body(sent.clone());

        let answer = wire.call(&call.chunked()).await.expect(200);
        assert!(answer.body == sent, "{length} bytes");
        assert!(service.next().await.body == sent);
    }
}

#[tokio::test]
async fn an_answer_in_chunks_or_up_to_the_end_of_its_connection_arrives_whole() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n7;note=x\r\n, world\r\n0\r\n\r\n";
    let to_the_end = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello, world";
    for bytes in [chunked, to_the_end] {
        let service = Scripted::start().await;
        let world = Setup::before(service.address).start().await;
        for version in Version::ALL {
            let mut client = world.client(version).await;
            let call = world.by_administrator("GET", "/");
            let serve = async {
                let mut upstream = service.accept().await;
                upstream.request().await;
                upstream.send(bytes).await;
            };

            let (answer, ()) = tokio::join!(client.call(&call), serve);
            assert_eq!(answer.expect(200).body, "hello, world", "{version:?}");
        }
    }
}

#[tokio::test]
async fn every_method_passes() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
        ] {
            let answer = client.call(&world.by_administrator(method, "/x")).await;
            assert_eq!(answer.status, 200, "{method}");
            assert_eq!(service.next().await.method, method);
        }
    }
}

#[tokio::test]
async fn a_tunnel_and_a_trace_are_refused() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    let trace = world.call(&world.by_administrator("TRACE", "/x")).await;
    assert_eq!(trace.status, 501);
    let tunnel = world.by_administrator("CONNECT", "example.com:443");
    let tunnel = tunnel.host("example.com:443");
    let mut wire = world.wire().await;
    wire.send(tunnel.bytes()).await;
    assert!((400..=501).contains(&wire.answer("GET").await.status));
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_get_with_a_body_of_unknown_length_passes_whole() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        // Twice: whatever were left of the first body would stand before the second request.
        for _ in 0..2 {
            let sent = body(64 << 10);
            let call = world.by_administrator("GET", "/x").body(sent.clone());

            let answer = client.call(&call.chunked()).await.expect(200);
            assert!(answer.body == sent, "{version:?}");
            let seen = service.next().await;
            assert_eq!(seen.method, "GET");
            assert!(seen.body == sent, "{version:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_in_chunks_that_tells_a_length_too_arrives_whole_without_it() {
    let bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
                 c\r\nhello, world\r\n0\r\n\r\n";
    let service = Service::answering(bytes).await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for _ in 0..2 {
            let answer = client.call(&world.by_administrator("GET", "/x")).await;
            let answer = answer.expect(200);
            assert_eq!(answer.body, "hello, world", "{version:?}");
            assert!(!answer.headers.has("content-length"), "{answer:?}");
        }
    }
}
