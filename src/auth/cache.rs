use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::Digest;
use crate::http::Credential;
use crate::revocation::Admission;

/// The admissions of credentials that were checked before.
///
/// It is asked under a digest of the whole credential and its kind, so no secret is kept. An entry is
/// never the last word: whether its admission still admits is the admission's own to say.
pub struct AdmissionCache(moka::sync::Cache<CacheKey, Arc<Admission>, BuildHasherDefault<Taken>>);

/// What an admission is kept under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheKey([u8; 16]);

/// Enough for all that a cache holds.
const CLEARING_BATCHES: usize = 1000;

impl AdmissionCache {
    /// A cache of at most `entries` admissions, each asked of the store again after `lifetime`.
    #[must_use]
    pub fn new(entries: u64, lifetime: Duration) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(entries)
            .time_to_live(lifetime)
            .build_with_hasher(BuildHasherDefault::default());
        Self(cache)
    }

    /// The admission of this credential, which may have ended.
    #[must_use]
    pub fn find(&self, key: CacheKey) -> Option<Arc<Admission>> {
        self.0.get(&key)
    }

    /// Keeps an admission.
    pub fn keep(&self, key: CacheKey, admission: Arc<Admission>) {
        self.0.insert(key, admission);
    }

    /// Forgets an admission that does not admit any more.
    pub fn forget(&self, key: CacheKey) {
        self.0.invalidate(&key);
    }

    /// Forgets everything, and lets go of it as far as that can be done at once.
    pub fn clear(&self) {
        self.0.invalidate_all();
        // What is invalid is let go of in batches, a few hundred at a time.
        for _ in 0..CLEARING_BATCHES {
            self.0.run_pending_tasks();
            if self.is_empty() {
                return;
            }
        }
    }

    /// How many admissions it keeps, about.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.entry_count()
    }

    /// Whether it keeps none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for AdmissionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionCache")
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

impl CacheKey {
    /// The key of a credential.
    #[must_use]
    pub fn of(credential: Credential<'_>) -> Self {
        let kind: &[u8] = match credential {
            Credential::Session(_) => b"s",
            Credential::ApiKey(_) => b"k",
        };
        let digest = Digest::of(&[kind, credential.bytes()]);
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        Self(short)
    }
}

impl std::hash::Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// Takes eight bytes of a digest as they are: they are as good as any hash of them.
#[derive(Debug, Default)]
pub(super) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }
}
