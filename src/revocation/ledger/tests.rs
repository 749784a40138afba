use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::domain::{Email, KeyId, Principal, Role, SessionId, Timestamp, UserName};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What the store knows: which credentials of which users are revoked.
#[derive(Default)]
struct Store {
    revoked: HashSet<CredentialId>,
    epoch: [u64; 2],
    gone: [bool; 2],
}

/// Somebody who admits a credential, as far as they have come.
enum Admitting {
    Marked(Mark),
    /// With the store's answer, which may be old by now.
    Asked(Mark, bool),
}

#[derive(Debug, Clone)]
enum Step {
    Admit { who: usize, credential: usize },
    Revoke { credential: usize },
    RevokeSessions { user: usize },
    RemoveUser { user: usize },
    Reread { user: usize },
    Doubt,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_usize..6, 0_usize..8).prop_map(|(who, credential)| Step::Admit { who, credential }),
        3 => (0_usize..8).prop_map(|credential| Step::Revoke { credential }),
        1 => (0_usize..2).prop_map(|user| Step::RevokeSessions { user }),
        1 => (0_usize..2).prop_map(|user| Step::RemoveUser { user }),
        1 => (0_usize..2).prop_map(|user| Step::Reread { user }),
        1 => Just(Step::Doubt),
        1 => Just(Step::Sweep),
    ]
}

struct World {
    ledger: Ledger,
    store: Store,
    users: [UserId; 2],
    /// Four of each user: two sessions and two keys.
    credentials: Vec<CredentialId>,
    admitting: Vec<Option<(usize, Admitting)>>,
    admitted: Vec<(usize, Arc<Admission>)>,
}

impl World {
    fn new() -> Self {
        let credential = |index: usize| {
            if index.is_multiple_of(2) {
                CredentialId::Session(SessionId::new())
            } else {
                CredentialId::Key(KeyId::new())
            }
        };
        Self {
            ledger: Ledger::default(),
            store: Store::default(),
            users: [UserId::new(), UserId::new()],
            credentials: (0..8).map(credential).collect(),
            admitting: (0..6).map(|_| None).collect(),
            admitted: Vec::new(),
        }
    }

    fn works(&self, credential: usize) -> bool {
        let (user, id) = (credential / 4, self.credentials[credential]);
        let is_session = matches!(id, CredentialId::Session(_));
        let has_other_epoch = is_session && self.store.epoch[user] > 0;
        let is_revoked = self.store.revoked.contains(&id) || has_other_epoch;
        !is_revoked && !self.store.gone[user]
    }

    fn admission(&self, credential: usize) -> Arc<Admission> {
        let principal = Principal {
            user: self.users[credential / 4],
            email: Email::parse("ada@example.com").unwrap(),
            name: UserName::parse("Ada").unwrap(),
            role: Role::Viewer,
            credential: self.credentials[credential],
        };
        Arc::new(Admission::new(principal, 0, None, Arc::default()))
    }

    /// Takes one admitter one step further: mark, ask the store, enter.
    fn admit(&mut self, who: usize, credential: usize) {
        self.admitting[who] = match self.admitting[who].take() {
            None => Some((credential, Admitting::Marked(self.ledger.mark()))),
            Some((own, Admitting::Marked(mark))) => {
                Some((own, Admitting::Asked(mark, self.works(own))))
            }
            Some((own, Admitting::Asked(mark, true))) => {
                let admission = self.admission(own);
                if self.ledger.enter(mark, &admission).is_ok() {
                    self.admitted.push((own, admission));
                }
                None
            }
            Some((_, Admitting::Asked(_, false))) => None,
        };
    }

    /// Writes a change to the store, and has it bite, as a change that is answered does.
    fn change(&mut self, step: &Step) {
        let change = match *step {
            Step::Revoke { credential } => {
                let user = self.users[credential / 4];
                let id = self.credentials[credential];
                self.store.revoked.insert(id);
                match id {
                    CredentialId::Session(session) => Change::Session { user, session },
                    CredentialId::Key(key) => Change::Key { user, key },
                }
            }
            Step::RevokeSessions { user } => {
                self.store.epoch[user] += 1;
                Change::Sessions {
                    user: self.users[user],
                }
            }
            Step::RemoveUser { user } => {
                self.store.gone[user] = true;
                Change::User {
                    user: self.users[user],
                }
            }
            Step::Reread { user } => Change::Reread {
                user: self.users[user],
            },
            Step::Admit { .. } | Step::Doubt | Step::Sweep => return,
        };
        self.ledger.apply(change);
    }
}

proptest! {
    #[test]
    fn nothing_is_admitted_after_its_revocation_was_answered(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new();
        for step in &steps {
            match *step {
                Step::Admit { who, credential } => world.admit(who, credential),
                Step::Sweep => world.ledger.sweep(),
                Step::Doubt => {
                    world.ledger.doubt();
                    prop_assert!(!world.admitted.iter().any(|(_, one)| one.admits(NOW)));
                }
                _ => world.change(step),
            }
            for (credential, admission) in &world.admitted {
                prop_assert!(!admission.admits(NOW) || world.works(*credential));
            }
        }
    }

    #[test]
    fn changes_that_concern_others_make_nobody_ask_again(count in 0_usize..REMEMBERED) {
        let world = World::new();
        let mark = world.ledger.mark();
        for _ in 0..count {
            world.ledger.apply(Change::User { user: UserId::new() });
        }
        prop_assert_eq!(world.ledger.enter(mark, &world.admission(0)), Ok(()));
    }
}

#[test]
fn more_changes_than_are_remembered_make_everybody_ask_again() {
    let world = World::new();
    let mark = world.ledger.mark();
    for _ in 0..=REMEMBERED {
        world.ledger.apply(Change::User {
            user: UserId::new(),
        });
    }
    assert_eq!(world.ledger.enter(mark, &world.admission(0)), Err(AskAgain));
    let mark = world.ledger.mark();
    assert_eq!(world.ledger.enter(mark, &world.admission(0)), Ok(()));
}

#[test]
fn what_may_have_been_revoked_is_not_entered_until_that_is_known() {
    let world = World::new();
    let change = Change::User {
        user: world.users[0],
    };
    world.ledger.hold(change);
    let entered = |credential| {
        let mark = world.ledger.mark();
        world.ledger.enter(mark, &world.admission(credential))
    };
    assert_eq!(entered(0), Err(AskAgain));
    assert_eq!(entered(4), Ok(()));

    world.ledger.settle(change);

    assert_eq!(entered(0), Ok(()));
}

#[test]
fn an_ended_admission_never_lives_again_and_its_first_reason_stands() {
    let world = World::new();
    let admission = world.admission(1);
    let mark = world.ledger.mark();
    world.ledger.enter(mark, &admission).unwrap();
    let user = world.users[0];

    world.ledger.apply(Change::Reread { user });
    assert!(admission.is_stale() && admission.ended().is_none());
    world.ledger.apply(Change::User { user });
    world.ledger.apply(Change::Reread { user });

    assert_eq!(admission.ended(), Some(super::super::Ended::User));
    assert!(!admission.admits(NOW));
}

#[test]
fn after_a_doubt_nothing_made_before_it_admits_and_what_was_asked_before_asks_again() {
    let world = World::new();
    let entered: Vec<_> = (0..8)
        .map(|credential| world.admission(credential))
        .collect();
    for admission in &entered {
        world.ledger.enter(world.ledger.mark(), admission).unwrap();
    }
    let ended = Change::User {
        user: world.users[1],
    };
    world.ledger.apply(ended);
    let before = world.ledger.mark();

    world.ledger.doubt();

    assert!(!entered.iter().any(|admission| admission.admits(NOW)));
    assert_eq!(entered.iter().filter(|one| one.is_stale()).count(), 4);
    let again = world.admission(0);
    assert_eq!(world.ledger.enter(before, &again), Err(AskAgain));
    let after = world.ledger.mark();
    // A change that concerns others may come between.
    world.ledger.apply(ended);
    assert_eq!(world.ledger.enter(before, &again), Err(AskAgain));
    assert_eq!(world.ledger.enter(after, &again), Ok(()));
    assert!(again.admits(NOW));
}

#[test]
fn what_is_held_and_has_not_ended_can_be_checked_again_and_ended() {
    let world = World::new();
    let mut entered: Vec<_> = (0..8)
        .map(|credential| world.admission(credential))
        .collect();
    for admission in &entered {
        world.ledger.enter(world.ledger.mark(), admission).unwrap();
    }
    world.ledger.apply(Change::User {
        user: world.users[1],
    });
    drop(entered.remove(0));
    world.ledger.doubt();

    let held = world.ledger.held();
    for admission in &held {
        admission.end(super::super::Ended::Session);
    }

    assert_eq!(held.len(), 3);
    assert!(entered.iter().all(|admission| admission.ended().is_some()));
    assert_eq!(world.ledger.held().len(), 0);
}
