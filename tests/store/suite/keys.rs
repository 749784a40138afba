use dariet_gateway::domain::KeyId;
use dariet_gateway::store::{Change, KeyRecord, StoreError};

use crate::support::{
    Made, admin, at, at_once, change, given, given_keys, key, recorded, viewer, wait,
};

pub(crate) async fn a_key_is_found_by_digest_and_by_id(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    given(&store, &[&bob]).await;
    let mut key = key(&bob, "ci");
    key.expires_at = Some(at(9));

    let answer = recorded(store.create_key(key.clone(), Some(0), 1)).await;

    assert_eq!(answer, Change::Addition);
    assert_eq!(store.key(key.id).await.unwrap().unwrap(), key);
    let owned = store.owned_key(key.digest).await.unwrap().unwrap();
    assert_eq!((owned.key, owned.owner), (key, Some(bob.clone())));
    let other = self::key(&bob, "other");
    assert!(store.key(other.id).await.unwrap().is_none());
    assert!(store.owned_key(other.digest).await.unwrap().is_none());
}

pub(crate) async fn a_key_needs_an_active_owner_at_the_epoch_given(make: &dyn Fn() -> Made) {
    let store = make();
    let (mut bob, eve) = (viewer("bob"), viewer("eve"));
    bob.epoch = 3;
    given(&store, &[&bob, &eve]).await;
    change(&store, eve.id, |eve| eve.is_active = false)
        .await
        .unwrap();

    let stale = store.create_key(key(&bob, "k"), Some(2), 9).await;
    let idle = store.create_key(key(&eve, "k"), None, 9).await;
    let orphan = store.create_key(key(&viewer("nobody"), "k"), None, 9).await;

    for refused in [stale, idle, orphan] {
        assert!(matches!(refused, Err(StoreError::NotFound)), "{refused:?}");
    }
    assert!(store.keys_of(eve.id).await.unwrap().is_empty());
    recorded(store.create_key(key(&bob, "k"), Some(3), 9)).await;
    recorded(store.create_key(key(&bob, "k"), None, 9)).await;
}

pub(crate) async fn a_key_is_added_once(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    let first = key(&bob, "first");
    given(&store, &[&bob]).await;
    given_keys(&store, &[&first]).await;

    let same_id = KeyRecord {
        id: first.id,
        ..key(&bob, "second")
    };
    let same_digest = KeyRecord {
        digest: first.digest,
        ..key(&bob, "second")
    };

    for again in [same_id, same_digest] {
        let answer = store.create_key(again, None, 9).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
    }
    assert_eq!(store.keys_of(bob.id).await.unwrap(), [first]);
}

pub(crate) async fn only_working_keys_count_against_the_bound(make: &dyn Fn() -> Made) {
    let store = make();
    let (bob, eve) = (viewer("bob"), viewer("eve"));
    given(&store, &[&bob, &eve]).await;
    let mut expiring = key(&bob, "expiring");
    expiring.expires_at = Some(at(10));
    let revoked = key(&bob, "revoked");
    given_keys(&store, &[&expiring, &revoked, &key(&eve, "hers")]).await;
    recorded(store.revoke_key(revoked.id, at(1))).await;
    let made_at = |seconds| KeyRecord {
        created_at: at(seconds),
        ..key(&bob, "new")
    };

    recorded(store.create_key(made_at(9), None, 2)).await;
    let over = store.create_key(made_at(9), None, 2).await;

    assert!(
        matches!(over, Err(StoreError::TooManyKeys { max: 2 })),
        "{over:?}"
    );
    recorded(store.create_key(made_at(10), None, 2)).await;
    let over = store.create_key(made_at(10), None, 2).await;
    assert!(
        matches!(over, Err(StoreError::TooManyKeys { max: 2 })),
        "{over:?}"
    );
}

pub(crate) async fn keys_made_at_once_stay_within_the_bound(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    given(&store, &[&bob]).await;
    let make_key = |_| || wait(store.create_key(key(&bob, "k"), Some(0), 5));

    let answers = at_once((0..20).map(make_key).collect());

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    assert_eq!(store.keys_of(bob.id).await.unwrap().len(), 5);
}

pub(crate) async fn a_revoked_key_is_a_tombstone_and_the_first_moment_stands(
    make: &dyn Fn() -> Made,
) {
    let store = make();
    let bob = viewer("bob");
    let (revoked, kept) = (key(&bob, "revoked"), key(&bob, "kept"));
    given(&store, &[&bob]).await;
    given_keys(&store, &[&revoked, &kept]).await;
    let meaning = Change::Key {
        user: bob.id,
        key: revoked.id,
    };

    assert_eq!(recorded(store.revoke_key(revoked.id, at(1))).await, meaning);
    assert_eq!(recorded(store.revoke_key(revoked.id, at(2))).await, meaning);

    let tombstone = store.key(revoked.id).await.unwrap().unwrap();
    assert_eq!(tombstone.revoked_at, Some(at(1)));
    let owned = store.owned_key(revoked.digest).await.unwrap().unwrap();
    assert_eq!(owned.key, tombstone);
    assert_eq!(store.keys_of(bob.id).await.unwrap(), [kept]);
    let unknown = store.revoke_key(KeyId::new(), at(3)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound)), "{unknown:?}");
}

pub(crate) async fn keys_come_oldest_first(make: &dyn Fn() -> Made) {
    let store = make();
    let (bob, eve) = (viewer("bob"), viewer("eve"));
    given(&store, &[&bob, &eve]).await;
    let mut keys: Vec<_> = (0..5).map(|n| key(&bob, &format!("k{n}"))).collect();
    keys[2].expires_at = Some(at(-5));
    for key in keys.iter().rev() {
        given_keys(&store, &[key, &self::key(&eve, "hers")]).await;
    }

    assert_eq!(store.keys_of(bob.id).await.unwrap(), keys);
    assert!(store.keys_of(admin("nobody").id).await.unwrap().is_empty());
}

pub(crate) async fn last_used_never_goes_back(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    let (first, second) = (key(&bob, "first"), key(&bob, "second"));
    given(&store, &[&bob]).await;
    given_keys(&store, &[&first, &second]).await;
    let ids = [second.id, first.id, KeyId::new()];

    assert_eq!(store.last_used(&ids).await.unwrap(), [None, None, None]);
    store
        .note_used(vec![(first.id, at(5)), (second.id, at(7))])
        .await
        .unwrap();
    store
        .note_used(vec![(first.id, at(4)), (second.id, at(8))])
        .await
        .unwrap();
    store.note_used(vec![]).await.unwrap();

    let used = store.last_used(&ids).await.unwrap();
    assert_eq!(used, [Some(at(8)), Some(at(5)), None]);
    assert!(store.last_used(&[]).await.unwrap().is_empty());
}
