use serde_json::Value;

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

/// How many of these come through before one is refused.
async fn passed(world: &World, call: &Call) -> usize {
    let mut wire = world.wire().await;
    for count in 0..20 {
        let answer = wire.call(call).await;
        if answer.status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            return count;
        }
    }
    20
}

fn from(call: Call, client: &str) -> Call {
    call.header("X-Forwarded-For", client)
}

#[tokio::test]
async fn each_subject_has_its_own_allowance() {
    let service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .server("trusted_proxies = [\"127.0.0.1\"]\nworkers = 2")
        .toml("[[limits]]\nper = \"principal\"\nrate = \"9 per 1h\"\nburst = 6")
        .route(
            "/key",
            "service",
            "limits = [{ per = \"key\", rate = \"2 per 1h\" }]",
        )
        .route("/user", "service", "")
        .route(
            "/all",
            "service",
            "public = true\nlimits = [{ per = \"route\", rate = \"3 per 1h\" }]",
        )
        .route(
            "/address",
            "service",
            "limits = [{ per = \"address\", rate = \"2 per 1h\" }]",
        );
    let world = setup.start().await;
    let ada = world.new_user("ada", "viewer").await;
    let bob = world.new_user("bob", "viewer").await;
    let key = world.new_key(&ada).await.key;
    let other_key = world.new_key(&ada).await.key;

    for (call, times) in [
        (Call::get("/key").bearer(&key), 2),
        (Call::get("/key").bearer(&other_key), 2),
        // The user has two left of all routes, whatever they come with.
        (Call::get("/key").bearer(&ada.token), 2),
        (Call::get("/user").bearer(&key), 0),
        (Call::get("/user").bearer(&bob.token), 6),
        (Call::get("/all"), 3),
        (from(Call::get("/all"), "192.0.2.9"), 0),
        // Without a credential too: it is looked at first.
        (from(Call::get("/address"), "192.0.2.1"), 2),
        (
            from(Call::get("/address").bearer(&bob.token), "192.0.2.1"),
            0,
        ),
        (from(Call::get("/address"), "192.0.2.2"), 2),
        (from(Call::get("/address"), "2001:db8::1"), 2),
        (from(Call::get("/address"), "2001:db8::ffff"), 0),
        (from(Call::get("/address"), "2001:db8:1::1"), 2),
    ] {
        assert_eq!(passed(&world, &call).await, times, "{call:?}");
    }
}

#[tokio::test]
async fn a_refusal_says_when_to_come_again_and_is_seen() {
    let mut service = Service::echo().await;
    let limits = "limits = [{ per = \"principal\", rate = \"4 per 1h\", burst = 1 }]";
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", limits);
    let world = setup.start().await;

    for version in Version::ALL {
        let user = world
            .new_user(&format!("{version:?}").to_lowercase(), "viewer")
            .await;
        let mut client = world.client(version).await;
        let call = Call::get("/x").bearer(&user.token);
        let answer = client.call(&call).await.expect(200);
        assert!(!answer.headers.has("ratelimit"));
        service.next().await;

        let answer = client.call(&call).await;
        assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
        let wait: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
        assert!((890..=900).contains(&wait), "{wait}");
        let detail = answer.json()["detail"].clone();
        let said = "More than 4 per 1h for this principal; wait as long as Retry-After says.";
        assert_eq!(detail, said);
        let id = answer.json()["request_id"].clone();
        let is_it = |line: &Value| line["request_id"] == id;
        let line = world.node().access.wait_for("the refusal", is_it).await;
        assert_eq!(line["code"], "rate_limited");
        assert_eq!(line["principal.id"], user.user);
    }
    assert!(service.is_quiet());
    let metrics = world.ask_ops("/metrics").await.body;
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(
        metrics.contains("dariet_refusals_total{code=\"rate_limited\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn who_may_not_use_a_route_takes_nothing_of_it() {
    let service = Service::echo().await;
    let lines =
        "allow = [{ role = \"admin\" }]\nlimits = [{ per = \"route\", rate = \"1 per 1h\" }]";
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", lines);
    let world = setup.start().await;
    let viewer = world.new_user("ada", "viewer").await;

    for _ in 0..3 {
        world.call(&Call::get("/")).await.expect(401);
        world
            .call(&Call::get("/").bearer(&viewer.token))
            .await
            .expect(403);
    }
    let call = world.by_administrator("GET", "/");
    assert_eq!(passed(&world, &call).await, 1);
}

#[tokio::test]
async fn the_gateways_own_endpoints_count_the_address_too() {
    let service = Service::echo().await;
    let limits = "[[limits]]\nper = \"address\"\nrate = \"5 per 1h\"\n\
                  [[limits]]\nper = \"route\"\nrate = \"1 per 1h\"";
    let setup = Setup::before(service.address)
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .toml(limits);
    let world = setup.start_empty().await;

    let call = from(Call::get("/api/auth/me"), "192.0.2.1");
    assert_eq!(passed(&world, &call).await, 5);
    let call = from(Call::get("/x"), "192.0.2.1");
    assert_eq!(passed(&world, &call).await, 0);
}

#[tokio::test]
async fn answers_say_what_is_left_where_they_are_to() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRateLimit: \"theirs\";r=1\r\n\r\n";
    let service = Service::answering(answer).await;
    let limits = "[[limits]]\nper = \"principal\"\nrate = \"100 per 1h\"";
    let lines = "limits = [{ per = \"address\", rate = \"60 per 1m\", burst = 2 }]";
    let setup = Setup::new()
        .upstream("service", service.address)
        .server("rate_limit_headers = true")
        .toml(limits)
        .route("/", "service", lines);
    let world = setup.start().await;

    let answer = world
        .call(&world.by_administrator("GET", "/"))
        .await
        .expect(200);
    let told = |name| answer.headers.get(name);
    assert_eq!(
        told("ratelimit-policy"),
        Some("\"address\";q=60;w=60, \"principal\";q=100;w=3600")
    );
    assert_eq!(
        told("ratelimit"),
        Some("\"address\";r=1;t=1, \"principal\";r=99;t=36")
    );
    // A refusal tells of the limits that were looked at.
    let answer = world.call(&Call::get("/")).await.expect(401);
    assert_eq!(
        answer.headers.get("ratelimit-policy"),
        Some("\"address\";q=60;w=60")
    );
}

#[tokio::test]
async fn a_preflight_counts_as_any_request_does() {
    let mut service = Service::echo().await;
    let limited = |per: &str| {
        format!(
            "public = true\ncors = {{ origins = [\"https://app.example.com\"] }}\n\
             limits = [{{ per = {per:?}, rate = \"3 per 1h\" }}]"
        )
    };
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/address", "service", &limited("address"))
        .route("/all", "service", &limited("route"));
    let world = setup.start_empty().await;

    for path in ["/address", "/all"] {
        let preflight = Call::new("OPTIONS", path)
            .header("Origin", "https://app.example.com")
            .header("Access-Control-Request-Method", "GET");
        assert_eq!(passed(&world, &preflight).await, 3, "{path}");
        let refused = world.call(&preflight).await;
        let told = refused.headers.get("access-control-allow-origin");
        assert_eq!(told, Some("https://app.example.com"), "{path}");
        assert_eq!(passed(&world, &Call::get(path)).await, 0, "{path}");
    }
    assert!(service.taken().is_empty());
}
