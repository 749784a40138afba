use std::io;
use std::path::Path;

use redb::ReadableTable as _;

use super::fault::Fault;
use super::open::{Check, OpenError, database};
use super::place::{Draft, Existing};
use super::sweep::{self, Kind};
use super::tables::Tables;
use super::{traces, users};
use crate::domain::Timestamp;
use crate::store::lifetime::tombstone_ends;
use crate::store::{ImportError, Item, KeyRecord, Revival, RevivalReport, StoreError, UserRecord};

/// Makes a new store at `to` of everything in an export; what becomes of it is [`Revival`]'s to say.
///
/// # Errors
///
/// [`ImportError`]; nothing is left behind then.
pub fn import(
    to: &Path,
    items: impl Iterator<Item = Result<Item, ImportError>>,
    now: Timestamp,
) -> Result<RevivalReport, ImportError> {
    let exists = || ImportError::Exists {
        place: to.display().to_string(),
    };
    if to.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let io = |error| OpenError::io(to, error);
    let (draft, file) = Draft::beside(to).map_err(io)?;
    let report = fill(file, items, now).map_err(|failed| match failed {
        Failed::Import(error) => error,
        Failed::File(fault) => OpenError::from_fault(to, fault).into(),
    })?;
    draft
        .publish(Existing::Keep)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => io(error).into(),
        })?;
    Ok(report)
}

enum Failed {
    Import(ImportError),
    File(Fault),
}

impl<F: Into<Fault>> From<F> for Failed {
    fn from(fault: F) -> Self {
        Self::File(fault.into())
    }
}

fn fill(
    file: std::fs::File,
    items: impl Iterator<Item = Result<Item, ImportError>>,
    now: Timestamp,
) -> Result<RevivalReport, Failed> {
    let (target, _) = database(file, Check::Quick).map_err(Fault::File)?;
    let transaction = target.begin_write().map_err(Fault::from)?;
    let mut revival = Revival::new(now);
    {
        let mut tables = Tables::open(&transaction)?;
        tables.found()?;
        for item in items {
            let item = revival.item(item.map_err(Failed::Import)?);
            if let Some(what) = put(&mut tables, &item)? {
                return Err(Failed::Import(ImportError::Twice { what }));
            }
        }
    }
    transaction.commit().map_err(Fault::from)?;
    target.close().map_err(Fault::from)?;
    Ok(revival.report())
}

/// Puts an item in its place; answers what it shares with another that must be its own.
fn put(tables: &mut Tables<'_>, item: &Item) -> Result<Option<String>, Fault> {
    match item {
        Item::User(user) => put_user(tables, user),
        Item::Key(key) => put_key(tables, key),
        Item::RevokedSession(session) => {
            traces::revoke_session(tables, session)?;
            Ok(None)
        }
        Item::LastUsed { key, at } => {
            traces::note_used(tables, &[(*key, *at)])?;
            Ok(None)
        }
        Item::Address { user, address, at } => {
            traces::remember_address(tables, *user, *address, *at)?;
            Ok(None)
        }
    }
}

fn put_user(tables: &mut Tables<'_>, user: &UserRecord) -> Result<Option<String>, Fault> {
    match users::create(tables, user) {
        Ok(_) => Ok(None),
        Err(Fault::Refused(StoreError::EmailTaken)) => Ok(Some(format!("email {}", user.email))),
        Err(Fault::Refused(StoreError::Conflict)) => Ok(Some(format!("id {}", user.id))),
        Err(fault) => Err(fault),
    }
}

/// A key is put as it is, whatever became of its owner: it may be a tombstone.
fn put_key(tables: &mut Tables<'_>, key: &KeyRecord) -> Result<Option<String>, Fault> {
    let (id, digest) = (key.id.as_bytes(), key.digest.as_bytes());
    if tables.key_ids.get(id)?.is_some() {
        return Ok(Some(format!("id {}", key.id)));
    }
    if tables.keys.get(digest)?.is_some() {
        return Ok(Some(format!("digest {}", key.digest)));
    }
    tables.put_key(key)?;
    tables.key_ids.insert(id, digest)?;
    match key.revoked_at {
        None => {
            tables.user_keys.insert((key.user.as_bytes(), id), ())?;
        }
        Some(at) => sweep::schedule(tables, Kind::Tombstone, id, tombstone_ends(at))?,
    }
    Ok(None)
}
