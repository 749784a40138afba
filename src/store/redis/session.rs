use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};

use super::connection::Connection;
use super::entry::Line;
use super::fault::Fault;
use super::info::Info;
use super::keys::Keys;
use super::limits::Limits;
use super::scripts::Script;
use super::sentinels::SwitchWatch;
use super::trouble::Trouble;
use crate::config::RedisAddress;
use crate::domain::Clock;
use crate::store::{Durability, Recorded, StoreError};

/// The connections to the one server that a node speaks to, from [`connect`] until [`close`].
///
/// [`connect`]: crate::store::Feed::connect
/// [`close`]: crate::store::Feed::close
#[derive(Debug)]
pub(super) struct Session {
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) address: RedisAddress,
    /// What the server said of itself when it was reached.
    pub(super) info: Info,
    /// Waits for the log, and beats in between.
    pub(super) link: Connection,
    /// Reads, and writes that no admission rests on.
    pub(super) data: Connection,
    /// Changes alone: `WAIT` holds up its connection, and speaks for what was written on it.
    pub(super) changes: Connection,
    pub(super) limits: Limits,
    pub(super) trouble: Arc<Trouble>,
    /// How long an answer may take.
    pub(super) patience: Duration,
    /// Whether replicas followed the server at the last beat.
    pub(super) has_replicas: AtomicBool,
    pub(super) is_open: AtomicBool,
    /// Ends with the session.
    pub(super) _switches: SwitchWatch,
}

/// How long a change waits for a replica to have it.
const REPLICATION: Duration = Duration::from_millis(50);

/// What a script said to a change.
pub(super) enum Said {
    /// It is written, under this number.
    Written(u64),
    /// A record was changed since it was read: read it and decide again.
    Raced,
    /// The owner has as many keys as they may have.
    TooManyKeys,
}

impl Session {
    /// Reads something.
    pub(super) async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let answer = self.data.ask(command, self.patience).await;
        answer.map_err(Fault::of_read)
    }

    /// Writes something that no admission rests on.
    pub(super) async fn trace(
        &self,
        script: &Script,
        call: impl Fn(&mut Cmd),
    ) -> Result<u64, StoreError> {
        let answer = self.data.run(script, call, self.patience).await;
        answer.map_err(Fault::of_change)
    }

    /// Makes a change with a script that begins with an entry in the log.
    pub(super) async fn write(
        &self,
        script: &Script,
        call: impl Fn(&mut Cmd),
    ) -> Result<Said, StoreError> {
        // It may stand behind others that wait for a replica; after that time nobody knows its outcome.
        let within = self.patience.saturating_mul(2);
        let answer = self.changes.run(script, call, within).await;
        let answer: Vec<Value> = answer.map_err(Fault::of_change)?;
        let mut answer = answer.into_iter();
        let word = answer.next().map(String::from_redis_value);
        let number = answer.next().map(u64::from_redis_value);
        match (word, number) {
            (Some(Ok(word)), Some(Ok(number))) if word == "ok" => Ok(Said::Written(number)),
            (Some(Ok(word)), _) => match word.as_str() {
                "raced" => Ok(Said::Raced),
                "too_many_keys" => Ok(Said::TooManyKeys),
                "conflict" => Err(StoreError::Conflict),
                "email_taken" => Err(StoreError::EmailTaken),
                "last_admin" => Err(StoreError::LastAdmin),
                _ => Err(Fault::shape("what became of a change").of_change()),
            },
            _ => Err(Fault::shape("what became of a change").of_change()),
        }
    }

    /// How safe what was written last is, after a short wait for a replica.
    async fn durability(&self) -> Durability {
        if !self.has_replicas.load(Ordering::Relaxed) {
            return Durability::Primary;
        }
        let mut wait = redis::cmd("WAIT");
        wait.arg(1).arg(millis(REPLICATION));
        match self.changes.ask::<u64>(&wait, self.patience).await {
            Ok(replicas) if replicas > 0 => Durability::Replicated,
            _ => Durability::Primary,
        }
    }

    /// What a change answers that is written under `number`.
    pub(super) async fn recorded(&self, line: Line, number: u64) -> Recorded {
        Recorded {
            change: line.change,
            durability: self.durability().await,
            entry: Some(line.numbered(number)),
        }
    }
}

/// A span as Redis counts it.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn unavailable(reason: impl Display) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_string(),
        source: None,
    }
}
