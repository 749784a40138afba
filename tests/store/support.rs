//! Records to fill stores with, and ways to wait for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use dariet_gateway::domain::{
    Digest, Email, KeyId, KeyName, Role, SessionId, Timestamp, UserId, UserName,
};
use dariet_gateway::store::{
    Change, KeyRecord, LiveReset, RevokedSession, Store, StoreError, UserRecord,
};

pub(crate) type Made = Arc<dyn Store>;

/// A moment `seconds` after the tests' beginning of time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_773_828_000 + seconds)
}

pub(crate) fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

pub(crate) fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

pub(crate) fn user(name: &str, role: Role) -> UserRecord {
    UserRecord {
        id: UserId::new(),
        email: email(name),
        name: UserName::parse(name).unwrap(),
        role,
        is_active: true,
        created_at: at(0),
        password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
        epoch: 0,
        version: 0,
        reset: None,
    }
}

pub(crate) fn admin(name: &str) -> UserRecord {
    user(name, Role::Admin)
}

pub(crate) fn viewer(name: &str) -> UserRecord {
    user(name, Role::Viewer)
}

pub(crate) fn some_digest() -> Digest {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Digest::of(&[&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes()])
}

pub(crate) fn key(owner: &UserRecord, name: &str) -> KeyRecord {
    KeyRecord {
        id: KeyId::new(),
        user: owner.id,
        name: KeyName::parse(name).unwrap(),
        shown_prefix: "dk_01234567".to_owned(),
        digest: some_digest(),
        created_at: at(0),
        expires_at: None,
        revoked_at: None,
    }
}

pub(crate) fn reset() -> LiveReset {
    LiveReset {
        digest: some_digest(),
        expires_at: at(3600),
    }
}

pub(crate) fn session(owner: &UserRecord, forget_at: Timestamp) -> RevokedSession {
    RevokedSession {
        id: SessionId::new(),
        user: owner.id,
        forget_at,
    }
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// Does each of `calls` on a thread of its own, all at once.
pub(crate) fn at_once<T: Send>(calls: Vec<impl FnOnce() -> T + Send>) -> Vec<T> {
    let start = Barrier::new(calls.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = calls
            .into_iter()
            .map(|call| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    call()
                })
            })
            .collect();
        running.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

/// A store call that must succeed, with what it means for admissions.
pub(crate) async fn recorded(
    answer: impl Future<Output = Result<dariet_gateway::store::Recorded, StoreError>>,
) -> Change {
    answer.await.unwrap().change
}

/// Adds users that the test begins with.
pub(crate) async fn given(store: &Made, users: &[&UserRecord]) {
    for user in users {
        recorded(store.create_user((*user).clone())).await;
    }
}

/// Adds keys that the test begins with.
pub(crate) async fn given_keys(store: &Made, keys: &[&KeyRecord]) {
    for key in keys {
        recorded(store.create_key((*key).clone(), None, 100)).await;
    }
}

/// Changes the user of this id as it is stored.
pub(crate) async fn change(
    store: &Made,
    id: UserId,
    change: impl FnOnce(&mut UserRecord),
) -> Result<Change, StoreError> {
    let mut user = store.user(id).await?.unwrap();
    change(&mut user);
    store.update_user(user).await.map(|it| it.change)
}
