use redis::{Cmd, FromRedisValue, Value};

use super::fault::Fault;
use crate::domain::Timestamp;
use crate::store::{Change, Entry, UserRecord};

/// A change as the log has it, before it has its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) change: Change,
    epoch: Option<u64>,
    forget_at: Option<Timestamp>,
}

impl Line {
    pub(super) const fn new(change: Change) -> Self {
        Self {
            change,
            epoch: None,
            forget_at: None,
        }
    }

    /// A user's record was written: what that means, and which sessions are theirs since then.
    ///
    /// An inactive user's number is told even where it did not rise: without one, a user is gone.
    pub(super) fn of_update(old: &UserRecord, new: &UserRecord) -> Self {
        let change = Change::of_update(old, new);
        let has_ended = matches!(change, Change::User { .. } | Change::Sessions { .. });
        Self {
            epoch: has_ended.then_some(new.epoch),
            ..Self::new(change)
        }
    }

    /// A session was revoked, to be remembered until `forget_at`.
    pub(super) const fn of_session(change: Change, forget_at: Timestamp) -> Self {
        Self {
            forget_at: Some(forget_at),
            ..Self::new(change)
        }
    }

    pub(super) const fn numbered(self, number: u64) -> Entry {
        Entry {
            number,
            change: self.change,
            epoch: self.epoch,
            forget_at: self.forget_at,
        }
    }

    /// Adds the five arguments that every recording script begins with.
    pub(super) fn write(&self, command: &mut Cmd) {
        let (kind, user, target) = match self.change {
            Change::Session { user, session } => ("session", Some(user), session.to_string()),
            Change::Key { user, key } => ("key", Some(user), key.to_string()),
            Change::Sessions { user } => ("sessions", Some(user), String::new()),
            Change::User { user } => ("user", Some(user), String::new()),
            Change::Reread { user } => ("reread", Some(user), String::new()),
            Change::Addition => ("addition", None, String::new()),
        };
        command
            .arg(kind)
            .arg(user.map(|user| user.to_string()).unwrap_or_default())
            .arg(target)
            .arg(
                self.epoch
                    .map(|epoch| epoch.to_string())
                    .unwrap_or_default(),
            )
            .arg(
                self.forget_at
                    .map(|at| at.as_millis().to_string())
                    .unwrap_or_default(),
            );
    }
}

/// Reads what `XREAD` answers for one log; nothing came when it is nil.
pub(super) fn read_log(answer: Value) -> Result<Vec<Entry>, Fault> {
    let streams: Option<Vec<(String, Vec<Value>)>> =
        FromRedisValue::from_redis_value(answer).map_err(|error| Fault::Odd(error.into()))?;
    let lines = streams
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(_, lines)| lines);
    lines.map(entry).collect()
}

/// The number of the first entry that `XRANGE` answers, if any.
pub(super) fn first_number(answer: Value) -> Result<Option<u64>, Fault> {
    let lines = Vec::<Value>::from_redis_value(answer).map_err(|error| Fault::Odd(error.into()))?;
    let first = lines.into_iter().next().map(entry).transpose()?;
    Ok(first.map(|entry| entry.number))
}

fn entry(line: Value) -> Result<Entry, Fault> {
    parsed(line).ok_or_else(|| Fault::shape("an entry of the log"))
}

fn parsed(line: Value) -> Option<Entry> {
    let (id, fields) = <(String, Vec<(String, String)>)>::from_redis_value(line).ok()?;
    let number = id.strip_suffix("-0")?.parse().ok()?;
    let field = |name: &str| {
        let (_, value) = fields.iter().find(|(field, _)| field == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    };
    let user = || field("user")?.parse().ok();
    let change = match field("kind")? {
        "session" => Change::Session {
            user: user()?,
            session: field("target")?.parse().ok()?,
        },
        "key" => Change::Key {
            user: user()?,
            key: field("target")?.parse().ok()?,
        },
        "sessions" => Change::Sessions { user: user()? },
        "user" => Change::User { user: user()? },
        "reread" => Change::Reread { user: user()? },
        "addition" => Change::Addition,
        _ => return None,
    };
    let forget_at = field("forget").map(str::parse).transpose().ok()?;
    Some(Entry {
        number,
        change,
        epoch: field("epoch").map(str::parse).transpose().ok()?,
        forget_at: forget_at.map(Timestamp::from_millis),
    })
}
