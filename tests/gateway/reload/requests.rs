use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{add, edit, exchange, reload, reload_meanwhile};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, answer};
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

const PUBLIC: &str = "public = true";

async fn before(service: &Service) -> World {
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/stays", "service", PUBLIC)
        .route("/goes", "service", "public = true # goes");
    setup.start_empty().await
}

fn without_going(text: &str) -> String {
    let begin = text.find("[[routes]]\npath = \"/goes\"").unwrap();
    let end = begin + text[begin..].find("# goes").unwrap();
    format!("{}{}", &text[..begin], &text[end..])
}

#[tokio::test]
async fn a_route_that_was_removed_is_not_found_by_the_next_request_on_the_same_connection() {
    for version in Version::ALL {
        let service = Service::echo().await;
        let world = before(&service).await;
        let mut client = world.client(version).await;
        client.call(&Call::get("/goes")).await.expect(200);

        edit(&world, |text| without_going(&text));
        assert!(reload(&world).ends_with("  route \"/goes\" removed\n"));

        let answer = client.call(&Call::get("/goes")).await;
        assert_eq!(
            answer.refusal(),
            (404, "no_route".to_owned()),
            "{version:?}"
        );
        client.call(&Call::get("/stays")).await.expect(200);
        assert_eq!(service.connections(), 1);
    }
}

#[tokio::test]
async fn a_route_that_was_added_takes_the_next_request_and_counts_by_its_name() {
    let service = Service::echo().await;
    let world = before(&service).await;
    let mut wire = world.wire().await;
    wire.call(&Call::get("/stays")).await.expect(200);
    assert_eq!(wire.call(&Call::get("/new")).await.status, 404);

    // Before the others in the file: their indices are others then.
    let new = "[[routes]]\npath = \"/new\"\nupstream = \"service\"\npublic = true\n";
    let stays = "[[routes]]\npath = \"/stays\"";
    edit(&world, exchange(stays, &format!("{new}{stays}")));
    assert!(reload(&world).ends_with("\n  route \"/new\" added\n"));

    wire.call(&Call::get("/new")).await.expect(200);
    wire.call(&Call::get("/stays")).await.expect(200);
    let count = |name: &str, status: &str, count: u32| {
        format!("dariet_requests_total{{route=\"{name}\",status=\"{status}\"}} {count}")
    };
    world.metric(&count("/stays", "2xx", 2)).await;
    world.metric(&count("/new", "2xx", 1)).await;
    world.metric(&count("(none)", "4xx", 1)).await;
    world.metric("dariet_config_generation 2").await;
    world
        .metric("dariet_config_reloads_total{result=\"applied\"} 1")
        .await;
}

#[tokio::test]
async fn a_request_in_flight_ends_by_the_configuration_that_it_began_with() {
    let service = Scripted::start().await;
    let setup = Setup::new().upstream("service", service.address).route(
        "/goes",
        "service",
        "public = true # goes",
    );
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;
    wire.send(Call::get("/goes").bytes()).await;
    let mut upstream = service.accept().await;
    upstream.request().await;

    edit(&world, |text| without_going(&text));
    reload(&world);
    upstream.send(answer(&"late".into())).await;

    assert_eq!(wire.answer("GET").await.expect(200).body, "late");
    assert_eq!(wire.call(&Call::get("/goes")).await.status, 404);
}

#[tokio::test]
async fn no_request_is_lost_under_load() {
    let service = Service::echo().await;
    let world = Arc::new(before(&service).await);
    let (done, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (world, done) = (Arc::clone(&world), Arc::clone(&done));
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut client = world.client(Version::ALL[number % 2]).await;
                while !done.load(Ordering::SeqCst) {
                    let call = Call::post("/stays").body("hello");
                    assert_eq!(client.call(&call).await.expect(200).body, "hello");
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();

    for number in 0..10 {
        // The upstream itself is another each time, and so are its connections.
        let lines = format!("max_idle = {}\n[[routes]]\npath = \"/stays\"", 200 + number);
        edit(&world, |text| {
            let begin = text.find("[upstreams.service]").unwrap();
            let end = begin + text[begin..].find("[[routes]]\npath = \"/stays\"").unwrap();
            let servers = format!(
                "[upstreams.service]\nservers = [\"http://{}\"]\n",
                service.address
            );
            let rest = &text[end + "[[routes]]\npath = \"/stays\"".len()..];
            format!("{}{servers}{lines}{rest}", &text[..begin])
        });
        let before = asked.load(Ordering::SeqCst);
        let said = reload_meanwhile(&world).await;
        assert!(said.contains("[upstreams.service] changed"), "{said}");
        while asked.load(Ordering::SeqCst) < before + 20 {
            tokio::task::yield_now().await;
        }
    }

    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn a_stricter_route_refuses_the_next_request_on_the_same_connection() {
    let service = Service::echo().await;
    let world = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", "public = true # open")
        .start()
        .await;
    let viewer = world.new_user("ada", "viewer").await;
    let mut wire = world.wire().await;
    let call = Call::get("/x").bearer(&viewer.token);
    wire.call(&Call::get("/x")).await.expect(200);

    edit(&world, exchange("public = true # open", "# closed"));
    reload(&world);
    assert_eq!(wire.call(&Call::get("/x")).await.status, 401);
    wire.call(&call).await.expect(200);

    let admins = "allow = [{ role = \"admin\" }]";
    edit(&world, exchange("# closed", admins));
    reload(&world);
    assert_eq!(wire.call(&call).await.status, 403);
}

#[tokio::test]
async fn a_limit_that_stays_is_as_far_used_as_it_was() {
    let service = Service::echo().await;
    let limit = "limits = [{ per = \"address\", rate = \"3 per 1h\" }, { per = \"route\", rate = \"4 per 1h\" }]";
    let world = Setup::new()
        .upstream("service", service.address)
        .route("/x", "service", &format!("{PUBLIC}\n{limit}"))
        .start_empty()
        .await;
    let mut wire = world.wire().await;
    for _ in 0..2 {
        wire.call(&Call::get("/x")).await.expect(200);
    }

    // Another limit before it, and another route: its place in the file is another.
    let more = "[[limits]]\nper = \"address\"\nrate = \"100 per 1s\"\n";
    edit(
        &world,
        exchange("[[routes]]", &format!("{more}\n[[routes]]")),
    );
    assert!(reload(&world).ends_with("  [[limits]] changed\n"));

    wire.call(&Call::get("/x")).await.expect(200);
    assert_eq!(wire.call(&Call::get("/x")).await.status, 429);
    // Of the address by itself nothing is left; of the route one is.
    edit(&world, exchange("3 per 1h", "50 per 1h"));
    reload(&world);
    wire.call(&Call::get("/x")).await.expect(200);
    assert_eq!(wire.call(&Call::get("/x")).await.status, 429);
}

#[tokio::test]
async fn what_is_looked_at_once_a_request_or_a_connection_is_exchanged() {
    let service = Service::echo().await;
    let mut world = Setup::new()
        .server("# server")
        .upstream("service", service.address)
        .route("/", "service", PUBLIC)
        .toml("[api_keys]\nmax_per_user = 1")
        .start()
        .await;
    let user = world.new_user("ada", "viewer").await;
    world.new_key(&user).await;
    let mut wire = world.wire().await;
    let answer = wire.call(&Call::get("/x")).await;
    assert!(!answer.headers.has("strict-transport-security"));

    edit(&world, exchange("[admin]", "hsts = \"1d\"\n[admin]"));
    edit(&world, exchange("# server", "rate_limit_headers = true"));
    edit(&world, exchange("max_per_user = 1", "max_per_user = 2"));
    edit(
        &world,
        add("[[limits]]\nper = \"address\"\nrate = \"1000 per 1s\""),
    );
    let said = reload(&world);

    for part in [
        "[server.tls]",
        "server.rate_limit_headers",
        "[api_keys]",
        "[[limits]]",
    ] {
        assert!(said.contains(&format!("  {part} changed\n")), "{said}");
    }
    let answer = wire.call(&Call::get("/x")).await;
    assert!(answer.headers.has("strict-transport-security"));
    assert!(answer.headers.has("ratelimit"));
    world.new_key(&user).await;
    world.node_mut().stop().await;
}
