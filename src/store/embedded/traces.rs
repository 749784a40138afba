//! What people leave behind: sessions they ended, keys they used, addresses they came from.

use redb::ReadableTable as _;

use super::fault::Fault;
use super::sweep::{self, Kind};
use super::tables::{Tables, json, record};
use crate::domain::{Digest, KeyId, Timestamp, UserId};
use crate::store::lifetime::address_ends;
use crate::store::{Change, RevokedSession};

/// Revokes a session; the later `forget_at` stands.
pub(super) fn revoke_session(
    tables: &mut Tables<'_>,
    session: &RevokedSession,
) -> Result<Change, Fault> {
    let id = session.id.as_bytes();
    let before: Option<RevokedSession> = record(&tables.revoked, id)?;
    if before.is_none_or(|before| before.forget_at < session.forget_at) {
        tables.revoked.insert(id, json(session)?.as_slice())?;
        sweep::schedule(tables, Kind::Session, id, session.forget_at)?;
    }
    Ok(Change::Session {
        user: session.user,
        session: session.id,
    })
}

/// Notes when keys were last used. A key that is gone leaves no trace.
pub(super) fn note_used(tables: &mut Tables<'_>, used: &[(KeyId, Timestamp)]) -> Result<(), Fault> {
    for (key, at) in used {
        let (key, at) = (key.as_bytes(), at.as_millis());
        let is_known = tables.key_ids.get(key)?.is_some();
        let is_later = tables
            .last_used
            .get(key)?
            .is_none_or(|last| last.value() < at);
        if is_known && is_later {
            tables.last_used.insert(key, at)?;
        }
    }
    Ok(())
}

/// Remembers an address; an earlier time never replaces a later one.
pub(super) fn remember_address(
    tables: &mut Tables<'_>,
    user: UserId,
    address: Digest,
    now: Timestamp,
) -> Result<(), Fault> {
    let key = (user.as_bytes(), address.as_bytes());
    let last = tables.addresses.get(key)?.map(|last| last.value());
    if last.is_none_or(|last| last < now.as_millis()) {
        tables.addresses.insert(key, now.as_millis())?;
    }
    if last.is_none() {
        // Later log-ins move nothing in the schedule: the sweep looks again at what it finds.
        let key = [user.as_bytes().as_slice(), address.as_bytes()].concat();
        sweep::schedule(tables, Kind::Address, &key, address_ends(now))?;
    }
    Ok(())
}
