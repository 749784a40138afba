use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::Version;

const NAME: &str = "strict-transport-security";

#[tokio::test]
async fn every_answer_over_tls_says_so_and_none_without() {
    let service = Service::answering_with(|request| {
        let own = match request.target.as_str() {
            "/own" => "Strict-Transport-Security: max-age=5\r\n",
            _ => "",
        };
        format!("HTTP/1.1 200 OK\r\n{own}Content-Length: 0\r\n\r\n").into_bytes()
    })
    .await;
    let setup = Setup::before(service.address)
        .plain()
        .tls("hsts = \"365d\"\nhsts_include_subdomains = true\nhsts_preload = true");
    let world = setup.start().await;
    let said = Some("max-age=31536000; includeSubDomains; preload");

    for (call, status, said) in [
        (world.by_administrator("GET", "/x"), 200, said),
        (
            world.by_administrator("GET", "/own"),
            200,
            Some("max-age=5"),
        ),
        (world.by_administrator("GET", "/api/auth/me"), 200, said),
        (Call::get("/x"), 401, said),
        (Call::get("/x").host("a b"), 400, said),
    ] {
        for version in Version::ALL {
            if version == Version::Http2 && call.host == "a b" {
                continue;
            }
            let answer = world.client(version).await.call(&call).await;
            assert_eq!(answer.status, status, "{version:?} {call:?}");
            assert_eq!(answer.headers.get(NAME), said, "{version:?} {call:?}");
        }
        let answer = Wire::plain(world.http()).await.call(&call).await;
        let own = said.filter(|said| *said == "max-age=5");
        assert_eq!(answer.headers.get(NAME), own, "plain {call:?}");
    }

    let mut wire = world.wire().await;
    wire.send(
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await;
    let refused = wire.answer("GET").await.expect(400);
    assert_eq!(refused.headers.get(NAME), said);
}
