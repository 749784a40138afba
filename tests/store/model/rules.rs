use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dariet_gateway::domain::{Digest, KeyId, Role, SessionId, Timestamp, UserId};
use dariet_gateway::store::{KeyRecord, RevokedSession, UserRecord};

use crate::support::{at, days};

/// What the store promises, in the plainest words.
#[derive(Default)]
pub(super) struct Model {
    pub(super) hours: i64,
    pub(super) users: BTreeMap<UserId, UserRecord>,
    pub(super) keys: BTreeMap<KeyId, KeyRecord>,
    pub(super) used: BTreeMap<KeyId, Timestamp>,
    pub(super) sessions: BTreeMap<SessionId, RevokedSession>,
    pub(super) addresses: BTreeMap<(UserId, Digest), Timestamp>,
}

/// How many keys a user may have.
pub(super) const MAX_KEYS: usize = 3;

/// Done, or the word for why not.
pub(super) type Answered = Result<(), &'static str>;

impl Model {
    pub(super) fn now(&self) -> Timestamp {
        at(self.hours * 3600)
    }

    pub(super) fn in_hours(&self, hours: u16) -> Timestamp {
        self.now().after(Duration::from_hours(hours.into()))
    }

    fn admins(&self) -> BTreeSet<UserId> {
        let users = self.users.values();
        let admins = users.filter(|user| user.is_active && user.role == Role::Admin);
        admins.map(|user| user.id).collect()
    }

    fn is_email_taken(&self, by: &UserRecord) -> bool {
        let mut others = self.users.values().filter(|user| user.id != by.id);
        others.any(|user| user.email == by.email)
    }

    pub(super) fn create_user(&mut self, user: &UserRecord) -> Answered {
        if self.users.contains_key(&user.id) {
            return Err("conflict");
        }
        if self.is_email_taken(user) {
            return Err("email taken");
        }
        self.users.insert(user.id, user.clone());
        Ok(())
    }

    pub(super) fn update_user(&mut self, user: &UserRecord) -> Answered {
        let old = self.users.get(&user.id).ok_or("not found")?.clone();
        if old.version != user.version {
            return Err("conflict");
        }
        if self.is_email_taken(user) {
            return Err("email taken");
        }
        let mut new = user.clone();
        new.version += 1;
        self.users.insert(user.id, new);
        if self.admins().is_empty() && old.is_active && old.role == Role::Admin {
            self.users.insert(user.id, old);
            return Err("last admin");
        }
        Ok(())
    }

    pub(super) fn delete_user(&mut self, id: UserId) -> Answered {
        if !self.users.contains_key(&id) {
            return Err("not found");
        }
        if self.admins() == BTreeSet::from([id]) {
            return Err("last admin");
        }
        self.users.remove(&id);
        let now = self.now();
        for key in self.keys.values_mut().filter(|key| key.user == id) {
            key.revoked_at.get_or_insert(now);
        }
        Ok(())
    }

    pub(super) fn create_key(&mut self, key: &KeyRecord, epoch: Option<u64>) -> Answered {
        let owner = self.users.get(&key.user).ok_or("not found")?;
        if !owner.is_active || epoch.is_some_and(|epoch| epoch != owner.epoch) {
            return Err("not found");
        }
        if self.keys.contains_key(&key.id) {
            return Err("conflict");
        }
        let works = |it: &&KeyRecord| {
            it.user == key.user && it.revoked_at.is_none() && !it.is_expired(key.created_at)
        };
        if self.keys.values().filter(works).count() >= MAX_KEYS {
            return Err("too many keys");
        }
        self.keys.insert(key.id, key.clone());
        Ok(())
    }

    pub(super) fn revoke_key(&mut self, id: KeyId) -> Answered {
        let now = self.now();
        let key = self.keys.get_mut(&id).ok_or("not found")?;
        key.revoked_at.get_or_insert(now);
        Ok(())
    }

    pub(super) fn sweep(&mut self) {
        let now = self.now();
        let is_over = |since: Timestamp| since.after(days(30)) <= now;
        self.keys
            .retain(|_, key| !key.revoked_at.is_some_and(is_over));
        self.used.retain(|id, _| self.keys.contains_key(id));
        self.sessions.retain(|_, session| session.forget_at > now);
        self.addresses.retain(|_, last| !is_over(*last));
    }
}
