use dariet_gateway::store::{Limit, LimitKey, RevokedSession, Verdict};

use crate::support::{
    Made, admin, at, days, given, given_keys, key, recorded, session, some_digest, viewer,
};

pub(crate) async fn tombstones_stand_for_30_days(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    let (gone, fresh) = (key(&bob, "gone"), key(&bob, "fresh"));
    given(&store, &[&admin("ada"), &bob]).await;
    given_keys(&store, &[&gone, &fresh]).await;
    store.note_used(vec![(gone.id, at(0))]).await.unwrap();
    recorded(store.revoke_key(gone.id, at(0))).await;
    recorded(store.delete_user(bob.id, at(60))).await;

    store.sweep(at(-1).after(days(30))).await.unwrap();
    assert!(store.owned_key(gone.digest).await.unwrap().is_some());

    store.sweep(at(1).after(days(30))).await.unwrap();
    assert!(store.owned_key(gone.digest).await.unwrap().is_none());
    assert!(store.key(gone.id).await.unwrap().is_none());
    assert_eq!(store.last_used(&[gone.id]).await.unwrap(), [None]);
    assert!(store.owned_key(fresh.digest).await.unwrap().is_some());
}

pub(crate) async fn a_revoked_session_is_remembered_until_its_moment(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    given(&store, &[&bob]).await;
    let ended = session(&bob, at(100));
    recorded(store.revoke_session(ended)).await;
    let longer = RevokedSession {
        forget_at: at(200),
        ..ended
    };
    recorded(store.revoke_session(longer)).await;
    recorded(store.revoke_session(ended)).await;
    let is_revoked = async || {
        let view = store.session(ended.id, bob.id).await;
        view.unwrap().is_revoked
    };

    store.sweep(at(199)).await.unwrap();
    assert!(is_revoked().await);

    store.sweep(at(201)).await.unwrap();
    assert!(!is_revoked().await);
}

pub(crate) async fn an_address_that_was_used_again_is_kept(make: &dyn Fn() -> Made) {
    let store = make();
    let (bob, once, twice) = (viewer("bob"), some_digest(), some_digest());
    store.remember_address(bob.id, once, at(0)).await.unwrap();
    store.remember_address(bob.id, twice, at(0)).await.unwrap();
    store
        .remember_address(bob.id, twice, at(100))
        .await
        .unwrap();

    store.sweep(at(50).after(days(30))).await.unwrap();
    let knows = async |address| store.knows_address(bob.id, address, at(101)).await.unwrap();
    assert!(!knows(once).await);
    assert!(knows(twice).await);

    store.sweep(at(101).after(days(30))).await.unwrap();
    assert!(!knows(twice).await);
}

pub(crate) async fn a_sweep_takes_everything_however_much_it_is(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    let addresses: Vec<_> = (0..700).map(|_| some_digest()).collect();
    let remember = addresses
        .iter()
        .map(|it| store.remember_address(bob.id, *it, at(0)));
    for answer in futures_util::future::join_all(remember).await {
        answer.unwrap();
    }

    let later = at(1).after(days(30));
    let removed = store.sweep(later).await.unwrap();

    assert!(removed >= 700, "{removed}");
    for address in addresses {
        assert!(!store.knows_address(bob.id, address, at(1)).await.unwrap());
    }
    assert_eq!(store.sweep(later).await.unwrap(), 0);
}

pub(crate) async fn a_sweep_leaves_what_lives(make: &dyn Fn() -> Made) {
    let store = make();
    let mut bob = viewer("bob");
    bob.reset = Some(crate::support::reset());
    let mut expired = key(&bob, "expired");
    expired.expires_at = Some(at(1));
    given(&store, &[&bob]).await;
    given_keys(&store, &[&expired]).await;
    store.note_used(vec![(expired.id, at(0))]).await.unwrap();
    let limit = Limit {
        key: LimitKey::new("suite", &[b"slow"]),
        burst: 1,
        every: days(90),
    };
    assert_eq!(store.take(&[limit], at(0)).await.unwrap(), Verdict::Pass);

    assert_eq!(store.sweep(at(0).after(days(60))).await.unwrap(), 0);

    assert_eq!(store.users(None, 9).await.unwrap(), [bob.clone()]);
    assert_eq!(store.keys_of(bob.id).await.unwrap(), [expired.clone()]);
    assert_eq!(store.last_used(&[expired.id]).await.unwrap(), [Some(at(0))]);
    let verdict = store.take(&[limit], at(0).after(days(60))).await.unwrap();
    assert!(matches!(verdict, Verdict::Wait(_)));
}
