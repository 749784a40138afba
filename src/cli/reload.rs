use std::path::{Path, absolute};

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::CliError;
use super::node_socket::NodeSocket;
use super::operator::{Operator, read, request};
use super::output::Output;
use crate::config::{Config, environment};

/// What a node says of another configuration.
#[derive(Debug, Deserialize)]
struct Told {
    file: String,
    changes: Vec<Changed>,
    restart: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Changed {
    what: String,
    how: String,
}

#[derive(Debug, Deserialize)]
struct Refused {
    shown: String,
}

/// Has the running node read its file again and apply it.
pub(super) fn run(file: &Path, output: &Output) -> Result<(), CliError> {
    // The node looks for mistakes itself, and shows them.
    let socket = Config::socket_in(file, &environment())?;
    let node = Operator::node_at(&socket)?.ok_or(CliError::NoNode(socket))?;
    let json = ask(&node, "/config/reload", None)?;
    let told = told(&json)?;
    output.result(&json, || told.as_reloaded())
}

/// Prints what a reload would change if the file of the running node was this one.
pub(super) fn diff(file: &Path, config: &Config, output: &Output) -> Result<(), CliError> {
    let node = Operator::node(config)?;
    let node = node.ok_or_else(|| CliError::NoNode(config.admin.socket.clone()))?;
    // The node has a working folder of its own.
    let of = absolute(file).unwrap_or_else(|_| file.to_owned());
    let json = ask(&node, "/config/diff", Some(&json!({ "of": of })))?;
    let told = told(&json)?;
    output.result(&json, || told.as_diff())
}

fn ask(node: &NodeSocket, target: &str, body: Option<&Value>) -> Result<Value, CliError> {
    let answer = node.call(request(Method::POST, target, body)?)?;
    if answer.0 == StatusCode::UNPROCESSABLE_ENTITY
        && let Ok(refused) = serde_json::from_slice::<Refused>(&answer.1)
    {
        return Err(CliError::NotReloaded(refused.shown));
    }
    read(answer)
}

fn told(json: &Value) -> Result<Told, CliError> {
    Told::deserialize(json).map_err(|error| CliError::Answer(Some(error)))
}

impl Told {
    fn as_reloaded(&self) -> String {
        if self.changes.is_empty() {
            return format!("reloaded {}: nothing in it has changed", self.file);
        }
        format!("reloaded {}\n{}", self.file, self.live().join("\n"))
    }

    fn as_diff(&self) -> String {
        let mut lines = Vec::new();
        if !self.changes.is_empty() {
            lines.push("changes that a reload applies:".to_owned());
            lines.extend(self.live());
        }
        if !self.restart.is_empty() {
            lines.push("changes that need a restart; a reload is refused until then:".to_owned());
            lines.extend(self.restart.iter().map(|key| format!("  {key} changed")));
        }
        if lines.is_empty() {
            lines.push(format!("{} is what the gateway runs by", self.file));
        }
        lines.join("\n")
    }

    fn live(&self) -> Vec<String> {
        let changes = self.changes.iter();
        let line = |change: &Changed| format!("  {} {}", change.what, change.how);
        changes.map(line).collect()
    }
}
