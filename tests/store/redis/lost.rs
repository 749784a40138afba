//! Revocations that were lost with a server, and are sent again.

use dariet_gateway::store::{Entry, Feed as _, Recorded, Store as _, StoreError};

use super::world::{connect, opened, settings};
use crate::redis_server::RedisServer;
use crate::support::{Made, admin, at, given, given_keys, key, reset, session, viewer, wait};

fn entry(answer: Result<Recorded, StoreError>) -> Entry {
    answer.unwrap().entry.unwrap()
}

#[test]
fn what_was_revoked_and_lost_is_revoked_again_and_only_once() {
    let mut server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    let (ada, bob, mut eve, joe) = (admin("ada"), viewer("bob"), viewer("eve"), viewer("joe"));
    eve.reset = Some(reset());
    let (leaked, hers) = (key(&bob, "leaked"), key(&eve, "hers"));
    let ended = session(&bob, at(100));
    wait(given(&made, &[&ada, &bob, &eve, &joe]));
    wait(given_keys(&made, &[&leaked, &hers]));
    server.ask::<()>(&["SAVE"]);

    let entries = wait(async {
        let mut entries = vec![
            entry(store.revoke_key(leaked.id, at(1)).await),
            entry(store.revoke_session(ended).await),
            entry(store.delete_user(eve.id, at(1)).await),
        ];
        for (mut user, is_active) in [(bob.clone(), true), (joe.clone(), false)] {
            (user.epoch, user.is_active) = (1, is_active);
            entries.push(entry(store.update_user(user).await));
        }
        entries
    });
    server.restart();
    connect(&store).unwrap();
    store.open();
    let lost = wait(store.user(eve.id)).unwrap();
    for entry in &entries {
        wait(store.send_again(entry)).unwrap();
    }

    assert_eq!(lost, Some(eve.clone()));
    wait(async {
        assert!(
            store
                .key(leaked.id)
                .await
                .unwrap()
                .unwrap()
                .revoked_at
                .is_some()
        );
        assert!(store.session(ended.id, bob.id).await.unwrap().is_revoked);
        assert_eq!(store.user(eve.id).await.unwrap(), None);
        let hers = store.owned_key(hers.digest).await.unwrap().unwrap();
        assert!(hers.owner.is_none() && hers.key.revoked_at.is_some());
        let bob = store.user(bob.id).await.unwrap().unwrap();
        assert_eq!((bob.epoch, bob.is_active), (1, true));
        let joe = store.user(joe.id).await.unwrap().unwrap();
        assert_eq!((joe.epoch, joe.is_active), (1, false));
    });
    let last = wait(store.beat()).unwrap().last;
    for entry in &entries {
        wait(store.send_again(entry)).unwrap();
    }
    assert_eq!(wait(store.beat()).unwrap().last, last);
}

#[test]
fn what_came_after_a_revocation_stays_when_it_is_sent_again() {
    let server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    let bob = viewer("bob");
    wait(given(&made, &[&admin("ada"), &bob]));

    let (deactivated, renamed, bob) = wait(async {
        let mut bob = bob;
        (bob.epoch, bob.is_active) = (1, false);
        let deactivated = entry(store.update_user(bob.clone()).await);
        let mut bob = store.user(bob.id).await.unwrap().unwrap();
        bob.role = dariet_gateway::domain::Role::Admin;
        let renamed = entry(store.update_user(bob.clone()).await);
        let mut bob = store.user(bob.id).await.unwrap().unwrap();
        bob.is_active = true;
        entry(store.update_user(bob.clone()).await);
        (deactivated, renamed, store.user(bob.id).await.unwrap())
    });
    for entry in [deactivated, renamed] {
        wait(store.send_again(&entry)).unwrap();
    }

    let stored = bob.unwrap();
    assert!(stored.is_active);
    assert_eq!(wait(store.user(stored.id)).unwrap(), Some(stored));
}

#[test]
fn a_deletion_is_sent_again_even_where_no_admin_is_left() {
    let mut server = RedisServer::start();
    let (store, _) = opened(&settings(&server.url()));
    let made: Made = store.clone();
    let (ada, bob) = (admin("ada"), admin("bob"));
    wait(given(&made, &[&ada]));
    server.ask::<()>(&["SAVE"]);
    wait(given(&made, &[&bob]));
    let deleted = wait(store.delete_user(ada.id, at(1)));

    server.restart();
    connect(&store).unwrap();
    store.open();
    wait(store.send_again(&entry(deleted))).unwrap();

    assert!(wait(store.users(None, 9)).unwrap().is_empty());
}
