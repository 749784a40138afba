use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;

/// No path is an exception.
const ACME: &str = "/.well-known/acme-challenge/x";

#[tokio::test]
async fn a_request_without_tls_is_sent_on_to_the_same_place() {
    let service = Service::echo().await;
    let world = Setup::new()
        .listener("address = \"127.0.0.1:0\", redirect = \"https\"")
        .listener("address = \"http://127.0.0.1:0\", redirect = \"https\", redirect_port = 8443")
        .upstream("service", service.address)
        .route("/", "service", "public = true")
        .start_empty()
        .await;
    let listeners = world.node().listeners();

    for (host, target, name, path) in [
        ("a.example", "/", "a.example", "/"),
        (
            "a.example:80",
            "/x/%41?q=1&r=%20//",
            "a.example",
            "/x/%41?q=1&r=%20//",
        ),
        ("A.Example.", "//x", "A.Example", "//x"),
        ("[::1]:8080", "/x", "[::1]", "/x"),
        ("a.example", ACME, "a.example", ACME),
        ("a.example", "/api/auth/me", "a.example", "/api/auth/me"),
        ("b.example", "http://a.example/x", "a.example", "/x"),
    ] {
        for (listener, port) in [(listeners[1], ""), (listeners[2], ":8443")] {
            let location = format!("https://{name}{port}{path}");
            for method in ["GET", "POST", "DELETE"] {
                let call = Call::new(method, target).host(host);
                let answer = Wire::plain(listener).await.call(&call).await.expect(308);
                assert_eq!(answer.headers.get("location"), Some(location.as_str()));
                assert!(answer.body.is_empty());
                assert!(!answer.headers.has("strict-transport-security"));
            }
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_request_that_names_no_place_is_refused() {
    let world = Setup::new()
        .listener("address = \"127.0.0.1:0\", redirect = \"https\"")
        .start_empty()
        .await;
    let listener = world.node().listeners()[1];

    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost: a b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: user@a.example\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.example/x\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.0\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET /a\\b HTTP/1.1\r\nHost: a\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n", 400),
        (
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n",
            501,
        ),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n", 501),
    ] {
        let mut wire = Wire::plain(listener).await;
        wire.send(format!("{head}\r\n")).await;
        let start = wire.exactly(12).await.unwrap();
        let start = String::from_utf8_lossy(&start);
        assert_eq!(start[9..], status.to_string(), "{head}");
    }
}

#[tokio::test]
async fn what_was_sent_on_is_told_as_any_request() {
    let world = Setup::new()
        .listener("address = \"127.0.0.1:0\", redirect = \"https\"")
        .start_empty()
        .await;
    let listener = world.node().listeners()[1];

    let call = Call::post("/x").host("a.example").body("for nobody");
    Wire::plain(listener).await.call(&call).await.expect(308);

    let access = &world.node().access;
    let line = access.wait_for("the access line", |line| line["path"] == "/x");
    assert_eq!(line.await["status"], 308);
}
