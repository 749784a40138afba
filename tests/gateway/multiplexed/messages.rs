//! What of a request and of an answer passes.

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Response};

use super::before;
use crate::support::http2_service::{Http2Service, head, ok};
use crate::support::message::Call;
use crate::support::world::Version;

const NAMES: [&str; 6] = [
    "x-auth-user-id",
    "x-auth-user-email",
    "x-auth-user-name",
    "x-auth-user-role",
    "x-auth-method",
    "x-auth-key-id",
];

#[tokio::test]
async fn a_request_and_its_answer_pass_as_they_are() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut requests = service.answering(|request| {
        let mut answer = ok(request.body.clone());
        let headers = answer.headers_mut();
        headers.insert("x-answer", "1".parse().unwrap());
        headers.insert("proxy-authenticate", "Basic".parse().unwrap());
        *answer.status_mut() = http::StatusCode::CREATED;
        answer
    });

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let call = world
            .by_administrator("POST", "/a//b?c=d")
            .host("gateway.test:8443")
            .header("X-Mine", "one")
            .header("X-Mine", "two")
            .body("hello");
        let answer = client.call(&call).await.expect(201);
        assert_eq!(answer.body, "hello");
        assert_eq!(answer.headers.get("x-answer"), Some("1"));
        assert!(!answer.headers.has("proxy-authenticate"));

        let seen = requests.recv().await.unwrap();
        assert_eq!((&*seen.method, &*seen.target), ("POST", "/a/b?c=d"));
        assert_eq!(seen.body, "hello");
        let headers = &seen.headers;
        assert_eq!(headers.get("host"), Some("gateway.test:8443"));
        assert_eq!(headers.all("x-mine"), ["one", "two"]);
        assert_eq!(headers.has("content-length"), version == Version::Http1);
        assert_eq!(headers.get("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(headers.get("x-forwarded-proto"), Some("https"));
        assert_eq!(headers.get("x-auth-user-role"), Some("admin"));
        assert!(headers.has("x-request-id") && !headers.has("authorization"));
    }
}

#[tokio::test]
async fn nothing_that_a_client_forges_reaches_a_service() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut requests = service.answering(|_| ok(""));

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for path in ["/x", "/public"] {
            let call = world.by_administrator("GET", path);
            let call = NAMES.iter().fold(call, |call, name| {
                call.header(name, "forged")
                    .header(&name.to_uppercase(), "forged")
                    .header(&name.replace('-', "_"), "forged")
                    .header(&name.replace('-', "."), "forged")
                    .header(&name.replacen('-', "_", 1), "forged")
            });
            client.call(&call).await.expect(200);

            let seen = requests.recv().await.unwrap();
            let has_forged = seen.headers.0.iter().any(|(_, value)| value == "forged");
            assert!(!has_forged, "{version:?} {path}: {seen:?}");
            assert_eq!(seen.headers.has("x-auth-user-id"), path == "/x");
        }
    }
}

#[tokio::test]
async fn what_concerns_the_clients_connection_stays_with_it() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut requests = service.answering(|_| ok(""));
    let list = format!("close, X-Named, TE, {}", NAMES.join(", "));

    let call = world
        .by_administrator("GET", "/x")
        .header("Connection", &list)
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABk")
        .header("X-Named", "1")
        .header("TE", "gzip, trailers");
    world.call(&call).await.expect(200);

    let headers = requests.recv().await.unwrap().headers;
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "x-named",
        "transfer-encoding",
    ] {
        assert!(!headers.has(name), "{name}: {headers:?}");
    }
    assert_eq!(headers.get("te"), Some("trailers"));
    let identity = NAMES.iter().filter(|name| headers.has(name));
    assert_eq!(identity.count(), 5, "{headers:?}");
}

#[tokio::test]
async fn trailers_pass_both_ways_without_what_they_forge() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut http2 = world.http2().await;
    let call = world
        .by_administrator("POST", "/x")
        .header("TE", "trailers");

    let mut stream = http2.begin(&call, false).await;
    stream.send("ok".into(), false).await.unwrap();
    let mut trailers = HeaderMap::new();
    for (name, value) in [
        ("checksum", "abc"),
        ("x-auth-user-id", "forged"),
        ("x_auth_user_role", "forged"),
        ("authorization", "forged"),
    ] {
        trailers.insert(name, value.parse().unwrap());
    }
    stream.sending.send_trailers(trailers).unwrap();
    let mut upstream = service.accept().await;
    let mut seen = upstream.next().await;
    let request = seen.whole().await;
    assert_eq!(request.body, "ok");
    assert_eq!(request.trailers.get("checksum"), Some("abc"));
    assert_eq!(request.trailers.0.len(), 1, "{request:?}");

    let mut answer = seen.begin(head(200, &[]));
    answer.send("well");
    answer.trailers(&[("grpc-status", "0")]);
    let answer = stream.answer().await.unwrap().expect(200);
    assert_eq!(answer.body, "well");
    assert_eq!(answer.trailers.get("grpc-status"), Some("0"));
}

#[tokio::test]
async fn trailers_of_an_http1_client_pass_too() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut wire = world.wire().await;
    let head = world.by_administrator("POST", "/x").head();
    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nChecksum: abc\r\n\
         X-Auth-User-Id: forged\r\n\r\n"
    ))
    .await;

    let mut upstream = service.accept().await;
    let mut seen = upstream.next().await;
    let request = seen.whole().await;
    assert_eq!(request.body, "ok");
    assert_eq!(request.trailers.0, [("checksum".into(), "abc".into())]);
    seen.answer(ok(""));
    wire.answer("POST").await.expect(200);
}

#[tokio::test]
async fn long_bodies_pass_both_ways() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let _requests = service.answering(|request| ok(request.body.clone()));
    let body = Bytes::from_iter((0..3_000_000_u32).map(|n| n.to_le_bytes()[0]));

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let call = world.by_administrator("POST", "/x").body(body.clone());
        assert!(client.call(&call).await.expect(200).body == body);
    }
    let mut client = world.client(Version::Http1).await;
    let call = world.by_administrator("POST", "/x").body(body.clone());
    assert!(client.call(&call.chunked()).await.expect(200).body == body);
}

#[tokio::test]
async fn an_answer_without_a_body_has_none() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let _requests = service.answering(|request| {
        let status = request.target.trim_start_matches('/').parse().unwrap();
        let answer = Response::builder().status::<u16>(status);
        let answer = match request.method.as_str() {
            "HEAD" => answer.header("content-length", "5"),
            _ => answer,
        };
        answer.body(Bytes::new()).unwrap()
    });

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for status in [200_u16, 204, 304] {
            let call = world.by_administrator("GET", &format!("/{status}"));
            assert_eq!(client.call(&call).await.expect(status).body, "");
        }
        let answer = client.call(&world.by_administrator("HEAD", "/200")).await;
        assert_eq!(answer.headers.get("content-length"), Some("5"));
        client.call(&Call::get("/200")).await.expect(401);
    }
}

#[tokio::test]
async fn the_body_waits_for_the_services_100() {
    let service = Http2Service::start().await;
    let world = before(&service, "").start().await;
    let mut wire = world.wire().await;
    let head = world.by_administrator("POST", "/x").head();
    wire.send(format!(
        "{head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    ))
    .await;

    let mut upstream = service.accept().await;
    let mut seen = upstream.next().await;
    seen.interim(103);
    seen.interim(100);
    assert_eq!(wire.head().await.status(), 100);
    wire.send("hello").await;

    assert_eq!(seen.whole().await.body, "hello");
    seen.answer(ok("well"));
    assert_eq!(wire.answer("POST").await.expect(200).body, "well");
}

#[tokio::test]
async fn a_head_that_is_larger_than_the_service_takes_is_refused_and_others_go_on() {
    let service = Http2Service::start().await.max_head(2_000);
    // One, which knows by then what the service takes.
    let setup = before(&service, "").server("workers = 1");
    let world = setup.start_empty().await;
    let mut http2 = world.http2().await;
    let first = http2.start(&Call::get("/public/first")).await;
    let mut upstream = service.accept().await;
    let mut begun = upstream.next().await;
    let mut answer = begun.begin(head(200, &[]));
    let mut first = first.head().await.unwrap();

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let large = Call::get("/public/large").header("X-Large", &"x".repeat(2_000));
        let refused = client.call(&large).await;
        assert_eq!(refused.refusal(), (431, "head_too_large".to_owned()));
    }

    let is_it = |line: &serde_json::Value| line["path"] == "/public/large";
    let line = world.node().access.wait_for("an access line", is_it).await;
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.contains("the server takes 2000"), "{cause}");
    answer.finish(Bytes::from("well"));
    assert_eq!(first.piece().await.unwrap().unwrap(), "well");
    let next = http2.start(&Call::get("/public/next")).await;
    upstream.next().await.answer(ok(""));
    next.answer().await.unwrap().expect(200);

    // What clients did has said nothing of the upstream, and leaves room for what is to be said.
    let last = http2.start(&Call::get("/public/last")).await;
    upstream.next().await.reset(Reason::INTERNAL_ERROR);
    last.answer().await.unwrap().expect(502);
    let log = &world.node().log;
    let is_it = |line: &serde_json::Value| line["message"] == "upstream gave no answer";
    log.wait_for("the cause", is_it).await;
    assert_eq!(log.json().iter().filter(|line| is_it(line)).count(), 1);
}
