use std::time::Duration;

use crate::domain::Timestamp;

const DAY: Duration = Duration::from_hours(24);

/// How long a revoked key is told from one that never was.
const TOMBSTONE: Duration = DAY.saturating_mul(30);
/// How long an address counts as the owner's.
const ADDRESS: Duration = DAY.saturating_mul(30);

pub(super) fn tombstone_ends(revoked_at: Timestamp) -> Timestamp {
    revoked_at.after(TOMBSTONE)
}

pub(super) fn address_ends(last: Timestamp) -> Timestamp {
    last.after(ADDRESS)
}

/// When an address was last used that counts until `ends`.
pub(super) fn address_last(ends: Timestamp) -> Timestamp {
    ends.before(ADDRESS)
}
