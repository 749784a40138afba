use std::time::Duration;

use super::section::Section;
use super::server::cores;

/// `[passwords]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passwords {
    /// `min_length` in characters (8).
    pub min_length: usize,
    /// `memory` of one argon2id hash (19MiB).
    pub memory: usize,
    /// `iterations` of one argon2id hash (2).
    pub iterations: u32,
    /// `threads` that hash (1 for up to three cores, else a quarter of them).
    pub threads: usize,
}

/// `[login]`: how often log-in and reset may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// `per_account_and_address`: wrong passwords (`"5 per 15m"`).
    pub per_account_and_address: Rate,
    /// `per_address`: wrong passwords (`"30 per 15m"`).
    pub per_address: Rate,
    /// `per_account`: wrong passwords from addresses the owner did not log in from lately (`"50 per 15m"`).
    pub per_account: Rate,
    /// `forgot_per_address`: reset mails asked for (`"10 per 1h"`).
    pub forgot_per_address: Rate,
    /// `forgot_per_account`: reset mails sent (`"3 per 1h"`).
    pub forgot_per_account: Rate,
}

/// `"5 per 15m"`: so many at once, and then so many in each span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In which span.
    pub per: Duration,
}

/// Below this a hash is too cheap to guess at (the least that OWASP names for argon2id).
pub(super) const ADVISED_MEMORY: usize = 19 << 20;

impl Passwords {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        // A quarter leaves the request threads their cores while a flood of log-ins is hashed.
        let threads = (cores() / 4).max(1);
        Self {
            min_length: section.count("min_length", 8, 8..=256),
            memory: section.size("memory", ADVISED_MEMORY, 1 << 20..=1 << 30),
            iterations: section.count("iterations", 2, 1..=100),
            threads: section.count("threads", threads, 1..=256),
        }
    }
}

impl Login {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let quarter = Duration::from_secs(15 * 60);
        let hour = Duration::from_secs(3600);
        Self {
            per_account_and_address: section.rate("per_account_and_address", 5, quarter),
            per_address: section.rate("per_address", 30, quarter),
            per_account: section.rate("per_account", 50, quarter),
            forgot_per_address: section.rate("forgot_per_address", 10, hour),
            forgot_per_account: section.rate("forgot_per_account", 3, hour),
        }
    }
}
