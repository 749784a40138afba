use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::{KeyId, Timestamp};

/// When API keys were last used, gathered until it is written: no request waits for a store write.
#[derive(Debug, Default)]
pub struct KeyUsage(Mutex<HashMap<KeyId, Timestamp>>);

impl KeyUsage {
    /// Notes that a key was used.
    pub(super) fn note(&self, key: KeyId, at: Timestamp) {
        let mut used = self.0.lock();
        let last = used.entry(key).or_insert(at);
        *last = (*last).max(at);
    }

    /// Everything noted since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<(KeyId, Timestamp)> {
        std::mem::take(&mut *self.0.lock()).into_iter().collect()
    }

    /// Takes back what could not be written.
    pub fn give_back(&self, used: Vec<(KeyId, Timestamp)>) {
        for (key, at) in used {
            self.note(key, at);
        }
    }

    /// What is noted of one key and not written yet.
    #[must_use]
    pub fn of(&self, key: KeyId) -> Option<Timestamp> {
        self.0.lock().get(&key).copied()
    }
}
