//! What becomes of changes and reads while a server fails.

use std::time::{Duration, Instant};

use dariet_gateway::domain::Timestamp;
use dariet_gateway::store::{Feed as _, Limit, LimitKey, Store as _, StoreError, Verdict};
use futures_util::FutureExt as _;
use rustix::process::Signal;

use super::world::{connect, impatient, opened, settings};
use crate::redis_server::RedisServer;
use crate::support::{Made, admin, at, given, viewer, wait};

fn is_unavailable<T>(answer: &Result<T, StoreError>, because: &str) -> bool {
    match answer {
        Err(error @ StoreError::Unavailable { .. }) => error.to_string().contains(because),
        _ => false,
    }
}

#[test]
fn nobody_knows_what_became_of_a_change_whose_answer_was_lost() {
    let mut server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    server.signal(Signal::STOP);

    let answer = wait(async {
        let mut change = store.create_user(admin("ada"));
        assert!((&mut change).now_or_never().is_none());
        // The change is on its way when the server is gone for good.
        tokio::time::timeout(Duration::from_millis(100), &mut change)
            .await
            .unwrap_err();
        server.kill();
        change.await
    });

    assert!(
        matches!(answer, Err(StoreError::OutcomeUnknown)),
        "{answer:?}"
    );
    let next = wait(store.create_user(admin("ada")));
    assert!(is_unavailable(&next, "redis"), "{next:?}");
}

#[test]
fn a_change_that_takes_too_long_may_be_written_all_the_same() {
    let server = RedisServer::start();
    let (store, _) = opened(&impatient(&server.url()));
    let ada = admin("ada");
    // From now on the server knows the script by name.
    assert!(wait(store.create_user(viewer("bob"))).is_ok());
    server.signal(Signal::STOP);

    let begun = Instant::now();
    let answer = wait(store.create_user(ada.clone()));
    server.signal(Signal::CONT);

    assert!(
        matches!(answer, Err(StoreError::OutcomeUnknown)),
        "{answer:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    connect(&store).unwrap();
    store.open();
    assert_eq!(wait(store.user(ada.id)).unwrap(), Some(ada));
}

#[test]
fn a_caller_who_goes_away_does_not_cancel_the_change() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let (ada, bob) = (admin("ada"), viewer("bob"));

    wait(async {
        server.signal(Signal::STOP);
        assert!(store.create_user(ada.clone()).now_or_never().is_none());
        drop(store.create_user(bob));
        server.signal(Signal::CONT);
    });

    let entries = wait(store.entries(0, Duration::from_secs(20))).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(wait(store.users(None, 9)).unwrap(), [ada]);
}

#[test]
fn a_caller_who_goes_away_leaves_their_answer_to_nobody() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    let (ada, bob) = (admin("ada"), viewer("bob"));
    wait(given(&made, &[&ada, &bob]));

    let found = wait(async {
        server.signal(Signal::STOP);
        for _ in 0..20 {
            assert!(store.user(ada.id).now_or_never().is_none());
        }
        let mut last = store.user(bob.id);
        assert!((&mut last).now_or_never().is_none());
        server.signal(Signal::CONT);
        last.await
    });

    assert_eq!(found.unwrap(), Some(bob));
}

#[test]
fn a_server_that_does_not_answer_is_left_after_two_time_outs() {
    let server = RedisServer::start();
    let (store, _) = opened(&impatient(&server.url()));
    server.signal(Signal::STOP);

    let answers = wait(async {
        let ada = admin("ada");
        let first = store.user(ada.id).await;
        let second = store.user(ada.id).await;
        let begun = Instant::now();
        let third = store.user(ada.id).await;
        let beat = store.beat().await.map(drop);
        let entries = store.entries(0, Duration::from_secs(20)).await.map(drop);
        assert!(
            begun.elapsed() < Duration::from_millis(200),
            "{:?}",
            begun.elapsed()
        );
        [
            first.map(drop),
            second.map(drop),
            third.map(drop),
            beat,
            entries,
        ]
    });

    for answer in &answers {
        assert!(is_unavailable(answer, "does not answer"), "{answer:?}");
    }
}

#[test]
fn who_waits_for_the_log_hears_of_it_when_a_read_finds_the_server_gone() {
    let server = RedisServer::start();
    let (store, _) = opened(&impatient(&server.url()));
    server.signal(Signal::STOP);

    let (entries, elapsed) = wait(async {
        let begun = Instant::now();
        let (entries, ..) = tokio::join!(
            store.entries(0, Duration::from_secs(20)),
            store.user(admin("ada").id),
            store.user(admin("ada").id),
        );
        (entries, begun.elapsed())
    });

    assert!(is_unavailable(&entries, "does not answer"), "{entries:?}");
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
}

#[test]
fn a_full_server_takes_no_change_and_is_read_and_believed_all_the_same() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    let ada = admin("ada");
    wait(given(&made, &[&ada]));

    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = wait(store.create_user(viewer("bob")));
    let changed = wait(store.update_user(ada.clone()));
    let read = wait(store.user(ada.id)).unwrap();
    let beat = wait(store.beat()).unwrap();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);

    assert!(is_unavailable(&refused, "memory is full"), "{refused:?}");
    assert!(is_unavailable(&changed, "memory is full"), "{changed:?}");
    assert_eq!(read, Some(ada.clone()));
    assert!(beat.is_sure && beat.last == 1);
    assert!(wait(store.update_user(ada)).is_ok());
    assert_eq!(wait(store.users(None, 9)).unwrap().len(), 1);
}

#[test]
fn a_server_that_became_a_replica_is_left() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]);

    let beat = wait(store.beat());
    let refused = wait(store.create_user(admin("ada")));
    let after = wait(store.beat());
    let again = connect(&store).unwrap_err().to_string();

    assert!(!beat.unwrap().is_sure);
    assert!(is_unavailable(&refused, "became a replica"), "{refused:?}");
    assert!(is_unavailable(&after, "became a replica"), "{after:?}");
    assert!(again.contains("is a replica of 127.0.0.1:1"), "{again}");
}

#[test]
fn who_waits_for_the_log_of_a_server_that_became_a_replica_is_told() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));

    let entries = wait(async {
        let mut entries = store.entries(0, Duration::from_secs(20));
        tokio::time::timeout(Duration::from_millis(50), &mut entries)
            .await
            .unwrap_err();
        server.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
        entries.await
    });

    assert!(is_unavailable(&entries, "became a replica"), "{entries:?}");
}

#[test]
fn limits_go_on_where_they_were_when_the_server_is_away() {
    let mut server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let limit = Limit {
        key: LimitKey::new("test", &[b"one"]),
        burst: 5,
        every: Duration::from_mins(1),
    };
    let take = || wait(store.take(&[limit], at(0))).unwrap();

    for _ in 0..3 {
        assert_eq!(take(), Verdict::Pass);
    }
    server.kill();

    assert_eq!([take(), take()], [Verdict::Pass, Verdict::Pass]);
    assert_eq!(take(), Verdict::Wait(Duration::from_mins(1)));
}

#[test]
fn a_clock_that_jumps_back_locks_out_for_no_longer_than_the_span() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let limit = Limit {
        key: LimitKey::new("test", &[b"one"]),
        burst: 3,
        every: Duration::from_secs(1),
    };
    let take = |now: Timestamp| wait(store.take(&[limit], now)).unwrap();
    while take(at(86_400)) == Verdict::Pass {}

    let passed = (0..=30).filter(|tenth| {
        let now = at(0).after(Duration::from_millis(tenth * 100));
        take(now) == Verdict::Pass
    });

    assert_eq!(passed.count(), 3);
}
