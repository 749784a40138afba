use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::CliError;
use super::arguments::{KeyCommand, Whom};
use super::operator::Operator;
use super::output::{Output, table};
use super::users::{find, parsed};
use crate::domain::{KeyId, KeyName, Timestamp};

/// An API key, as the API answers.
#[derive(Debug, Deserialize)]
struct Key {
    id: String,
    name: String,
    key_prefix: String,
    created_at: String,
    last_used_at: Option<String>,
    expires_at: Option<String>,
    /// The key itself, when it was just made.
    #[serde(default)]
    key: String,
}

const KEYS: &str = "/api/api-keys";

pub(super) fn run(
    command: KeyCommand,
    operator: &Operator,
    output: &Output,
) -> Result<(), CliError> {
    match command {
        KeyCommand::Create {
            user,
            name,
            expires_at,
        } => create(operator, output, &user, &name, expires_at),
        KeyCommand::List { user } => list(operator, output, &user),
        KeyCommand::Revoke { key } => revoke(operator, output, key),
    }
}

fn create(
    operator: &Operator,
    output: &Output,
    whom: &Whom,
    name: &KeyName,
    expires_at: Option<Timestamp>,
) -> Result<(), CliError> {
    let owner = find(operator, whom)?;
    let body = json!({
        "name": name.as_str(),
        "expires_at": expires_at.map(|time| time.to_string()),
    });
    let target = format!("{KEYS}?user_id={}", owner.id);
    let answer = operator.call(Method::POST, &target, Some(&body))?;
    let made: Key = parsed(answer.clone())?;
    output.say(&format!(
        "made the API key {:?} of {} with id {}; it is shown only now",
        made.name, owner.email, made.id
    ));
    output.result(&answer, || made.key)
}

fn list(operator: &Operator, output: &Output, whom: &Whom) -> Result<(), CliError> {
    let owner = find(operator, whom)?;
    let target = format!("{KEYS}?user_id={}", owner.id);
    let answer = operator.call(Method::GET, &target, None)?;
    let keys: Vec<Key> = parsed(answer.clone())?;
    let rows: Vec<_> = keys.into_iter().map(row).collect();
    output.result(&answer, || {
        table(
            ["KEY", "NAME", "CREATED", "LAST USED", "EXPIRES", "ID"],
            &rows,
        )
    })
}

fn revoke(operator: &Operator, output: &Output, key: KeyId) -> Result<(), CliError> {
    operator.call(Method::DELETE, &format!("{KEYS}/{key}"), None)?;
    output.say(&format!("revoked {key}"));
    Ok(())
}

fn row(key: Key) -> [String; 6] {
    [
        format!("{}…", key.key_prefix),
        key.name,
        key.created_at,
        key.last_used_at.unwrap_or_else(|| "never".to_owned()),
        key.expires_at.unwrap_or_else(|| "never".to_owned()),
        key.id,
    ]
}
