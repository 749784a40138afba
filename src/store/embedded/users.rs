use redb::ReadableTable as _;
use redb::ReadableTableMetadata as _;

use super::fault::Fault;
use super::keys;
use super::tables::Tables;
use crate::domain::{Digest, Role, Timestamp, UserId};
use crate::store::{Change, StoreError, UserRecord};

/// Adds a user.
pub(super) fn create(tables: &mut Tables<'_>, user: &UserRecord) -> Result<Change, Fault> {
    if tables.users.get(user.id.as_bytes())?.is_some() {
        return Err(StoreError::Conflict.into());
    }
    check_email_is_free(tables, user)?;

    write(tables, None, user)?;
    Ok(Change::Addition)
}

/// Writes a user whose version is the stored one, and counts it up.
pub(super) fn update(tables: &mut Tables<'_>, mut user: UserRecord) -> Result<Change, Fault> {
    let old = tables.user(user.id)?.ok_or(StoreError::NotFound)?;
    if old.version != user.version {
        return Err(StoreError::Conflict.into());
    }
    check_email_is_free(tables, &user)?;
    if is_admin(&old) && !is_admin(&user) {
        check_another_admin(tables)?;
    }

    user.version = old.version.saturating_add(1);
    write(tables, Some(&old), &user)?;
    Ok(Change::of_update(&old, &user))
}

/// Deletes a user; their keys become tombstones.
pub(super) fn delete(tables: &mut Tables<'_>, id: UserId, now: Timestamp) -> Result<Change, Fault> {
    let old = tables.user(id)?.ok_or(StoreError::NotFound)?;
    if is_admin(&old) {
        check_another_admin(tables)?;
    }
    let keys = keys::unrevoked(&tables.user_keys, &tables.key_ids, &tables.keys, id)?;

    for key in keys {
        keys::bury(tables, key, now)?;
    }
    tables.users.remove(id.as_bytes())?;
    tables.emails.remove(old.email.normal())?;
    tables.admins.remove(id.as_bytes())?;
    remove_reset(tables, &old)?;
    Ok(Change::User { user: id })
}

fn is_admin(user: &UserRecord) -> bool {
    user.is_active && user.role == Role::Admin
}

fn check_another_admin(tables: &Tables<'_>) -> Result<(), Fault> {
    if tables.admins.len()? <= 1 {
        return Err(StoreError::LastAdmin.into());
    }
    Ok(())
}

fn check_email_is_free(tables: &Tables<'_>, user: &UserRecord) -> Result<(), Fault> {
    let owner = tables.emails.get(user.email.normal())?;
    if owner.is_some_and(|owner| owner.value() != user.id.as_bytes()) {
        return Err(StoreError::EmailTaken.into());
    }
    Ok(())
}

/// Writes the record and moves every index from `old` to `new`.
fn write(tables: &mut Tables<'_>, old: Option<&UserRecord>, new: &UserRecord) -> Result<(), Fault> {
    let id = new.id.as_bytes();
    tables.put_user(new)?;
    if let Some(old) = old {
        tables.emails.remove(old.email.normal())?;
        remove_reset(tables, old)?;
    }
    tables.emails.insert(new.email.normal(), id)?;
    if let Some(reset) = new.reset {
        tables.resets.insert(reset.digest.as_bytes(), id)?;
    }
    if is_admin(new) {
        tables.admins.insert(id, ())?;
    } else {
        tables.admins.remove(id)?;
    }
    Ok(())
}

fn remove_reset(tables: &mut Tables<'_>, user: &UserRecord) -> Result<(), Fault> {
    let Some(digest) = user.reset.map(|reset| reset.digest) else {
        return Ok(());
    };
    if owns_reset(tables, user.id, digest)? {
        tables.resets.remove(digest.as_bytes())?;
    }
    Ok(())
}

fn owns_reset(tables: &Tables<'_>, user: UserId, digest: Digest) -> Result<bool, Fault> {
    let owner = tables.resets.get(digest.as_bytes())?;
    Ok(owner.is_some_and(|owner| owner.value() == user.as_bytes()))
}
