use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use parking_lot::{Mutex, MutexGuard};

use super::bucket::Bucket;

/// The buckets of many subjects, in memory that does not grow: 65,536 of them in 3 MiB.
///
/// A subject has eight places, which ones its hash says. When all are taken, the one that is free first
/// is forgotten. So a flood of subjects that each come once pushes out its own kind, and to have a
/// limit forgotten that is used up, somebody must use up seven others that fall on the same places,
/// without knowing which do: the hash has a secret.
#[derive(Debug, Default)]
pub(super) struct Table {
    hash: RandomState,
    /// Locked one by one, so that workers seldom meet. There is none before there is something to count.
    shards: OnceLock<Box<[Shard]>>,
}

type Shard = Mutex<Box<[Slot]>>;

/// Whose bucket: of which limit, and of whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) subject: [u8; 16],
    pub(super) limit: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: Key,
    bucket: Bucket,
}

const SHARDS: usize = 64;
const SETS: usize = 128;
const WAYS: usize = 8;

impl Table {
    /// Makes room in it: without, nobody is remembered.
    pub(super) fn furnish(&self) {
        let shard = |_| Mutex::new(vec![Slot::default(); SETS * WAYS].into_boxed_slice());
        self.shards.get_or_init(|| (0..SHARDS).map(shard).collect());
    }

    /// Does something with the bucket of `key`, which is full where it is not remembered.
    pub(super) fn with<T>(&self, key: Key, now: u64, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let Some((mut slots, set)) = self.shard_of(key) else {
            return work(&mut Bucket::default());
        };
        match place_of(ways_of(&mut slots, set), key, now) {
            Some(slot) => work(&mut slot.bucket),
            None => work(&mut Bucket::default()),
        }
    }

    /// Does something with the bucket of `key`, if it is remembered.
    pub(super) fn look<T>(&self, key: Key, work: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        let (mut slots, set) = self.shard_of(key)?;
        let slot = ways_of(&mut slots, set)
            .iter_mut()
            .find(|slot| slot.key == key)?;
        Some(work(&mut slot.bucket))
    }

    /// The part that holds `key`, and its set there.
    fn shard_of(&self, key: Key) -> Option<(MutexGuard<'_, Box<[Slot]>>, usize)> {
        let hash = self.hash.hash_one(key);
        let low = usize::try_from(hash & 0xffff).unwrap_or_default();
        let shard = self.shards.get()?.get(low % SHARDS)?;
        Some((shard.lock(), low / SHARDS % SETS))
    }
}

fn ways_of(slots: &mut [Slot], set: usize) -> &mut [Slot] {
    let ways = slots.get_mut(set * WAYS..).unwrap_or_default();
    ways.get_mut(..WAYS).unwrap_or_default()
}

/// The slot of `key`, or the one that it takes now.
fn place_of(ways: &mut [Slot], key: Key, now: u64) -> Option<&mut Slot> {
    let at = ways.iter().position(|slot| slot.key == key);
    let at = at.or_else(|| {
        let used = |(_, slot): &(usize, &Slot)| slot.bucket.used_for(now);
        ways.iter().enumerate().min_by_key(used).map(|(at, _)| at)
    })?;
    let slot = ways.get_mut(at)?;
    if slot.key != key {
        *slot = Slot {
            key,
            bucket: Bucket::default(),
        };
    }
    Some(slot)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::bucket::Quota;
    use super::*;
    use crate::config::{Limit, Per, Rate};

    const HOUR: u64 = 3_600_000_000_000;

    fn quota(count: u32) -> Quota {
        Quota::new(&Limit {
            per: Per::Address,
            rate: Rate {
                count,
                per: Duration::from_secs(3600),
            },
            burst: count,
        })
    }

    fn furnished() -> Table {
        let table = Table::default();
        table.furnish();
        table
    }

    fn key(number: u32) -> Key {
        let mut subject = [0; 16];
        subject[..4].copy_from_slice(&number.to_be_bytes());
        Key { subject, limit: 1 }
    }

    #[test]
    fn each_subject_has_a_bucket_of_its_own() {
        let (table, quota) = (furnished(), quota(1));
        for number in 0..1000 {
            let first = table.with(key(number), 1, |bucket| bucket.take(&quota, 1));
            assert_eq!(first, Ok(()), "{number}");
        }
        let other = Key { limit: 2, ..key(7) };
        assert_eq!(
            table.with(other, 1, |bucket| bucket.take(&quota, 1)),
            Ok(())
        );
        let again = table.with(key(7), 1, |bucket| bucket.take(&quota, 1));
        assert!(again.is_err());
    }

    #[test]
    fn a_flood_does_not_make_a_used_up_limit_forgotten() {
        let (table, quota) = (furnished(), quota(10));
        let victim = key(u32::MAX);
        for _ in 0..10 {
            let taken = table.with(victim, 1, |bucket| bucket.take(&quota, 1));
            assert_eq!(taken, Ok(()));
        }

        for number in 0..300_000 {
            let _ = table.with(key(number), 1, |bucket| bucket.take(&quota, 1));
        }

        let again = table.with(victim, 1, |bucket| bucket.take(&quota, 1));
        assert_eq!(again, Err(HOUR / 10));
    }

    #[test]
    fn a_slot_takes_forty_eight_bytes() {
        assert_eq!(size_of::<Slot>(), 48);
    }
}
