use std::path::{Path, absolute};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::arguments::StoreCommand;
use super::operator::{Operator, read, request};
use super::output::{Output, table};
use super::owner::keep_owner;
use super::{CliError, moving};
use crate::config::{Config, StoreUrl};
use crate::domain::{Clock, SystemClock};
use crate::store::{Embedded, Existing, RevivalReport, restore};

/// A large store takes its time to be copied and read back.
const BACKUP_PATIENCE: Duration = Duration::from_secs(3600);

pub(super) fn run(command: StoreCommand, config: &Config, output: &Output) -> Result<(), CliError> {
    let store = match &config.store {
        StoreUrl::Embedded(file) => Ok(file),
        StoreUrl::Redis(_) => Err(CliError::NoStoreFile),
    };
    match command {
        StoreCommand::Export { file } => moving::export(config, &file, output),
        StoreCommand::Import { file } => moving::import(config, &file, output),
        StoreCommand::Backup { file } => backup(config, store?, &file, output),
        StoreCommand::Restore { file, replace } => {
            let existing = if replace {
                Existing::Replace
            } else {
                Existing::Keep
            };
            put_back(config, store?, &file, existing, output)
        }
    }
}

fn backup(config: &Config, store: &Path, file: &Path, output: &Output) -> Result<(), CliError> {
    // The node has a working folder of its own.
    let file = absolute(file).unwrap_or_else(|_| file.to_owned());
    if !backup_of_node(config, &file)? {
        if !store.exists() {
            return Err(CliError::NoStore(store.to_owned()));
        }
        Embedded::open(store)?.backup(&file)?;
    }
    output.say(&format!("saved the store to {}", file.display()));
    Ok(())
}

/// Has the running node save its store to a new file, the path of which is whole; answers whether
/// there is such a node.
pub(super) fn backup_of_node(config: &Config, file: &Path) -> Result<bool, CliError> {
    let Some(node) = Operator::node(config)? else {
        return Ok(false);
    };
    let body = json!({ "to": file });
    let request = request(Method::POST, "/store/backup", Some(&body))?;
    read(node.patient(BACKUP_PATIENCE).call(request)?)?;
    Ok(true)
}

fn put_back(
    config: &Config,
    store: &Path,
    file: &Path,
    existing: Existing,
    output: &Output,
) -> Result<(), CliError> {
    keep_owner(store)?;
    let report = restore(file, store, existing, SystemClock.now())?;
    tell(&report, &config.store, file, output)
}

/// Tells what lives again in `store`, out of `file`.
pub(super) fn tell(
    report: &RevivalReport,
    store: &StoreUrl,
    file: &Path,
    output: &Output,
) -> Result<(), CliError> {
    output.say(&format!(
        "filled {store} from {}; users: {}, all their sessions have ended",
        file.display(),
        report.users
    ));
    match report.keys.len() {
        0 => output.say("no API key works again"),
        keys => output.say(&format!(
            "API keys that work again: {keys}; revoke those that were revoked since {} was made",
            file.display()
        )),
    }
    output.result(&json_of(report), || text_of(report))
}

fn json_of(report: &RevivalReport) -> Value {
    let keys = report.keys.iter().map(|key| {
        json!({
            "id": key.id,
            "name": key.name,
            "key_prefix": key.shown_prefix,
            "owner": key.owner.as_str(),
        })
    });
    json!({ "users": report.users, "keys": keys.collect::<Vec<_>>() })
}

fn text_of(report: &RevivalReport) -> String {
    if report.keys.is_empty() {
        return String::new();
    }
    let rows = report.keys.iter().map(|key| {
        [
            format!("{}…", key.shown_prefix),
            key.name.to_string(),
            key.owner.to_string(),
            key.id.to_string(),
        ]
    });
    table(["KEY", "NAME", "OWNER", "ID"], &rows.collect::<Vec<_>>())
}
