//! Who the client is behind trusted proxies, and what its service is told of it.

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

const PEER: &str = "127.0.0.1";

/// The headers of a request, the client that they name, and `X-Forwarded-For` as the service gets it.
type Row = (
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const ROWS: [Row; 16] = [
    (&[], PEER, "127.0.0.1"),
    (
        &[("X-Forwarded-For", "203.0.113.7")],
        "203.0.113.7",
        "203.0.113.7, 127.0.0.1",
    ),
    // From the right, over trusted addresses only.
    (
        &[("X-Forwarded-For", "6.6.6.6, 203.0.113.7:4711, 10.1.1.1")],
        "203.0.113.7",
        "6.6.6.6, 203.0.113.7:4711, 10.1.1.1, 127.0.0.1",
    ),
    (
        &[
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-For", "203.0.113.7"),
        ],
        "203.0.113.7",
        "6.6.6.6, 203.0.113.7, 127.0.0.1",
    ),
    (
        &[("X-Forwarded-For", "[2001:db8::7]:4711")],
        "2001:db8::7",
        "[2001:db8::7]:4711, 127.0.0.1",
    ),
    (
        &[("X-Forwarded-For", "10.1.1.1")],
        "10.1.1.1",
        "10.1.1.1, 127.0.0.1",
    ),
    (
        &[("X-Forwarded-For", "203.0.113.7, unknown")],
        PEER,
        "203.0.113.7, unknown, 127.0.0.1",
    ),
    (
        &[("X-Forwarded-For", "203.0.113.7, _hidden, 10.1.1.1")],
        "10.1.1.1",
        "203.0.113.7, _hidden, 10.1.1.1, 127.0.0.1",
    ),
    (
        &[("Forwarded", "for=203.0.113.7;proto=http;host=shop.example")],
        "203.0.113.7",
        "203.0.113.7, 127.0.0.1",
    ),
    (
        &[(
            "Forwarded",
            "for=6.6.6.6, for=\"[2001:db8::7]:4711\", for=10.1.1.1",
        )],
        "2001:db8::7",
        "2001:db8::7, 127.0.0.1",
    ),
    (
        &[
            ("Forwarded", "for=6.6.6.6"),
            ("Forwarded", "For=\"203.0.113.7:80\""),
        ],
        "203.0.113.7",
        "203.0.113.7, 127.0.0.1",
    ),
    (
        &[("Forwarded", "for=203.0.113.7, for=unknown")],
        PEER,
        "127.0.0.1",
    ),
    (
        &[("Forwarded", "for=203.0.113.7, for=\"_gazonk:80\"")],
        PEER,
        "127.0.0.1",
    ),
    // A quote that a client left open swallows what the proxy says.
    (
        &[("Forwarded", "for=\"6.6.6.6, for=203.0.113.7")],
        PEER,
        "127.0.0.1",
    ),
    // Both, and they agree.
    (
        &[
            ("X-Forwarded-For", "203.0.113.7"),
            ("Forwarded", "for=203.0.113.7"),
        ],
        "203.0.113.7",
        "203.0.113.7, 127.0.0.1",
    ),
    // Both, and they do not: one of them is the client's own invention.
    (
        &[
            ("X-Forwarded-For", "203.0.113.7"),
            ("Forwarded", "for=6.6.6.6"),
        ],
        PEER,
        "127.0.0.1",
    ),
];

#[tokio::test]
async fn the_client_is_found_behind_trusted_proxies_only() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .server("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (headers, address, list) in ROWS {
            let call = headers.iter().fold(Call::get("/x"), |call, (name, value)| {
                call.header(name, value)
            });
            client.call(&call).await.expect(200);

            let seen = service.next().await;
            assert_eq!(
                seen.headers.get("x-forwarded-for"),
                Some(list),
                "{headers:?}"
            );
            let id = seen.headers.get("x-request-id").unwrap();
            let is_it = |line: &serde_json::Value| line["request_id"] == id;
            let line = world.node().access.wait_for("its access line", is_it).await;
            assert_eq!(line["client.ip"], address, "{headers:?} {version:?}");
            // The new list tells the same client as the old one, and ends with the peer.
            let forwarded = seen.headers.get("forwarded").unwrap();
            assert!(forwarded.contains(address), "{headers:?}: {forwarded}");
            let last = forwarded.rsplit(", ").next().unwrap();
            assert!(last.starts_with("for=127.0.0.1"), "{forwarded}");
        }
    }
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .server("trusted_proxies = [\"10.0.0.0/8\"]")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    for (headers, ..) in ROWS {
        let call = headers.iter().fold(Call::get("/x"), |call, (name, value)| {
            call.header(name, value)
        });
        world.call(&call).await.expect(200);
        let seen = service.next().await;
        assert_eq!(seen.headers.get("x-forwarded-for"), Some(PEER));
        let forwarded = seen.headers.get("forwarded");
        let ours = "for=127.0.0.1;host=\"localhost\";proto=https";
        assert_eq!(forwarded, Some(ours), "{headers:?}");
    }
}
