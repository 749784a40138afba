//! Any sequence of calls answers as a simple model in memory does.

mod rules;

use std::time::Duration;

use dariet_gateway::domain::{Digest, KeyId, Role, SessionId, UserId};
use dariet_gateway::store::{Embedded, LiveReset, RevokedSession, StoreError};
use proptest::prelude::*;

use self::rules::{Answered, MAX_KEYS, Model};
use crate::redis::on_one_server;
use crate::support::{Made, at, days, email, key, user, wait};

/// A call, on subjects from a small world so that calls meet.
#[derive(Debug, Clone)]
enum Call {
    CreateUser {
        user: u8,
        email: u8,
        admin: bool,
    },
    UpdateUser {
        user: u8,
        edit: Edit,
        stale: bool,
    },
    DeleteUser {
        user: u8,
    },
    CreateKey {
        key: u8,
        user: u8,
        epoch: Option<u64>,
        expires_in: Option<u16>,
    },
    RevokeKey {
        key: u8,
    },
    RevokeSession {
        session: u8,
        user: u8,
        forget_in: u16,
    },
    NoteUsed {
        key: u8,
        back: u16,
    },
    Remember {
        user: u8,
        address: u8,
    },
    Sweep,
    Pass {
        hours: u16,
    },
}

#[derive(Debug, Clone)]
enum Edit {
    Email(u8),
    Role(bool),
    Active(bool),
    Epoch,
    Reset(Option<u8>),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0_u8..4).prop_map(Edit::Email),
        any::<bool>().prop_map(Edit::Role),
        any::<bool>().prop_map(Edit::Active),
        Just(Edit::Epoch),
        prop::option::of(0_u8..6).prop_map(Edit::Reset),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let (users, keys, few) = (0_u8..4, 0_u8..6, 0_u8..3);
    prop_oneof![
        4 => (users.clone(), 0_u8..4, any::<bool>())
            .prop_map(|(user, email, admin)| Call::CreateUser { user, email, admin }),
        5 => (users.clone(), edit(), prop::bool::weighted(0.2))
            .prop_map(|(user, edit, stale)| Call::UpdateUser { user, edit, stale }),
        1 => users.clone().prop_map(|user| Call::DeleteUser { user }),
        5 => (keys.clone(), users.clone(), prop::option::of(0_u64..2), prop::option::of(0_u16..200))
            .prop_map(|(key, user, epoch, expires_in)| Call::CreateKey { key, user, epoch, expires_in }),
        2 => keys.clone().prop_map(|key| Call::RevokeKey { key }),
        2 => (few.clone(), users.clone(), 0_u16..2000)
            .prop_map(|(session, user, forget_in)| Call::RevokeSession { session, user, forget_in }),
        2 => (keys, 0_u16..10).prop_map(|(key, back)| Call::NoteUsed { key, back }),
        2 => (users, few).prop_map(|(user, address)| Call::Remember { user, address }),
        2 => Just(Call::Sweep),
        3 => (0_u16..500).prop_map(|hours| Call::Pass { hours }),
    ]
}

/// The model and the store side by side.
struct Pair {
    model: Model,
    store: Made,
}

fn bytes(kind: u8, number: u8) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[15] = number;
    bytes
}

fn user_id(number: u8) -> UserId {
    UserId::from_bytes(bytes(1, number))
}

fn key_id(number: u8) -> KeyId {
    KeyId::from_bytes(bytes(2, number))
}

fn session_id(number: u8) -> SessionId {
    SessionId::from_bytes(bytes(3, number))
}

fn word<T>(answer: Result<T, StoreError>) -> Answered {
    answer.map(|_| ()).map_err(|error| match error {
        StoreError::NotFound => "not found",
        StoreError::Conflict => "conflict",
        StoreError::EmailTaken => "email taken",
        StoreError::LastAdmin => "last admin",
        StoreError::TooManyKeys { max: MAX_KEYS } => "too many keys",
        _ => "broken",
    })
}

impl Pair {
    async fn call(&mut self, call: Call) -> (Answered, Answered) {
        match call {
            Call::CreateUser {
                user: number,
                email: address,
                admin,
            } => {
                let role = if admin { Role::Admin } else { Role::Viewer };
                let mut user = user("someone", role);
                user.id = user_id(number);
                user.email = email(&format!("user{address}"));
                let expected = self.model.create_user(&user);
                (expected, word(self.store.create_user(user).await))
            }
            Call::UpdateUser { user, edit, stale } => self.update(user_id(user), edit, stale).await,
            Call::DeleteUser { user } => {
                let now = self.model.now();
                let expected = self.model.delete_user(user_id(user));
                (
                    expected,
                    word(self.store.delete_user(user_id(user), now).await),
                )
            }
            Call::CreateKey {
                key: number,
                user,
                epoch,
                expires_in,
            } => {
                let mut owner = self::user("owner", Role::Viewer);
                owner.id = user_id(user);
                let mut key = key(&owner, "k");
                key.id = key_id(number);
                key.digest = Digest::of(&[b"key", &[number]]);
                key.created_at = self.model.now();
                key.expires_at = expires_in.map(|hours| self.model.in_hours(hours));
                let expected = self.model.create_key(&key, epoch);
                (
                    expected,
                    word(self.store.create_key(key, epoch, MAX_KEYS).await),
                )
            }
            Call::RevokeKey { key } => {
                let now = self.model.now();
                let expected = self.model.revoke_key(key_id(key));
                (
                    expected,
                    word(self.store.revoke_key(key_id(key), now).await),
                )
            }
            trace => (Ok(()), self.trace(trace).await),
        }
    }

    async fn update(&mut self, id: UserId, edit: Edit, stale: bool) -> (Answered, Answered) {
        let mut nobody = user("nobody", Role::Viewer);
        nobody.id = id;
        let mut user = self.model.users.get(&id).cloned().unwrap_or(nobody);
        match edit {
            Edit::Email(number) => user.email = email(&format!("user{number}")),
            Edit::Role(true) => user.role = Role::Admin,
            Edit::Role(false) => user.role = Role::Viewer,
            Edit::Active(is_active) => user.is_active = is_active,
            Edit::Epoch => user.epoch += 1,
            Edit::Reset(number) => {
                user.reset = number.map(|number| LiveReset {
                    digest: Digest::of(&[id.as_bytes(), &[number]]),
                    expires_at: at(0),
                });
            }
        }
        user.version += u64::from(stale);
        let expected = self.model.update_user(&user);
        (expected, word(self.store.update_user(user).await))
    }

    /// The calls that nothing refuses.
    async fn trace(&mut self, call: Call) -> Answered {
        let now = self.model.now();
        match call {
            Call::RevokeSession {
                session,
                user,
                forget_in,
            } => {
                let session = RevokedSession {
                    id: session_id(session),
                    user: user_id(user),
                    forget_at: self.model.in_hours(forget_in),
                };
                let known = self.model.sessions.entry(session.id).or_insert(session);
                if known.forget_at < session.forget_at {
                    *known = session;
                }
                word(self.store.revoke_session(session).await)
            }
            Call::NoteUsed { key, back } => {
                let used = now.before(Duration::from_hours(back.into()));
                if self.model.keys.contains_key(&key_id(key)) {
                    let last = self.model.used.entry(key_id(key)).or_insert(used);
                    *last = used.max(*last);
                }
                word(self.store.note_used(vec![(key_id(key), used)]).await)
            }
            Call::Remember { user, address } => {
                let address = Digest::of(&[&[address]]);
                self.model.addresses.insert((user_id(user), address), now);
                word(
                    self.store
                        .remember_address(user_id(user), address, now)
                        .await,
                )
            }
            Call::Sweep => {
                self.model.sweep();
                word(self.store.sweep(now).await)
            }
            Call::Pass { hours } => {
                self.model.hours += i64::from(hours);
                Ok(())
            }
            other => panic!("{other:?} may be refused"),
        }
    }

    /// Everything the store can be asked, in the small world of the calls.
    async fn compare(&self) {
        let (model, store) = (&self.model, &self.store);
        let users: Vec<_> = model.users.values().cloned().collect();
        assert_eq!(store.users(None, 99).await.unwrap(), users);
        for number in 0..4 {
            let (id, email) = (user_id(number), email(&format!("user{number}")));
            assert_eq!(store.user(id).await.unwrap().as_ref(), model.users.get(&id));
            let holder = users.iter().find(|user| user.email == email);
            assert_eq!(store.user_by_email(&email).await.unwrap().as_ref(), holder);
            let keys = model.keys.values();
            let keys = keys.filter(|key| key.user == id && key.revoked_at.is_none());
            assert_eq!(
                store.keys_of(id).await.unwrap(),
                keys.cloned().collect::<Vec<_>>()
            );
            self.compare_resets(id).await;
            self.compare_traces(id).await;
        }
        for number in 0..6 {
            let id = key_id(number);
            assert_eq!(store.key(id).await.unwrap().as_ref(), model.keys.get(&id));
            let digest = Digest::of(&[b"key", &[number]]);
            let owned = store.owned_key(digest).await.unwrap();
            let owner = owned.as_ref().and_then(|owned| owned.owner.as_ref());
            let key = model.keys.get(&id);
            assert_eq!(owned.as_ref().map(|owned| &owned.key), key);
            assert_eq!(owner, key.and_then(|key| model.users.get(&key.user)));
            let used = store.last_used(&[id]).await.unwrap();
            assert_eq!(used, [model.used.get(&id).copied()]);
        }
    }

    async fn compare_resets(&self, id: UserId) {
        for number in 0..6 {
            let digest = Digest::of(&[id.as_bytes(), &[number]]);
            let holder = self.store.user_by_reset(digest).await.unwrap();
            let user = self.model.users.get(&id);
            let expected = user.filter(|user| user.reset.is_some_and(|it| it.digest == digest));
            assert_eq!(holder.as_ref(), expected);
        }
    }

    async fn compare_traces(&self, user: UserId) {
        let now = self.model.now();
        for number in 0..3 {
            let session = session_id(number);
            let view = self.store.session(session, user).await.unwrap();
            assert_eq!(view.is_revoked, self.model.sessions.contains_key(&session));
            assert_eq!(view.user.as_ref(), self.model.users.get(&user));
            let address = Digest::of(&[&[number]]);
            let last = self.model.addresses.get(&(user, address));
            let expected = last.is_some_and(|last| last.after(days(30)) > now);
            let knows = self.store.knows_address(user, address, now).await;
            assert_eq!(knows.unwrap(), expected);
        }
    }
}

fn follow(model: Model, store: Made, calls: Vec<Call>) -> Model {
    let mut pair = Pair { model, store };
    for call in calls {
        let (expected, answered) = wait(pair.call(call.clone()));
        assert_eq!(answered, expected, "{call:?}");
        wait(pair.compare());
    }
    pair.model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(calls in prop::collection::vec(call(), 1..60)) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.db");

        let model = follow(Model::default(), Embedded::open(&path).unwrap(), calls);

        wait(Pair { model, store: Embedded::open(&path).unwrap() }.compare());
    }
}

#[test]
fn the_store_in_redis_does_what_the_model_does() {
    let make = on_one_server();
    let config = ProptestConfig {
        cases: 12,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);

    let checked = runner.run(&prop::collection::vec(call(), 1..60), |calls| {
        follow(Model::default(), make(), calls);
        Ok(())
    });

    checked.unwrap();
}
