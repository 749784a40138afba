use std::os::unix::fs::symlink;
use std::path::Path;

use super::authority::{Authority, Pair, connect, plain_client, shown};
use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

const LISTED: &str = r#"
[[server.tls.certificates]]
certificate = "live/a.crt"
private_key = "live/a.key"
"#;

const EXCHANGED: &str = "certificate exchanged";
const REFUSED: &str = "tls files have changed and cannot be used; what was there before stays";

/// A gateway with a certificate for `a.example` in the folder `live`, which `make` fills.
async fn started(make: impl FnOnce(&Path)) -> World {
    let (folder, config) = Setup::new().tls(LISTED).write();
    make(folder.path());
    let mut world = World::of(folder, config);
    world.start().await;
    world
}

fn live(world: &World) -> std::path::PathBuf {
    world.config().with_file_name("live")
}

/// Waits for the line of the log, the one after `count` others of its kind.
async fn told(world: &World, message: &str, count: usize) {
    let seen = std::cell::Cell::new(0);
    let is_next = |line: &serde_json::Value| {
        seen.set(seen.get() + usize::from(line["message"] == message));
        seen.get() > count
    };
    world.node().log.wait_for(message, is_next).await;
}

/// What a new connection to `a.example` is shown.
async fn seen(world: &World, authority: &Authority) -> rustls::pki_types::CertificateDer<'static> {
    let config = plain_client(&authority.pem());
    shown(&connect(world.https(), "a.example", &config).await.unwrap())
}

#[tokio::test]
async fn a_renewed_certificate_is_used_for_new_connections_and_open_ones_go_on() {
    let authority = Authority::new("Renewal");
    let (old, new) = (
        authority.host(&["a.example"]),
        authority.host(&["a.example"]),
    );
    let world = started(|folder| {
        std::fs::create_dir(folder.join("live")).unwrap();
        old.write(&folder.join("live"), "a");
    })
    .await;
    let config = plain_client(&authority.pem());
    let stream = connect(world.https(), "a.example", &config).await.unwrap();
    assert_eq!(shown(&stream), old.der());
    let mut open = Wire::of_tls(stream);
    assert_eq!(open.call(&Call::get("/x")).await.code(), "no_route");
    let mut http2 = world.http2().await;

    new.write(&live(&world), "a");
    told(&world, EXCHANGED, 0).await;

    assert_eq!(seen(&world, &authority).await, new.der());
    assert_eq!(open.call(&Call::get("/x")).await.code(), "no_route");
    assert_eq!(http2.call(&Call::get("/x")).await.code(), "no_route");
    // A client that knows the gateway from before gets a whole handshake, and the new certificate.
    let again = connect(world.https(), "a.example", &config).await.unwrap();
    assert_eq!(shown(&again), new.der());
    assert!(!world.node().log.text().contains(REFUSED));
}

#[tokio::test]
async fn a_certificate_that_is_exchanged_by_a_link_is_seen() {
    let authority = Authority::new("Links");
    let (old, new) = (
        authority.host(&["a.example"]),
        authority.host(&["a.example"]),
    );
    // As Kubernetes mounts a secret: live/a.crt → ..data/a.crt, ..data → ..1.
    let world = started(|folder| {
        let live = folder.join("live");
        for (data, pair) in [("..1", &old), ("..2", &new)] {
            std::fs::create_dir_all(live.join(data)).unwrap();
            pair.write(&live.join(data), "a");
        }
        symlink("..1", live.join("..data")).unwrap();
        for name in ["a.crt", "a.key"] {
            symlink(Path::new("..data").join(name), live.join(name)).unwrap();
        }
    })
    .await;
    assert_eq!(seen(&world, &authority).await, old.der());

    let live = live(&world);
    symlink("..2", live.join("..new")).unwrap();
    std::fs::rename(live.join("..new"), live.join("..data")).unwrap();
    told(&world, EXCHANGED, 0).await;

    assert_eq!(seen(&world, &authority).await, new.der());
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_the_old_certificate_stays() {
    let authority = Authority::new("Refusal");
    let old = authority.host(&["a.example"]);
    let world = started(|folder| {
        std::fs::create_dir(folder.join("live")).unwrap();
        old.write(&folder.join("live"), "a");
    })
    .await;
    let live = live(&world);
    let stranger = Pair {
        key: authority.host(&["a.example"]).key,
        ..authority.host(&["a.example"])
    };
    let expired = authority.host_with(&["a.example"], |params| {
        params.not_after = rcgen::date_time_ymd(2024, 2, 29);
    });
    let taken = authority.host(&["localhost"]);

    for (count, broken) in [&stranger, &expired, &taken].into_iter().enumerate() {
        broken.write(&live, "a");
        told(&world, REFUSED, count).await;
        assert_eq!(seen(&world, &authority).await, old.der(), "{count}");
    }
    std::fs::remove_file(live.join("a.key")).unwrap();
    told(&world, REFUSED, 3).await;
    assert_eq!(
        seen(&world, &authority).await,
        old.der(),
        "a key that is gone"
    );
    let new = authority.host(&["a.example"]);
    new.write(&live, "a");
    told(&world, EXCHANGED, 0).await;

    assert_eq!(seen(&world, &authority).await, new.der());
    let log = world.node().log.text();
    assert!(log.contains("a.crt") && !log.contains("PRIVATE"), "{log}");
}

#[tokio::test]
async fn one_certificate_that_cannot_be_used_does_not_keep_another_back() {
    let authority = Authority::new("Others");
    let more = "[[server.tls.certificates]]\ncertificate = \"b.crt\"\nprivate_key = \"b.key\"";
    let (folder, config) = Setup::new().tls(LISTED).tls(more).write();
    std::fs::create_dir(folder.path().join("live")).unwrap();
    authority
        .host(&["a.example"])
        .write(&folder.path().join("live"), "a");
    authority.host(&["b.example"]).write(folder.path(), "b");
    let mut world = World::of(folder, config);
    world.start().await;

    let new = authority.host(&["a.example"]);
    std::fs::write(world.config().with_file_name("b.crt"), "gone wrong").unwrap();
    new.write(&live(&world), "a");
    told(&world, EXCHANGED, 0).await;
    told(&world, REFUSED, 0).await;

    assert_eq!(seen(&world, &authority).await, new.der());
}

#[tokio::test]
async fn operators_see_when_certificates_expire() {
    let authority = Authority::new("Expiry");
    let soon = jiff::Timestamp::now().as_second() + 3 * 86_400;
    let since = std::time::Duration::from_secs(soon.try_into().unwrap());
    let not_after = rcgen::date_time_ymd(1970, 1, 1) + since;
    let world = started(|folder| {
        std::fs::create_dir(folder.join("live")).unwrap();
        let pair = authority.host_with(&["a.example"], |params| params.not_after = not_after);
        pair.write(&folder.join("live"), "a");
    })
    .await;

    let log = &world.node().log;
    let warned = log.wait_for("the warning", |line| {
        line["message"] == "certificate expires soon"
    });
    let warned = warned.await;
    assert!(
        warned["certificate"]
            .as_str()
            .unwrap()
            .ends_with("live/a.crt"),
        "{warned}"
    );
    let answer = world.ask_ops("/metrics").await.expect(200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let mut lines = text.lines().filter(|line| {
        line.starts_with("dariet_tls_certificate_expiry_timestamp_seconds{certificate=")
    });
    let line = lines.find(|line| line.contains("live/a.crt")).unwrap();
    assert!(line.ends_with(&format!(" {soon}")), "{line}");
}
