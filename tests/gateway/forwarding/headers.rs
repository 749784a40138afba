use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::Version;

#[tokio::test]
async fn a_service_is_told_how_the_request_came() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let call = world
            .by_administrator("GET", "/x?a=b&a=%20c")
            .host("reports.example.com:8443")
            .header("Accept", "text/*")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            );
        client.call(&call).await.expect(200);

        let seen = service.next().await;
        let header = |name| seen.headers.get(name);
        assert_eq!(seen.target, "/x?a=b&a=%20c");
        assert_eq!(header("host"), Some("reports.example.com:8443"));
        assert_eq!(header("accept"), Some("text/*"));
        assert_eq!(header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(header("x-forwarded-proto"), Some("https"));
        assert_eq!(header("x-forwarded-host"), Some("reports.example.com:8443"));
        let forwarded = header("forwarded").unwrap();
        assert!(forwarded.contains("for=127.0.0.1"), "{forwarded}");
        assert!(forwarded.contains("proto=https"), "{forwarded}");
        let via = match version {
            Version::Http1 => "1.1 ",
            Version::Http2 => "2 ",
        };
        assert!(header("via").unwrap().starts_with(via), "{seen:?}");
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(header("traceparent"), Some(trace));
    }
}

#[tokio::test]
async fn each_request_has_an_id_of_its_own() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;
    let mut ids = Vec::new();

    for _ in 0..3 {
        let call = world
            .by_administrator("GET", "/x")
            .header("X-Request-Id", "chosen-by-the-client");
        wire.call(&call).await.expect(200);
        let seen = service.next().await;
        ids.push(seen.headers.get("x-request-id").unwrap().to_owned());
    }

    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(!ids.contains(&"chosen-by-the-client".to_owned()));
}

#[tokio::test]
async fn what_a_stranger_says_of_the_way_of_a_request_is_not_passed_on() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let names = [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-User",
        "X_Forwarded_For",
        "X-Real-IP",
        "True-Client-IP",
        "Forwarded",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_Original.URL",
        "Remote-User",
        "Remote_User",
    ];

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let call = world.by_administrator("GET", "/x");
        let call = names.iter().fold(call, |call, name| {
            call.header(name, "forged").header(name, "203.0.113.7")
        });
        client.call(&call).await.expect(200);

        let seen = service.next().await;
        let fields = seen.headers.0.iter();
        let forged: Vec<_> = fields
            .filter(|(_, value)| value.contains("forged") || value.contains("203.0.113.7"))
            .collect();
        assert!(forged.is_empty(), "{version:?}: {forged:?}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let mut service = Service::echo().await;
    let setup = Setup::before(service.address).server(r#"trusted_proxies = ["127.0.0.1"]"#);
    let world = setup.start().await;

    let call = world
        .by_administrator("GET", "/x")
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "http")
        .header("X-Request-Id", "from-the-proxy");
    world.call(&call).await.expect(200);

    let seen = service.next().await;
    let header = |name| seen.headers.get(name);
    assert_eq!(header("x-forwarded-for"), Some("203.0.113.7, 127.0.0.1"));
    assert_eq!(header("x-forwarded-proto"), Some("http"));
    assert_eq!(header("x-request-id"), Some("from-the-proxy"));
    let is_it = |line: &serde_json::Value| line["request_id"] == "from-the-proxy";
    let line = world.node().access.wait_for("its access line", is_it).await;
    assert_eq!(line["client.ip"], "203.0.113.7");
}

#[tokio::test]
async fn what_concerns_one_connection_is_not_passed_on() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, X-Hop\r\n\
                  X-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\nX-End: 1\r\n\r\n";
    let mut service = Service::answering(answer).await;
    let world = Setup::before(service.address).start().await;
    let call = world
        .by_administrator("POST", "/x")
        .header(
            "Connection",
            "X-Hop, keep-alive, Content-Length, X-Forwarded-For, Host",
        )
        .header("X-Hop", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("Proxy-Authorization", "Basic eDp5")
        .header("TE", "gzip")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA")
        .header("X-End", "1")
        .body("ok");

    let answer = world.call(&call).await.expect(200);

    for name in ["x-hop", "keep-alive", "proxy-authenticate"] {
        assert!(!answer.headers.has(name), "{name}");
    }
    assert_eq!(answer.headers.get("x-end"), Some("1"));
    let seen = service.next().await;
    for name in [
        "x-hop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "http2-settings",
    ] {
        assert!(!seen.headers.has(name), "{name}: {seen:?}");
    }
    assert_eq!(seen.headers.get("x-end"), Some("1"));
    assert_eq!(seen.headers.get("host"), Some("localhost"));
    assert_eq!(seen.headers.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.body, "ok");
}

#[tokio::test]
async fn the_crumbs_of_a_cookie_are_joined() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let call = world.by_administrator("GET", "/x");

    let mut http2 = world.http2().await;
    let call = call.header("Cookie", "a=1").header("Cookie", "b=2");
    http2.call(&call).await.expect(200);

    assert_eq!(service.next().await.headers.get("cookie"), Some("a=1; b=2"));
}

#[tokio::test]
async fn a_route_can_let_a_header_pass() {
    let mut service = Service::echo().await;
    let setup = Setup::new().upstream("service", service.address).route(
        "/",
        "service",
        r#"keep_headers = ["X-Original-URL"]"#,
    );
    let world = setup.start().await;

    let call = world
        .by_administrator("GET", "/x")
        .header("X-Original-URL", "/y")
        .header("X-Rewrite-URL", "/y");
    world.call(&call).await.expect(200);

    let seen = service.next().await;
    assert_eq!(seen.headers.get("x-original-url"), Some("/y"));
    assert!(!seen.headers.has("x-rewrite-url"));
}

#[tokio::test]
async fn the_host_in_the_target_counts_and_not_the_header() {
    let mut service = Service::echo().await;
    let setup = Setup::new().upstream("service", service.address).route(
        "/",
        "service",
        r#"host = "reports.example.com""#,
    );
    let world = setup.start().await;
    let call = world.by_administrator("GET", "https://reports.example.com/x");

    let same = call.clone().host("reports.example.com");
    world.call(&same).await.expect(200);
    let seen = service.next().await;
    assert_eq!(seen.target, "/x");
    assert_eq!(seen.headers.get("host"), Some("reports.example.com"));

    world
        .call(&call.host("other.example.com"))
        .await
        .expect(200);
    let seen = service.next().await;
    assert_eq!(seen.headers.get("host"), Some("reports.example.com"));

    let outside = same.target("https://other.example.com/x");
    let outside = world.call(&outside).await;
    assert_eq!(outside.refusal(), (404, "no_route".to_owned()));
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_service_is_told_a_host_where_the_client_told_none() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .plain()
        .upstream("service", service.address)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    for mut wire in [world.wire().await, Wire::plain(world.http()).await] {
        wire.send("GET /x HTTP/1.0\r\n\r\n").await;
        let (answer, _) = wire.rest().await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(" 200 OK\r\n"), "{answer}");

        let seen = service.next().await;
        assert_eq!(seen.target, "/x");
        let host = seen.headers.get("host").unwrap();
        assert!(!host.is_empty(), "{seen:?}");
    }
}
