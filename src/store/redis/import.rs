use std::collections::HashSet;

use futures_util::future::try_join_all;
use redis::{Cmd, Value};

use super::api_keys::expiry;
use super::link::new_store;
use super::records::{BATCH, json};
use super::scripts::CLAIM;
use super::session::Session;
use super::users::is_admin;
use super::{Redis, due};
use crate::domain::Timestamp;
use crate::store::lifetime::{address_ends, tombstone_ends};
use crate::store::{ImportError, Item, KeyRecord, Revival, RevivalReport, StoreError, UserRecord};

/// What stands in place of the store's identity while it is filled: no node begins on it.
pub(super) const BEING_FILLED: &str = "being-filled";

impl Redis {
    /// Fills the store, which must be empty, with everything in an export; what becomes of it is
    /// [`Revival`]'s to say. No node may begin on it before it is whole.
    ///
    /// # Errors
    ///
    /// [`ImportError`]; nothing was written then, unless the store failed meanwhile.
    pub async fn import(
        &self,
        items: impl Iterator<Item = Result<Item, ImportError>>,
        now: Timestamp,
    ) -> Result<RevivalReport, ImportError> {
        let mut revival = Revival::new(now);
        let mut taken = HashSet::new();
        let mut all = Vec::new();
        for item in items {
            let item = revival.item(item?);
            for what in names_of(&item) {
                if let Some(what) = taken.replace(what) {
                    return Err(ImportError::Twice { what });
                }
            }
            all.push(item);
        }
        let session = self.dialled().await?;
        self.claim(&session).await?;
        for batch in all.chunks(BATCH) {
            let mut commands = Vec::new();
            for item in batch {
                put(&session, item, &mut commands)?;
            }
            let asked = commands.iter().map(|command| ask(&session, command));
            try_join_all(asked).await?;
        }
        let mut identify = redis::cmd("SET");
        identify.arg(session.keys.id()).arg(new_store());
        ask(&session, &identify).await?;
        Ok(revival.report())
    }

    /// Makes sure that the store is empty, and that it is this import's from now on.
    async fn claim(&self, session: &Session) -> Result<(), ImportError> {
        let others = self.keys.of_any_store();
        let is_ours = session.trace(&CLAIM, |call| {
            call.arg(1 + others.len())
                .arg(self.keys.id())
                .arg(&others)
                .arg(BEING_FILLED);
        });
        if is_ours.await? == 0 {
            return Err(ImportError::Exists {
                place: self.settings.to_string(),
            });
        }
        Ok(())
    }
}

async fn ask(session: &Session, command: &Cmd) -> Result<Value, StoreError> {
    let answer = session.data.ask(command, session.patience).await;
    answer.map_err(super::fault::Fault::of_change)
}

/// What no other item may be called.
fn names_of(item: &Item) -> Vec<String> {
    match item {
        Item::User(user) => vec![
            format!("id {}", user.id),
            format!("email {}", user.email.normal()),
        ],
        Item::Key(key) => vec![format!("id {}", key.id), format!("digest {}", key.digest)],
        Item::RevokedSession(_) | Item::LastUsed { .. } | Item::Address { .. } => Vec::new(),
    }
}

/// Adds the commands that put an item and its indexes in their places.
fn put(session: &Session, item: &Item, commands: &mut Vec<Cmd>) -> Result<(), StoreError> {
    let keys = &session.keys;
    match item {
        Item::User(user) => put_user(session, user, commands)?,
        Item::Key(key) => put_key(session, key, commands)?,
        Item::RevokedSession(revoked) => {
            let mut set = redis::cmd("SET");
            set.arg(keys.session(revoked.id)).arg(json(revoked)?);
            let name = due::of_session(revoked.id);
            commands.extend([set, add(keys.due(), revoked.forget_at.as_millis(), name)]);
        }
        Item::LastUsed { key, at } => {
            commands.push(add(keys.last_used(), at.as_millis(), key.to_string()));
        }
        Item::Address { user, address, at } => {
            let name = due::of_address(*user, *address);
            commands.push(add(keys.due(), address_ends(*at).as_millis(), name));
        }
    }
    Ok(())
}

fn put_user(
    session: &Session,
    user: &UserRecord,
    commands: &mut Vec<Cmd>,
) -> Result<(), StoreError> {
    let (keys, id) = (&session.keys, user.id.to_string());
    let mut set = redis::cmd("SET");
    set.arg(keys.user(user.id)).arg(json(user)?);
    let mut index = redis::cmd("SET");
    index.arg(keys.email(&user.email)).arg(&id);
    commands.extend([set, index, add(keys.users(), 0, id.clone())]);
    if is_admin(user) {
        let mut admin = redis::cmd("SADD");
        admin.arg(keys.admins()).arg(id);
        commands.push(admin);
    }
    Ok(())
}

/// A key is put as it is, whatever became of its owner: it may be a tombstone.
fn put_key(session: &Session, key: &KeyRecord, commands: &mut Vec<Cmd>) -> Result<(), StoreError> {
    let keys = &session.keys;
    let mut set = redis::cmd("SET");
    set.arg(keys.key(key.digest)).arg(json(key)?);
    let mut index = redis::cmd("HSET");
    index
        .arg(keys.key_ids())
        .arg(key.id.to_string())
        .arg(key.digest.to_string());
    commands.extend([set, index]);
    commands.push(match key.revoked_at {
        None => {
            let mut working = redis::cmd("ZADD");
            working
                .arg(keys.keys_of(key.user))
                .arg(expiry(key))
                .arg(key.digest.to_string());
            working
        }
        Some(at) => {
            let name = due::of_tombstone(key);
            add(keys.due(), tombstone_ends(at).as_millis(), name)
        }
    });
    Ok(())
}

fn add(key: String, score: i64, member: String) -> Cmd {
    let mut add = redis::cmd("ZADD");
    add.arg(key).arg("GT").arg(score).arg(member);
    add
}
