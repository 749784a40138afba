use std::io;

use redb::{ReadTransaction, ReadableTable as _};

use super::door::Door;
use super::fault::Fault;
use super::tables::{ADDRESSES, KEYS, LAST_USED, REVOKED, USERS, parsed};
use crate::domain::{Digest, KeyId, Timestamp, UserId};
use crate::store::{ExportError, Item, StoreError};

/// Shows everything that `door` shows at this moment, users before their keys.
pub(super) fn show(
    door: &Door,
    mut see: impl FnMut(Item) -> io::Result<()>,
) -> Result<(), ExportError> {
    let view = door.view().map_err(StoreError::from)?;
    // Whoever sees an item may fail in another way than the store: the first error is kept here.
    let mut failed = None;
    let done = show_all(&view, &mut |item| {
        see(item).map_err(|error| {
            failed = Some(error);
            Fault::Refused(StoreError::Conflict)
        })
    });
    match (failed, done) {
        (Some(error), _) => Err(error.into()),
        (None, done) => Ok(done.map_err(StoreError::from)?),
    }
}

fn show_all(
    view: &ReadTransaction,
    see: &mut impl FnMut(Item) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for entry in view.open_table(USERS)?.iter()? {
        see(Item::User(parsed(entry?.1.value())?))?;
    }
    for entry in view.open_table(KEYS)?.iter()? {
        see(Item::Key(parsed(entry?.1.value())?))?;
    }
    for entry in view.open_table(REVOKED)?.iter()? {
        see(Item::RevokedSession(parsed(entry?.1.value())?))?;
    }
    for entry in view.open_table(LAST_USED)?.iter()? {
        let (key, at) = entry?;
        see(Item::LastUsed {
            key: KeyId::from_bytes(*key.value()),
            at: Timestamp::from_millis(at.value()),
        })?;
    }
    for entry in view.open_table(ADDRESSES)?.iter()? {
        let (key, at) = entry?;
        let (user, address) = key.value();
        see(Item::Address {
            user: UserId::from_bytes(*user),
            address: Digest::from_bytes(*address),
            at: Timestamp::from_millis(at.value()),
        })?;
    }
    Ok(())
}
