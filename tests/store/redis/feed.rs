//! The log of changes and the beat, on one server.

use std::time::{Duration, Instant};

use dariet_gateway::domain::{Role, Timestamp, UserName};
use dariet_gateway::store::{
    Change, Entry, Feed as _, KeyRoll as _, Store as _, StoreError, UserRecord,
};

use super::world::{connect, opened, settings, store};
use crate::redis_server::{RedisBuilder, RedisServer};
use crate::support::{Made, admin, at, given, key, session, viewer, wait};

const AT_ONCE: Duration = Duration::ZERO;

/// Changes of every kind, in this order: what was answered, and what it must mean.
async fn one_of_each(store: &Made) -> (Vec<Entry>, Vec<Meaning>) {
    let (bob, mut made) = (viewer("bob"), Vec::new());
    let (user, key) = (bob.id, key(&bob, "ci"));
    let ended = session(&bob, at(100));
    made.push(store.create_user(admin("ada")).await);
    made.push(store.create_user(bob).await);
    made.push(store.create_key(key.clone(), None, 9).await);
    made.push(store.revoke_session(ended).await);
    made.push(store.revoke_key(key.id, at(1)).await);
    type Edit = fn(&mut UserRecord);
    let edits: [Edit; 4] = [
        |bob| bob.name = UserName::parse("Bobby").unwrap(),
        |bob| bob.epoch = 1,
        |bob| (bob.epoch, bob.is_active) = (2, false),
        |bob| bob.role = Role::Admin,
    ];
    for edit in edits {
        let mut bob = store.user(user).await.unwrap().unwrap();
        edit(&mut bob);
        made.push(store.update_user(bob).await);
    }
    made.push(store.delete_user(user, at(2)).await);
    let (gone, session) = (Change::User { user }, ended.id);
    let meaning = vec![
        (Change::Addition, None, None),
        (Change::Addition, None, None),
        (Change::Addition, None, None),
        (Change::Session { user, session }, None, Some(at(100))),
        (Change::Key { user, key: key.id }, None, None),
        (Change::Reread { user }, None, None),
        (Change::Sessions { user }, Some(1), None),
        (gone, Some(2), None),
        // Inactive as before: with a number, so that nobody takes them for deleted.
        (gone, Some(2), None),
        (gone, None, None),
    ];
    let made = made.into_iter().map(|it| it.unwrap().entry.unwrap());
    (made.collect(), meaning)
}

type Meaning = (Change, Option<u64>, Option<Timestamp>);

#[test]
fn changes_are_numbered_without_gaps_and_the_log_has_what_was_answered() {
    let server = RedisServer::start();
    let (store, first) = opened(&settings(&server.url()));
    let made: Made = store.clone();

    let (entries, meanings) = wait(one_of_each(&made));

    let numbered = (1..).zip(meanings);
    let expected = numbered.map(|(number, (change, epoch, forget_at))| Entry {
        number,
        change,
        epoch,
        forget_at,
    });
    assert_eq!(entries, expected.collect::<Vec<_>>());
    assert_eq!(wait(store.entries(0, AT_ONCE)).unwrap(), entries);
    assert_eq!(wait(store.entries(7, AT_ONCE)).unwrap(), entries[7..]);
    assert_eq!(wait(store.entries(10, AT_ONCE)).unwrap(), []);
    let beat = wait(store.beat()).unwrap();
    assert_eq!((first.last, beat.last, beat.trimmed_to), (0, 10, 0));
    assert_eq!((&beat.store, &beat.server), (&first.store, &first.server));
    assert!(beat.is_sure && beat.store.is_some());
}

#[test]
fn a_refused_change_has_no_number() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let ada = admin("ada");

    wait(async {
        let _ada = store.create_user(ada.clone()).await.unwrap();
        store.create_user(ada.clone()).await.unwrap_err();
        store.create_user(viewer("ada")).await.unwrap_err();
        store.delete_user(ada.id, at(1)).await.unwrap_err();
        let _bob = store.create_user(viewer("bob")).await.unwrap();
    });

    assert_eq!(wait(store.beat()).unwrap().last, 2);
}

#[test]
fn who_waits_for_the_log_hears_of_a_change_of_another_node_at_once() {
    let server = RedisServer::start();
    let (here, _) = opened(&settings(&server.url()));
    let (there, _) = opened(&settings(&server.url()));

    let (entries, elapsed) = wait(async {
        let begun = Instant::now();
        let (entries, _) = tokio::join!(here.entries(0, Duration::from_secs(20)), async {
            tokio::task::yield_now().await;
            there.create_user(admin("ada")).await.unwrap()
        });
        (entries.unwrap(), begun.elapsed())
    });

    assert_eq!(entries.len(), 1);
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[test]
fn a_wait_in_vain_ends_with_nothing() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let entries = wait(store.entries(0, Duration::from_millis(30)));
    assert_eq!(entries.unwrap(), []);
}

#[test]
fn a_beat_says_up_to_where_the_log_was_trimmed() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    wait(given(
        &made,
        &[&admin("a"), &viewer("b"), &viewer("c"), &viewer("d")],
    ));

    server.ask::<u64>(&["XTRIM", "{dk}:log", "MINID", "4-0"]);
    let some = wait(store.beat()).unwrap();
    server.ask::<u64>(&["XTRIM", "{dk}:log", "MAXLEN", "0"]);
    let all = wait(store.beat()).unwrap();

    assert_eq!((some.last, some.trimmed_to), (4, 3));
    assert_eq!((all.last, all.trimmed_to), (4, 4));
}

#[test]
fn the_log_is_capped() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let bob = viewer("bob");

    wait(async {
        let log_out = |_| store.revoke_session(session(&bob, at(0)));
        for _ in 0..24 {
            let made = futures_util::future::join_all((0..500).map(log_out)).await;
            assert!(made.iter().all(Result::is_ok));
        }
    });

    let beat = wait(store.beat()).unwrap();
    assert_eq!(beat.last, 12_000);
    assert!(
        (1_000..=2_000).contains(&beat.trimmed_to),
        "{}",
        beat.trimmed_to
    );
    let entries = wait(store.entries(beat.trimmed_to, AT_ONCE)).unwrap();
    assert_eq!(entries[0].number, beat.trimmed_to + 1);
}

#[test]
fn a_server_that_was_started_again_is_another_with_the_same_store() {
    let mut server = RedisBuilder::default()
        .setting("appendonly yes")
        .setting("appendfsync always")
        .start();
    let (store, first) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    wait(given(&made, &[&admin("ada")]));

    server.restart();

    wait(store.beat()).unwrap_err();
    assert!(matches!(
        wait(store.users(None, 9)),
        Err(StoreError::Unavailable { .. })
    ));
    let second = connect(&store).unwrap();
    assert_eq!(second.store, first.store);
    assert_ne!(second.server, first.server);
    assert_eq!(second.last, 1);
    store.open();
    assert_eq!(wait(store.users(None, 9)).unwrap().len(), 1);
}

#[test]
fn a_node_that_knew_a_store_makes_no_other_in_its_place() {
    let server = RedisServer::start();
    let (store, first) = opened(&settings(&server.url()));
    server.ask::<()>(&["FLUSHALL"]);

    let empty = wait(store.beat()).unwrap();
    let again = connect(&store).unwrap();
    let (_, fresh) = opened(&settings(&server.url()));
    let other = wait(store.beat()).unwrap();

    assert!(first.store.is_some());
    assert_eq!((empty.store, empty.last), (None, 0));
    assert_eq!(again.store, None);
    assert!(fresh.store.is_some() && fresh.store != first.store);
    assert_eq!(other.store, fresh.store);
}

#[test]
fn records_without_an_identity_are_no_store_to_begin_with() {
    let server = RedisServer::start();
    server.ask::<()>(&["SET", "{dk}:ep", "7"]);

    let beat = connect(&store(&settings(&server.url()))).unwrap();

    assert_eq!((beat.store, beat.last), (None, 7));
}

#[test]
fn nodes_that_begin_at_once_agree_on_the_store() {
    let server = RedisServer::start();
    let connect = |_| || opened(&settings(&server.url())).1.store.unwrap();

    let ids = crate::support::at_once((0..6).map(connect).collect());

    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_store_of_a_newer_gateway_is_refused() {
    let server = RedisServer::start();
    let id = "7 0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77";
    server.ask::<()>(&["SET", "{dk}:id", id]);

    let error = connect(&store(&settings(&server.url()))).unwrap_err();

    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn nothing_goes_anywhere_before_the_link_is_opened_and_after_it_is_closed() {
    let server = RedisServer::start();
    let store = store(&settings(&server.url()));
    let refused = || {
        let read = wait(store.user(viewer("bob").id)).unwrap_err();
        let change = wait(store.create_user(admin("ada"))).unwrap_err();
        for error in [read, change] {
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
    };

    refused();
    connect(&store).unwrap();
    refused();
    store.open();
    assert!(wait(store.create_user(admin("ada"))).is_ok());
    store.close();
    refused();
    assert_eq!(wait(store.beat()).unwrap().last, 1);
    store.open();
    assert_eq!(wait(store.users(None, 9)).unwrap().len(), 1);
}

#[test]
fn nodes_learn_which_keys_others_sign_with() {
    let server = RedisServer::start();
    let (here, _) = opened(&settings(&server.url()));
    let (there, _) = opened(&settings(&server.url()));

    wait(async {
        here.announce("old", at(0)).await.unwrap();
        here.announce("new", at(60)).await.unwrap();
        here.announce("new", at(30)).await.unwrap();
    });

    let seen = |since| wait(there.seen_since(since)).unwrap();
    assert_eq!(seen(at(0)), ["old", "new"]);
    assert_eq!(seen(at(60)), ["new"]);
    assert!(seen(at(61)).is_empty());
}
