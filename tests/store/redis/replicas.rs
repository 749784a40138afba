//! Primaries with replicas, and failovers.

use std::time::Duration;

use dariet_gateway::store::{Durability, Feed as _, Store as _};
use rustix::process::Signal;

use super::world::{connect, impatient, opened, settings, settings_with};
use crate::redis_server::{RedisBuilder, RedisServer, Sentinels, until, until_following};
use crate::support::{Made, admin, given, viewer, wait};

fn with_replica() -> (RedisServer, RedisServer) {
    let primary = RedisServer::start();
    let replica = RedisBuilder::default().replica_of(primary.port).start();
    until_following(&primary, &replica);
    (primary, replica)
}

#[test]
fn a_change_says_how_safe_it_is() {
    let (primary, replica) = with_replica();
    let (store, beat) = opened(&settings(&primary.url()));
    let durability = |name: &str| wait(store.create_user(viewer(name))).unwrap().durability;

    assert!(beat.is_sure);
    assert_eq!(durability("ada"), Durability::Replicated);
    replica.signal(Signal::STOP);
    assert_eq!(durability("bob"), Durability::Primary);
    replica.signal(Signal::CONT);
    let alone = RedisServer::start();
    let (store, _) = opened(&settings(&alone.url()));
    let recorded = wait(store.create_user(viewer("eve"))).unwrap();
    assert_eq!(recorded.durability, Durability::Primary);
}

#[test]
fn a_primary_that_lost_its_replica_is_not_believed() {
    let (primary, mut replica) = with_replica();
    let (store, _) = opened(&impatient(&primary.url()));
    let lenient = settings_with(
        &primary.url(),
        "require_replica = false\nmax_staleness = '2s'",
    );
    let (lenient, _) = opened(&lenient);
    assert!(wait(store.beat()).unwrap().is_sure);

    // It hangs: it follows still, as far as the primary knows.
    replica.signal(Signal::STOP);
    let hanging = wait(store.beat()).unwrap();
    replica.kill();
    until("the primary to miss its replica", || {
        let info: String = primary.ask(&["INFO", "replication"]);
        info.contains("connected_slaves:0")
    });
    let gone = wait(store.beat()).unwrap();
    let again = connect(&store).unwrap();

    assert!(!hanging.is_sure && !gone.is_sure && !again.is_sure);
    assert!(wait(lenient.beat()).unwrap().is_sure);
    // Who never saw a replica there, and is not told of any, cannot miss one.
    assert!(opened(&settings(&primary.url())).1.is_sure);
    primary.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert!(!opened(&settings(&primary.url())).1.is_sure);
    let refused = wait(lenient.create_user(admin("ada"))).unwrap_err();
    assert!(
        refused.to_string().contains("too few replicas"),
        "{refused}"
    );
}

#[test]
fn a_full_primary_with_a_replica_is_believed() {
    let (primary, _replica) = with_replica();
    let (store, _) = opened(&settings(&primary.url()));

    primary.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);

    assert!(wait(store.beat()).unwrap().is_sure);
}

#[test]
fn a_replica_is_refused_with_the_way_out() {
    let (primary, replica) = with_replica();

    let store = super::world::store(&settings(&replica.url()));
    let error = connect(&store).unwrap_err().to_string();

    let expected = format!(
        "is a replica of 127.0.0.1:{}; name the primary",
        primary.port
    );
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_failover_is_noticed_when_it_happens_and_followed() {
    let world = Sentinels::start();
    let (store, first) = opened(&settings(&world.url()));
    let made: Made = store.clone();
    let ada = admin("ada");
    wait(given(&made, &[&ada]));

    let broken = wait(async {
        let mut entries = store.entries(1, Duration::from_secs(20));
        tokio::time::timeout(Duration::from_millis(300), &mut entries)
            .await
            .unwrap_err();
        world.sentinels[0].ask::<()>(&["SENTINEL", "FAILOVER", "mymaster"]);
        entries.await.unwrap_err().to_string()
    });
    let mut second = None;
    until("a primary to be found", || {
        second = connect(&store).ok();
        second.is_some()
    });

    let (second, replica) = (second.unwrap(), world.servers[1].port);
    assert!(
        broken.contains("primary") || broken.contains("replica"),
        "{broken}"
    );
    assert!(
        second.server.0.ends_with(&replica.to_string()),
        "{second:?}"
    );
    assert_ne!(second.server, first.server);
    assert_eq!((second.store, second.last), (first.store, 1));
    store.open();
    assert_eq!(wait(store.users(None, 9)).unwrap(), [ada]);
}

#[test]
fn a_primary_that_died_is_replaced() {
    let mut world = Sentinels::start();
    let (store, first) = opened(&settings(&world.url()));
    let made: Made = store.clone();
    wait(given(&made, &[&admin("ada")]));

    world.servers[0].kill();
    wait(store.beat()).unwrap_err();
    let mut second = None;
    until("another primary to be found", || {
        second = connect(&store).ok();
        second.is_some()
    });

    let second = second.unwrap();
    assert_eq!(second.store, first.store);
    assert_ne!(second.server, first.server);
    // It has no replica, and never had one as a primary.
    assert!(second.is_sure);
    store.open();
    assert!(wait(store.create_user(viewer("bob"))).is_ok());
}
