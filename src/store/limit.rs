use std::time::Duration;

use crate::domain::Digest;

/// A bound on how often something may happen (GCRA: a steady rate, and a burst on top).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub key: LimitKey,
    /// How many may come at once after a quiet time; at least 1.
    pub burst: u32,
    /// How long it takes until one more may come.
    pub every: Duration,
}

/// What a limit counts: the SHA-256 of its kind and subject, so that no store keeps addresses or emails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey(pub Digest);

impl LimitKey {
    /// The key of limit `kind` for `subject`.
    #[must_use]
    pub fn new(kind: &str, subject: &[&[u8]]) -> Self {
        let mut parts = vec![kind.as_bytes()];
        for part in subject {
            parts.push(&[0]);
            parts.push(part);
        }
        Self(Digest::of(&parts))
    }
}

/// Whether a limit lets one more pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does, and has counted it.
    Pass,
    /// It does not, and has counted nothing.
    Wait(Duration),
}
