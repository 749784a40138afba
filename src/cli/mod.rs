//! The command line: what the operator types, done by the running node or on the store itself.
//!
//! What was asked for goes to standard output, everything said about it to standard error.

mod arguments;
mod check;
mod demo;
mod echo;
mod error;
mod keys;
mod moving;
mod node_socket;
mod notify;
mod operator;
mod output;
mod owner;
mod password;
mod reload;
mod signing_key;
mod store;
mod terminal;
mod users;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use crate::config::{Config, environment};
use crate::node;
use arguments::{Arguments, Command};
use operator::Operator;
use output::Output;

pub use error::CliError;

/// Does what the arguments say; the first is the program's own name.
///
/// # Errors
///
/// [`CliError`], which [`reports`](CliError::report) itself and knows its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), CliError> {
    let Arguments {
        config,
        json,
        command,
    } = Arguments::try_parse_from(arguments)?;
    let output = Output::new(json);
    let done = match command {
        Command::Serve => serve(config),
        Command::Check(check) => check::run(&check, &file(config)?, &output),
        Command::Reload => reload::run(&file(config)?, &output),
        Command::Demo(demo) => demo::run(config.as_deref(), demo),
        Command::User(command) => users::run(command, &operator(config)?, &output),
        Command::Key(command) => keys::run(command, &operator(config)?, &output),
        Command::SigningKey(command) => signing_key::run(command, &output),
        Command::Store(command) => store::run(command, &read(config)?, &output),
    };
    match done {
        // Whoever reads has seen enough, as `head` does.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn serve(config: Option<PathBuf>) -> Result<(), CliError> {
    let file = file(config)?;
    let config = Config::read(&file, &environment())?;
    Ok(node::serve(&config, &file, |_| notify::ready())?)
}

fn operator(config: Option<PathBuf>) -> Result<Operator, CliError> {
    Operator::reach(&read(config)?)
}

fn read(config: Option<PathBuf>) -> Result<Config, CliError> {
    Ok(Config::read(&file(config)?, &environment())?)
}

fn file(config: Option<PathBuf>) -> Result<PathBuf, CliError> {
    Ok(Config::find(config, &environment())?)
}
