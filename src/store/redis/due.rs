//! What is to be forgotten, and when: one sorted index by moment.
//!
//! No record expires by itself. The server's clock may be another than the nodes', and an eviction
//! policy takes what can expire first: a log-out must outlive both.

use redis::Cmd;

use super::keys::Keys;
use super::scripts::SWEEP;
use super::session::Session;
use crate::domain::{Digest, SessionId, Timestamp, UserId};
use crate::store::{KeyRecord, StoreError};

/// How many records one step forgets: other calls wait meanwhile.
const BATCH: usize = 256;

/// The name of a tombstone.
pub(super) fn of_tombstone(key: &KeyRecord) -> String {
    format!("k:{}:{}", key.id, key.digest)
}

/// The name of a revoked session.
pub(super) fn of_session(session: SessionId) -> String {
    format!("x:{session}")
}

/// The name of a remembered address. It has no record: to be due is all there is.
pub(super) fn of_address(user: UserId, address: Digest) -> String {
    format!("a:{user}:{address}")
}

/// Forgets what is due at `now`; answers how much that was.
pub(super) async fn sweep(session: &Session, now: Timestamp) -> Result<u64, StoreError> {
    let mut removed: u64 = 0;
    loop {
        let mut range = redis::cmd("ZRANGEBYSCORE");
        range
            .arg(session.keys.due())
            .arg("-inf")
            .arg(now.as_millis())
            .arg("LIMIT")
            .arg(0)
            .arg(BATCH);
        let names: Vec<String> = session.read(&range).await?;
        if names.is_empty() {
            return Ok(removed);
        }
        let batch = session.trace(&SWEEP, |call| write(call, &session.keys, &names, now));
        removed = removed.saturating_add(batch.await?);
        if names.len() < BATCH {
            return Ok(removed);
        }
    }
}

fn write(call: &mut Cmd, keys: &Keys, names: &[String], now: Timestamp) {
    call.arg(3 + names.len())
        .arg(keys.due())
        .arg(keys.key_ids())
        .arg(keys.last_used());
    for name in names {
        call.arg(record_of(keys, name).unwrap_or_else(|| keys.due()));
    }
    call.arg(now.as_millis());
    for name in names {
        call.arg(name).arg(key_id_in(name));
    }
}

/// The key of the record that goes with a name; an address has none.
fn record_of(keys: &Keys, name: &str) -> Option<String> {
    let (kind, rest) = name.split_once(':')?;
    match kind {
        "x" => Some(keys.session(rest.parse().ok()?)),
        "k" => {
            let (_, digest) = rest.split_once(':')?;
            Some(keys.key(Digest::from_hex(digest)?))
        }
        _ => None,
    }
}

fn key_id_in(name: &str) -> &str {
    let id = name
        .strip_prefix("k:")
        .and_then(|rest| rest.split_once(':'));
    id.map_or("", |(id, _)| id)
}
