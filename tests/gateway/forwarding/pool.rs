use crate::support::message::Call;
use crate::support::service::{Scripted, Service, answer, nowhere};
use crate::support::setup::Setup;
use crate::support::world::Version;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection_to_the_service() {
    for version in Version::ALL {
        let service = Service::echo().await;
        let world = Setup::before(service.address).start().await;
        let mut client = world.client(version).await;

        for _ in 0..5 {
            let call = world.by_administrator("POST", "/x").body("hello");
            client.call(&call).await.expect(200);
        }

        assert_eq!(service.connections(), 1, "{version:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_service_has_closed_is_replaced() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;
    let call = world.by_administrator("POST", "/x").body("hello");

    for _ in 0..3 {
        wire.send(call.bytes()).await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(OK).await;
        wire.answer("POST").await.expect(200);
        upstream.finish().await;
        drop(upstream);
    }
}

#[tokio::test]
async fn a_request_that_does_no_harm_is_repeated_where_a_kept_connection_breaks_under_it() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;
    let call = world.by_administrator("GET", "/x");

    wire.send(call.bytes()).await;
    let mut kept = service.accept().await;
    kept.request().await;
    kept.send(OK).await;
    wire.answer("GET").await.expect(200);
    wire.send(call.bytes()).await;
    kept.request().await;
    drop(kept);

    let mut fresh = service.accept().await;
    fresh.request().await;
    fresh.send(OK).await;
    assert_eq!(wire.answer("GET").await.expect(200).body, "ok");
}

#[tokio::test]
async fn a_request_that_may_have_been_acted_on_is_not_repeated() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;
    let call = world.by_administrator("POST", "/x").body("hello");

    wire.send(call.bytes()).await;
    let mut kept = service.accept().await;
    kept.request().await;
    kept.send(OK).await;
    wire.answer("POST").await.expect(200);
    wire.send(call.bytes()).await;
    kept.request().await;
    drop(kept);

    let refusal = wire.answer("POST").await.refusal();
    assert_eq!(refusal, (502, "upstream_broken".to_owned()));
}

#[tokio::test]
async fn a_connection_that_the_service_will_close_is_not_used_again() {
    let service = Service::answering_with(|request| {
        let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        match request.target.as_str() {
            "/last" => close.into(),
            _ => answer(&request.body),
        }
    });
    let service = service.await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    for target in ["/x", "/last", "/x", "/x"] {
        let answer = wire.call(&world.by_administrator("GET", target)).await;
        assert_eq!(answer.expect(200).headers.get("connection"), None);
    }

    assert_eq!(service.connections(), 2);
}

#[tokio::test]
async fn the_servers_of_an_upstream_take_turns_where_it_says_so() {
    let services = [Service::echo().await, Service::echo().await];
    let addresses = [services[0].address, services[1].address];
    let setup = Setup::new()
        .upstream_of("service", &addresses, r#"balance = "round_robin""#)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;

    let mut counts = [0, 0];
    let [mut one, mut other] = services;
    for _ in 0..6 {
        wire.call(&Call::get("/x")).await.expect(200);
        if one.is_quiet() {
            other.next().await;
            counts[1] += 1;
        } else {
            one.next().await;
            counts[0] += 1;
        }
    }

    assert_eq!(counts, [3, 3]);
}

#[tokio::test]
async fn a_server_that_refuses_is_skipped() {
    let service = Service::echo().await;
    let setup = Setup::new()
        .upstream_of("service", &[nowhere(), service.address], "")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    for _ in 0..6 {
        let call = Call::post("/x").body("hello");
        assert_eq!(world.call(&call).await.expect(200).body, "hello");
    }
}

#[tokio::test]
async fn a_service_of_http_1_0_is_asked_anew_each_time_and_answers_in_the_clients_version() {
    let bytes = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for version in Version::ALL {
        let service = Service::answering(bytes).await;
        let world = Setup::before(service.address).start().await;
        let mut client = world.client(version).await;

        for times in 1..=3 {
            // Reading it fails unless it says HTTP/1.1, where it is not HTTP/2.
            let answer = client.call(&world.by_administrator("GET", "/x")).await;
            assert_eq!(answer.expect(200).body, "ok");
            assert_eq!(service.connections(), times, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_a_client_has_proven_itself_on_is_nobody_elses() {
    for scheme in ["Negotiate", "NTLM", "negotiate"] {
        let service = Service::echo().await;
        let setup = Setup::new().upstream("service", service.address).route(
            "/",
            "service",
            "public = true",
        );
        let world = setup.server("workers = 1").start_empty().await;
        let mut wire = world.wire().await;

        let proof = Call::get("/x").header("Authorization", &format!("{scheme} YIIabc=="));
        wire.call(&proof).await.expect(200);
        world.call(&Call::get("/x")).await.expect(200);
        assert_eq!(service.connections(), 2, "{scheme}");
        world.call(&Call::get("/x")).await.expect(200);
        assert_eq!(service.connections(), 2, "{scheme}");
    }
}

#[tokio::test]
async fn a_connection_that_a_client_is_to_prove_itself_on_is_nobody_elses() {
    for challenge in ["Negotiate", "NTLM TlRMTVNTUAAC", "Basic realm=x, Negotiate"] {
        let answer = format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
        );
        let service = Service::answering(answer).await;
        let setup = Setup::new().upstream("service", service.address).route(
            "/",
            "service",
            "public = true",
        );
        let world = setup.server("workers = 1").start_empty().await;

        for times in 1..=2 {
            world.call(&Call::get("/x")).await.expect(401);
            assert_eq!(service.connections(), times, "{challenge}");
        }
    }
}
