use bytes::Bytes;
use http::HeaderMap;

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

const WITH_TRAILERS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                             Trailer: Checksum\r\n\r\n2\r\nok\r\n0\r\nChecksum: abc\r\n\r\n";

/// A call by a client that takes trailers.
fn with_te(world: &World, version: Version) -> Call {
    let call = world.by_administrator("GET", "/x").header("TE", "trailers");
    match version {
        Version::Http1 => call.header("Connection", "TE"),
        Version::Http2 => call,
    }
}

#[tokio::test]
async fn trailers_of_an_answer_arrive() {
    let service = Service::answering(WITH_TRAILERS).await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let call = with_te(&world, version);

        let answer = client.call(&call).await.expect(200);
        assert_eq!(answer.body, "ok");
        assert_eq!(answer.trailers.get("checksum"), Some("abc"), "{version:?}");
    }
}

#[tokio::test]
async fn trailers_of_a_request_arrive_without_what_they_forge() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let call = world
        .by_administrator("POST", "/x")
        .header("Trailer", "Checksum, X-Auth-User-Id, X_Auth_User_Role");

    let mut wire = world.wire().await;
    let head = call.head();
    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nChecksum: abc\r\n\
         X-Auth-User-Id: forged\r\nX_Auth_User_Role: forged\r\nAuthorization: Bearer forged\r\n\r\n"
    ))
    .await;
    wire.answer("POST").await.expect(200);
    let mut http2 = world.http2().await;
    let mut stream = http2.begin(&call, false).await;
    stream.send(Bytes::from("ok"), false).await.unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "abc".parse().unwrap());
    trailers.insert("x-auth-user-id", "forged".parse().unwrap());
    trailers.insert("x_auth_user_role", "forged".parse().unwrap());
    stream.sending.send_trailers(trailers).unwrap();
    stream.answer().await.unwrap().expect(200);

    for _ in Version::ALL {
        let seen = service.next().await;
        assert_eq!(seen.body, "ok");
        assert_eq!(seen.trailers.get("checksum"), Some("abc"), "{seen:?}");
        assert_eq!(seen.trailers.0.len(), 1, "{seen:?}");
    }
}

/// Trailers that concern the service's connection, frame the message, or say what only heads may.
const FORGED: &str = "Connection: close\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\
                      Content-Length: 7\r\nSet-Cookie: a=b\r\nX-Auth-User-Id: forged\r\n\
                      x_auth_user_role: forged\r\nX-Secret: told\r\nProxy-Authenticate: x\r\n";

#[tokio::test]
async fn trailers_of_an_answer_arrive_without_what_no_head_would_have() {
    for (trailers, left) in [("Checksum: abc\r\n", Some("abc")), ("", None)] {
        let service = Service::answering(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{FORGED}{trailers}\r\n"
        ))
        .await;
        let setup = Setup::new().upstream("service", service.address).route(
            "/",
            "service",
            "response_headers = { remove = [\"X-Secret\"] }",
        );
        let world = setup.start().await;

        for version in Version::ALL {
            let mut client = world.client(version).await;
            let call = with_te(&world, version);

            let answer = client.call(&call).await.expect(200);
            assert_eq!(answer.body, "ok");
            assert_eq!(answer.trailers.get("checksum"), left, "{version:?}");
            let count = usize::from(left.is_some());
            assert_eq!(answer.trailers.0.len(), count, "{version:?}: {answer:?}");
        }
    }
}
