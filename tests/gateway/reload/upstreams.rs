use super::{edit, exchange, reload};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, answer, nowhere};
use crate::support::setup::Setup;
use crate::support::world::World;

const HEALTH: &str = "[upstreams.one.health_check]\npath = \"/health\"\ninterval = \"50ms\"\n";

async fn gateway(one: &Service, other: &Service) -> World {
    let setup = Setup::new()
        .upstream("one", one.address)
        .upstream_of("other", &[other.address], "max_idle = 7")
        .route("/one", "one", "public = true")
        .route("/other", "other", "public = true");
    setup.start_empty().await
}

/// The connections to its upstreams are one worker's, and so is this.
async fn ask_both(wire: &mut crate::support::wire::Wire) {
    for path in ["/one", "/other"] {
        wire.call(&Call::get(path)).await.expect(200);
    }
}

#[tokio::test]
async fn one_that_stays_keeps_its_connections_and_one_that_was_changed_gets_new_ones() {
    let (one, other) = (Service::echo().await, Service::echo().await);
    let world = gateway(&one, &other).await;
    let mut wire = world.wire().await;
    ask_both(&mut wire).await;

    for max in 8..12 {
        let new = format!("max_idle = {max}");
        edit(&world, exchange(&format!("max_idle = {}", max - 1), &new));
        let said = reload(&world);
        assert!(
            said.ends_with(".toml\n  [upstreams.other] changed\n"),
            "{said}"
        );
        ask_both(&mut wire).await;
    }

    assert_eq!((one.connections(), other.connections()), (1, 5));
}

#[tokio::test]
async fn the_kept_connections_of_one_that_was_changed_are_closed_at_once() {
    let service = Scripted::start().await;
    let setup = Setup::new()
        // The one in use holds the old configuration where the other waits.
        .server("workers = 1")
        .upstream_of("service", &[service.address], "max_idle = 7")
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let (mut idle, mut busy) = (world.wire().await, world.wire().await);
    for wire in [&mut idle, &mut busy] {
        wire.send(Call::get("/x").bytes()).await;
    }
    let (mut first, mut second) = (service.accept().await, service.accept().await);
    first.request().await;
    second.request().await;
    first.send(answer(&"first".into())).await;

    edit(&world, exchange("max_idle = 7", "max_idle = 8"));
    // Whichever of the two it was: its answer is there before its connection is kept.
    let either = async {
        tokio::select! {
            answer = idle.answer("GET") => answer,
            answer = busy.answer("GET") => answer,
        }
    };
    assert_eq!(either.await.expect(200).body, "first");
    reload(&world);

    assert!(first.rest().await.0.is_empty());
    // The one in use ends in peace, and is closed then.
    second.send(answer(&"second".into())).await;
    assert!(second.rest().await.0.is_empty());
}

#[tokio::test]
async fn requests_go_to_the_new_servers() {
    let (one, mut other) = (Service::echo().await, Service::echo().await);
    let world = gateway(&one, &other).await;
    let mut wire = world.wire().await;
    ask_both(&mut wire).await;
    other.taken();

    let (from, to) = (one.address.to_string(), other.address.to_string());
    edit(&world, |text| text.replace(&from, &to));
    reload(&world);
    wire.call(&Call::get("/one")).await.expect(200);

    assert_eq!(other.next().await.target, "/one");
}

#[tokio::test]
async fn what_is_known_of_servers_stays_where_their_upstream_does() {
    let (dead, well) = (nowhere(), Service::echo().await);
    let setup = Setup::new()
        .upstream_of("one", &[dead, well.address], "")
        .upstream_of("other", &[well.address], "max_idle = 7")
        .route("/one", "one", "public = true")
        .route("/other", "other", "public = true");
    let world = setup.start_empty().await;
    let of_dead = format!("{{upstream=\"one\",server=\"{dead}\"}}");
    let known = [
        format!("dariet_upstream_server_healthy{of_dead} 0"),
        format!("dariet_upstream_server_ejections_total{of_dead} 1"),
    ];
    let mut wire = world.wire().await;
    while !world.metrics().await.contains(&known[1]) {
        wire.call(&Call::get("/one")).await.expect(200);
    }

    edit(&world, exchange("max_idle = 7", "max_idle = 8"));
    reload(&world);

    // At once: no request had to find out again.
    let metrics = world.metrics().await;
    assert!(known.iter().all(|line| metrics.contains(line)), "{metrics}");
}

#[tokio::test]
async fn servers_of_an_upstream_that_is_gone_are_asked_no_more() {
    let (one, mut other) = (Service::echo().await, Service::echo().await);
    let setup = Setup::new()
        .upstream("one", one.address)
        .upstream_of(
            "other",
            &[other.address],
            &format!(
                "# begin\n{}# end",
                HEALTH.replace("upstreams.one", "upstreams.other")
            ),
        )
        .route("/one", "one", "public = true");
    let world = setup.start_empty().await;
    assert_eq!(other.next().await.target, "/health");

    edit(&world, |text| {
        let begin = text.find("[upstreams.other]").unwrap();
        let end = text.find("# end").unwrap();
        format!("{}{}", &text[..begin], &text[end..])
    });
    let said = reload(&world);
    assert!(said.ends_with("  [upstreams.other] removed\n"), "{said}");

    // Questions come one after the other: one may have been asked, and no other follows. That none does,
    // nothing but time tells.
    let mut quiet = 0;
    for _ in 0..8 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        quiet = if other.taken().is_empty() {
            quiet + 1
        } else {
            0
        };
    }
    assert!(quiet >= 6, "{quiet}");
    assert!(!world.metrics().await.contains("upstream=\"other\""));
}
