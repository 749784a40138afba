//! Times in an export are written for people; in records they are numbers.

use serde_json::Value;

use crate::domain::Timestamp;

/// The members of records that are times.
const TIMES: [&str; 5] = ["created_at", "expires_at", "revoked_at", "forget_at", "at"];

/// Writes every time as `2026-03-18T10:00:00.123Z`.
pub(super) fn spell(value: &mut Value) {
    each_time(value, &|time| {
        let millis = time.as_i64()?;
        Some(Timestamp::from_millis(millis).to_rfc3339().into())
    });
}

/// Reads every time that is written so. What is none is left for the record to refuse.
pub(super) fn number(value: &mut Value) {
    each_time(value, &|time| {
        let time = Timestamp::parse(time.as_str()?).ok()?;
        Some(time.as_millis().into())
    });
}

fn each_time(value: &mut Value, change: &impl Fn(&Value) -> Option<Value>) {
    let Value::Object(members) = value else {
        return;
    };
    for (name, member) in members {
        if TIMES.contains(&name.as_str()) {
            if let Some(changed) = change(member) {
                *member = changed;
            }
        } else {
            each_time(member, change);
        }
    }
}
