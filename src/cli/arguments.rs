//! What can be said on the command line, and what `--help` tells of it.

mod store;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config;
use crate::domain::{KeyId, KeyName, Timestamp};

pub(super) use self::store::StoreCommand;
pub(super) use self::user::{CreateUser, PasswordFlags, UpdateUser, UserCommand, Whom};

const AFTER_HELP: &str = "\
Examples:
  dariet-gateway demo                          a whole gateway to try, in a folder of its own
  dariet-gateway check --config gateway.toml   what the file means, or everything wrong with it
  dariet-gateway serve --config gateway.toml

The configuration is the file that --config names, else the one that DARIET_CONFIG names, else
config/gateway.toml, else /etc/dariet/gateway.toml.

Exit codes: 0 done, 1 failed (why is on standard error), 2 wrong usage, 78 bad configuration.";

/// An authentication gateway: a reverse proxy that lets in only who may pass.
#[derive(Debug, Parser)]
#[command(name = "dariet-gateway", version, after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Write results as JSON, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// `check`
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Ask the servers of the store too: whether they can be used, and what could be lost there
    #[arg(long)]
    pub(super) online: bool,
    /// Print what a reload of the running gateway would change, and what needs a restart, instead
    #[arg(long, conflicts_with = "online")]
    pub(super) diff: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the gateway until it is told to stop
    #[command(after_help = "\
The first SIGTERM or SIGINT lets requests in flight end, a second one ends at once.

Example:
  dariet-gateway serve --config /etc/dariet/gateway.toml")]
    Serve,
    /// Print what the configuration means, or everything wrong with it; touches nothing
    #[command(after_help = "\
Examples, before a restart:
  dariet-gateway check && systemctl restart dariet-gateway
  dariet-gateway check --diff     tells what `reload` would change in the running gateway
  dariet-gateway check --online   asks the Redis server too what could be lost there")]
    Check(Check),
    /// Have the running gateway read its configuration again, whole or not at all
    #[command(after_help = "\
It prints what has changed. A file with a mistake, or with a change that needs a restart, changes
nothing, and everything wrong is printed. SIGHUP does the same, and the log tells what came of it.

Examples:
  dariet-gateway check --diff && dariet-gateway reload
  systemctl reload dariet-gateway")]
    Reload,
    /// Run a whole gateway to try, with an echo service behind it
    #[command(after_help = "\
It prints an administrator's password and the curl lines to try. Ctrl-C ends it, and removes its folder
unless --folder names one.

Examples:
  dariet-gateway demo
  dariet-gateway demo --listen 127.0.0.1:9443 --folder /tmp/my-demo")]
    Demo(Demo),
    /// Create, list, update and delete users, while the gateway runs or not
    #[command(subcommand)]
    User(UserCommand),
    /// Create, list and revoke the API keys of a user, while the gateway runs or not
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make the key pair that signs sessions
    #[command(subcommand)]
    SigningKey(SigningKeyCommand),
    /// Save the store and put it back, or move it to another
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where its files go; must be empty or not there [default: a new folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
    /// Where it listens, by TLS; with port 0 on a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub(super) listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make an API key, and print it once
    #[command(after_help = "\
Examples:
  dariet-gateway key create ada@example.com --name \"nightly export\"
  KEY=$(dariet-gateway key create ada@example.com --name ci --expires-at 2027-01-01T00:00:00)")]
    Create {
        /// Whose: their email address or id
        #[arg(value_name = "EMAIL|ID")]
        user: Whom,
        /// What the key is called in lists
        #[arg(long, value_parser = KeyName::parse)]
        name: KeyName,
        /// When it ends; UTC, unless an offset is given [default: never]
        #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
        expires_at: Option<Timestamp>,
    },
    /// List the keys of a user that work, oldest first
    #[command(after_help = "\
Example:
  dariet-gateway key list ada@example.com")]
    List {
        /// Whose: their email address or id
        #[arg(value_name = "EMAIL|ID")]
        user: Whom,
    },
    /// Revoke an API key: it fails at once, and requests in flight with it are cut
    #[command(after_help = "\
`key list` prints the ids.

Example:
  dariet-gateway key revoke 0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77")]
    Revoke {
        /// The key's id, not the key itself
        #[arg(value_name = "KEY-ID")]
        key: KeyId,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SigningKeyCommand {
    /// Make a key pair in a new file that only its owner can read
    #[command(after_help = "\
It is used once it is listed under [[sessions.signing_keys]]; what to write is printed.

Example:
  dariet-gateway signing-key create /etc/dariet/signing-2027.pem")]
    Create {
        /// The new file
        file: PathBuf,
        /// How it signs: by Ed25519, or by ECDSA on P-256
        #[arg(long, value_enum, default_value = "EdDSA")]
        algorithm: AlgorithmName,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum AlgorithmName {
    #[value(name = "EdDSA", alias = "eddsa")]
    EdDsa,
    #[value(name = "ES256", alias = "es256")]
    Es256,
}

impl From<AlgorithmName> for config::Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::EdDsa => Self::EdDsa,
            AlgorithmName::Es256 => Self::Es256,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn every_command(command: &clap::Command, see: &mut impl FnMut(&clap::Command)) {
        see(command);
        for sub in command.get_subcommands() {
            every_command(sub, see);
        }
    }

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_that_does_something_shows_an_example() {
        every_command(&Arguments::command(), &mut |command| {
            let help = command.clone().render_help().to_string();
            let only_groups = command.has_subcommands() && command.get_name() != "dariet-gateway";
            assert!(only_groups || help.contains("Example"), "{help}");
        });
    }

    #[test]
    fn help_fits_a_terminal_of_104_columns() {
        every_command(&Arguments::command(), &mut |command| {
            let after = command.get_after_help().map(ToString::to_string);
            let longest = after.iter().flat_map(|text| text.lines());
            assert!(longest.map(str::len).max().unwrap_or(0) <= 104);
        });
    }
}
