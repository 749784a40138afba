use std::collections::HashMap;

use super::Item;
use crate::domain::{Email, KeyId, KeyName, Timestamp, UserId};
use crate::store::{KeyRecord, UserRecord};

/// What becomes of records that live again in another store than the one they come from: every session
/// of before has ended, whenever it began, and so has every mailed reset link.
///
/// Keys work again, those too that were revoked since the records were saved: it gathers them for the
/// operator. Users must come before their keys.
#[derive(Debug)]
pub struct Revival {
    now: Timestamp,
    owners: HashMap<UserId, Email>,
    keys: Vec<RevivedKey>,
}

/// What lives again, so that the operator can revoke again what must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevivalReport {
    /// How many users there are. All their sessions have ended, and their mailed reset links.
    pub users: u64,
    /// The API keys that work again, those too that were revoked after the records were saved.
    pub keys: Vec<RevivedKey>,
}

/// An API key that works again. If its owner is inactive, it does when they are active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevivedKey {
    /// Which key.
    pub id: KeyId,
    /// What its owner calls it.
    pub name: KeyName,
    /// Its first characters.
    pub shown_prefix: String,
    /// Its owner's address.
    pub owner: Email,
}

impl Revival {
    /// Records that live again at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            owners: HashMap::new(),
            keys: Vec::new(),
        }
    }

    /// A user as they live again.
    #[must_use]
    pub fn user(&mut self, mut user: UserRecord) -> UserRecord {
        // The time, not the next number: tokens of the next numbers were made after the records were
        // saved, or after they lived again before.
        let now = u64::try_from(self.now.as_millis()).unwrap_or(0);
        user.epoch = user.epoch.saturating_add(1).max(now);
        user.version = user.version.saturating_add(1);
        user.reset = None;
        self.owners.insert(user.id, user.email.clone());
        user
    }

    /// Notes a key that may work again.
    pub fn key(&mut self, key: &KeyRecord) {
        let is_dead = key.revoked_at.is_some() || key.is_expired(self.now);
        if let (false, Some(owner)) = (is_dead, self.owners.get(&key.user)) {
            self.keys.push(RevivedKey {
                id: key.id,
                name: key.name.clone(),
                shown_prefix: key.shown_prefix.clone(),
                owner: owner.clone(),
            });
        }
    }

    /// An item as it lives again.
    #[must_use]
    pub fn item(&mut self, item: Item) -> Item {
        match item {
            Item::User(user) => Item::User(self.user(user)),
            Item::Key(key) => {
                self.key(&key);
                Item::Key(key)
            }
            item => item,
        }
    }

    /// What lives again; keys in order of their ids.
    #[must_use]
    pub fn report(mut self) -> RevivalReport {
        self.keys.sort_by_key(|key| key.id);
        RevivalReport {
            users: u64::try_from(self.owners.len()).unwrap_or(u64::MAX),
            keys: self.keys,
        }
    }
}
