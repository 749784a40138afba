use serde_json::json;

use crate::support::message::{Answer, Call};
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

const APP: &str = "https://app.example.com";

/// A service that has its own idea of other origins.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n\
                      Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: x-secret\r\n\
                      Vary: Accept-Encoding\r\n\r\nok";

const ROUTES: &str = r#"
[[routes]]
path = "/app"
methods = ["GET", "PUT", "OPTIONS"]
upstream = "service"
allow = [{ role = "admin" }]
cors = { origins = ["https://app.example.com", "http://localhost:3000"], expose = ["X-Total"], credentials = true, max_age = "1h" }
limits = [{ per = "key", rate = "1 per 1h" }]

[[routes]]
path = "/open"
upstream = "service"
public = true
cors = { origins = ["*"], methods = ["GET", "DELETE"], headers = ["X-One", "X-Two"] }

[[routes]]
path = "/plain"
upstream = "service"
public = true

[[routes]]
path = "/away"
redirect = { to = "/app" }
cors = { origins = ["https://app.example.com"] }
"#;

async fn world(service: &Service) -> World {
    let setup = Setup::new().upstream("service", service.address);
    setup.toml(ROUTES).start().await
}

fn preflight(path: &str, origin: &str, method: &str) -> Call {
    Call::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method)
        .header("Access-Control-Request-Headers", "authorization")
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.headers.get("access-control-allow-origin")
}

#[tokio::test]
async fn a_preflight_needs_no_credential_and_never_reaches_the_service() {
    let service = Service::answering(ANSWER).await;
    let world = world(&service).await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for origin in [APP, "http://localhost:3000"] {
            let answer = client.call(&preflight("/app/x", origin, "PUT")).await;
            let answer = answer.expect(204);
            let told = |name| answer.headers.get(name);
            assert_eq!(allowed(&answer), Some(origin));
            assert_eq!(
                told("access-control-allow-methods"),
                Some("GET, PUT, OPTIONS")
            );
            assert_eq!(
                told("access-control-allow-headers"),
                Some("authorization, content-type, x-api-key")
            );
            assert_eq!(told("access-control-allow-credentials"), Some("true"));
            assert_eq!(told("access-control-max-age"), Some("3600"));
            assert_eq!(told("vary"), Some("Origin"));
        }
        let answer = client.call(&preflight("/open", "null", "DELETE")).await;
        let answer = answer.expect(204);
        assert_eq!(allowed(&answer), Some("*"));
        assert!(!answer.headers.has("access-control-allow-credentials"));
        assert!(!answer.headers.has("vary"));
        let headers = answer.headers.get("access-control-allow-headers");
        assert_eq!(headers, Some("x-one, x-two"));
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_preflight_is_answered_where_its_request_would_go() {
    let mut service = Service::answering(ANSWER).await;
    let world = world(&service).await;

    for (call, status, code) in [
        (
            preflight("/app", "https://evil.example", "PUT"),
            403,
            "origin_not_allowed",
        ),
        (preflight("/app", "null", "GET"), 403, "origin_not_allowed"),
        // No such request would find a route.
        (preflight("/none", APP, "GET"), 404, "no_route"),
        // Not a whole preflight: a request like others, which needs its credential.
        (Call::new("OPTIONS", "/app"), 401, "credential_missing"),
        (
            Call::new("OPTIONS", "/app").header("Origin", APP),
            401,
            "credential_missing",
        ),
    ] {
        let answer = world.call(&call).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{call:?}");
        let is_granted = status == 401 && !call.fields.is_empty();
        assert_eq!(allowed(&answer), is_granted.then_some(APP), "{call:?}");
    }
    assert!(service.is_quiet());

    // Where the route says nothing of origins, the service does.
    let answer = world.call(&preflight("/plain", APP, "GET")).await;
    assert_eq!(allowed(&answer.expect(200)), Some("*"));
    assert_eq!(service.next().await.method, "OPTIONS");
    let call = world
        .by_administrator("OPTIONS", "/app")
        .header("Origin", APP);
    world.call(&call).await.expect(200);
    assert_eq!(service.next().await.method, "OPTIONS");
}

#[tokio::test]
async fn every_answer_of_the_route_can_be_read_by_the_pages_it_lists() {
    let service = Service::answering(ANSWER).await;
    let world = world(&service).await;
    let viewer = world.new_user("ada", "viewer").await;
    let key = world.new_key(world.administrator()).await.key;
    let with_key = || Call::get("/app/x").header("X-API-Key", &key);

    for (call, status) in [
        (Call::get("/app/x"), 401),
        (Call::get("/app/x").bearer("nonsense"), 401),
        (Call::get("/app/x").bearer(&viewer.token), 403),
        (Call::get("/app;x"), 400),
        (world.by_administrator("GET", "/app/x"), 200),
        (with_key(), 200),
        (with_key(), 429),
        (Call::get("/away"), 307),
    ] {
        let answer = world
            .call(&call.clone().header("Origin", APP))
            .await
            .expect(status);
        assert_eq!(allowed(&answer), Some(APP), "{call:?}");
        let vary = answer.headers.all("vary");
        assert!(vary.contains(&"Origin"), "{vary:?}");
        let expose = answer.headers.get("access-control-expose-headers");
        if status != 307 {
            assert_eq!(expose, Some("x-total"));
            let credentials = answer.headers.get("access-control-allow-credentials");
            assert_eq!(credentials, Some("true"));
        }
    }
    for origin in [Some("https://evil.example"), None] {
        let mut call = world.by_administrator("GET", "/app/x");
        if let Some(origin) = origin {
            call = call.header("Origin", origin);
        }
        let answer = world.call(&call).await.expect(200);
        assert_eq!(allowed(&answer), None);
        let fields = answer.headers.0.iter();
        let names: Vec<_> = fields.map(|(name, _)| name.to_ascii_lowercase()).collect();
        assert!(!names.iter().any(|name| name.starts_with("access-control")));
        assert_eq!(answer.headers.all("vary"), ["Accept-Encoding", "Origin"]);
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_log_in() {
    let service = Service::echo().await;
    let api = "[api]\ncors = { origins = [\"https://app.example.com\"] }";
    let world = Setup::before(service.address).toml(api).start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let answer = client
            .call(&preflight("/api/auth/login", APP, "POST"))
            .await;
        let answer = answer.expect(204);
        assert_eq!(allowed(&answer), Some(APP));
        let methods = answer.headers.get("access-control-allow-methods");
        assert_eq!(methods, Some("GET, HEAD, POST, PATCH, DELETE"));

        let user = world.administrator();
        let body = json!({"email": user.email, "password": user.password});
        let call = Call::post("/api/auth/login")
            .json(&body)
            .header("Origin", APP);
        assert_eq!(allowed(&client.call(&call).await.expect(200)), Some(APP));
        let call = Call::get("/api/auth/me").header("Origin", APP);
        assert_eq!(allowed(&client.call(&call).await.expect(401)), Some(APP));
        let call = preflight("/api/auth/login", "https://evil.example", "POST");
        assert_eq!(client.call(&call).await.code(), "origin_not_allowed");
        // An unknown method is told as before.
        let call = Call::new("OPTIONS", "/api/auth/me");
        assert_eq!(client.call(&call).await.status, 405);
    }
}
