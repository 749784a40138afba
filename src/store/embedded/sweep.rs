//! Forgetting what has had its time.
//!
//! The table `due` says when to look at which record, so that a sweep reads no more than it removes.
//! It is a schedule, not a truth: a record whose time has moved on since is scheduled again.

use redb::ReadableTable as _;

use super::fault::Fault;
use super::tables::{Tables, record};
use crate::domain::Timestamp;
use crate::store::lifetime::{address_ends, tombstone_ends};
use crate::store::{KeyRecord, RevokedSession};

/// How many records one transaction forgets: other changes wait meanwhile.
pub(super) const BATCH: usize = 256;

/// What is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A revoked API key, by its id.
    Tombstone,
    /// A revoked session, by its id.
    Session,
    /// A remembered address, by user and digest.
    Address,
}

/// What one batch came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swept {
    pub(super) removed: u64,
    /// Whether there may be more.
    pub(super) is_full: bool,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Tombstone, Self::Session, Self::Address];

    const fn as_byte(self) -> u8 {
        match self {
            Self::Tombstone => 0,
            Self::Session => 1,
            Self::Address => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_byte() == byte)
    }
}

/// Has a sweep look at a record at `at`.
pub(super) fn schedule(
    tables: &mut Tables<'_>,
    kind: Kind,
    key: &[u8],
    at: Timestamp,
) -> Result<(), Fault> {
    tables
        .due
        .insert((at.as_millis(), kind.as_byte(), key), ())?;
    Ok(())
}

/// Forgets at most [`BATCH`] records whose time is over at `now`.
pub(super) fn batch(tables: &mut Tables<'_>, now: Timestamp) -> Result<Swept, Fault> {
    let mut due = Vec::new();
    let end = (now.as_millis().saturating_add(1), 0, [].as_slice());
    for entry in tables.due.range(..end)?.take(BATCH) {
        let (entry, _) = entry?;
        let (at, kind, key) = entry.value();
        let ends = match Kind::from_byte(kind) {
            Some(kind) => ends(tables, kind, key)?.map(|end| (kind, end)),
            None => None,
        };
        due.push((at, kind, key.to_vec(), ends));
    }

    let mut removed = 0;
    for (at, kind, key, ends) in &due {
        tables.due.remove((*at, *kind, key.as_slice()))?;
        match *ends {
            Some((kind, end)) if end > now => schedule(tables, kind, key, end)?,
            Some((kind, _)) => {
                forget(tables, kind, key)?;
                removed += 1;
            }
            None => {}
        }
    }
    let is_full = due.len() == BATCH;
    Ok(Swept { removed, is_full })
}

/// When the record's time is over, if it is there.
fn ends(tables: &Tables<'_>, kind: Kind, key: &[u8]) -> Result<Option<Timestamp>, Fault> {
    Ok(match kind {
        Kind::Tombstone => tombstone(tables, key)?
            .and_then(|key| key.revoked_at)
            .map(tombstone_ends),
        Kind::Session => match key.try_into() {
            Ok(id) => record::<_, RevokedSession>(&tables.revoked, id)?.map(|it| it.forget_at),
            Err(_) => None,
        },
        Kind::Address => match address(key) {
            Some(key) => {
                let last = tables.addresses.get(key)?;
                last.map(|last| address_ends(Timestamp::from_millis(last.value())))
            }
            None => None,
        },
    })
}

fn forget(tables: &mut Tables<'_>, kind: Kind, key: &[u8]) -> Result<(), Fault> {
    match kind {
        Kind::Tombstone => {
            if let Some(key) = tombstone(tables, key)? {
                tables.keys.remove(key.digest.as_bytes())?;
                tables.key_ids.remove(key.id.as_bytes())?;
                tables.last_used.remove(key.id.as_bytes())?;
            }
        }
        Kind::Session => {
            if let Ok(id) = <&[u8; 16]>::try_from(key) {
                tables.revoked.remove(id)?;
            }
        }
        Kind::Address => {
            if let Some(key) = address(key) {
                tables.addresses.remove(key)?;
            }
        }
    }
    Ok(())
}

fn tombstone(tables: &Tables<'_>, key: &[u8]) -> Result<Option<KeyRecord>, Fault> {
    match <[u8; 16]>::try_from(key) {
        Ok(id) => tables.key(crate::domain::KeyId::from_bytes(id)),
        Err(_) => Ok(None),
    }
}

fn address(key: &[u8]) -> Option<(&[u8; 16], &[u8; 32])> {
    let (user, address) = key.split_first_chunk()?;
    Some((user, address.try_into().ok()?))
}
