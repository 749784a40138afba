use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config;
use crate::domain::{Email, EmailError, KeyId, KeyName, Role, Timestamp, UserId, UserName};

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
pub(super) enum UserCommand {
    /// Create a user
    #[command(after_help = "\
On a terminal the password is asked for; else, unless --password-stdin is given, one is made. A made
password is printed to standard output, once.

Examples:
  dariet-gateway user create ada@example.com --name \"Ada Lovelace\" --role admin
  pass show gateway/ada | dariet-gateway user create ada@example.com --name Ada --password-stdin")]
    Create(CreateUser),
    /// List all users, oldest first
    #[command(after_help = "\
Example, the addresses of all administrators:
  dariet-gateway user list --json | jq -r '.[] | select(.role == \"admin\").email'")]
    List,
    /// Change a user; what is not given stays as it is
    #[command(
        override_usage = "dariet-gateway user update <EMAIL|ID> [OPTIONS]",
        after_help = "\
A new password, and --active false, end all the user's sessions.

Examples:
  dariet-gateway user update ada@example.com --role viewer
  dariet-gateway user update ada@example.com --active false
  dariet-gateway user update ada@example.com --generate-password"
    )]
    Update(UpdateUser),
    /// Delete a user, all their sessions and API keys
    #[command(after_help = "\
Example:
  dariet-gateway user delete ada@example.com")]
    Delete {
        /// Whom: their email address or id
        #[arg(value_name = "EMAIL|ID")]
        user: Whom,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateUser {
    /// Their email address, by which they log in
    #[arg(value_parser = email)]
    pub(super) email: Email,
    /// What they are called
    #[arg(long, value_parser = UserName::parse)]
    pub(super) name: UserName,
    /// What they may do: an admin manages users and everybody's keys, a viewer uses what routes allow
    #[arg(long, value_enum, default_value = "viewer")]
    pub(super) role: RoleName,
    #[command(flatten)]
    pub(super) password: PasswordFlags,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct UpdateUser {
    /// Whom: their email address or id
    #[arg(value_name = "EMAIL|ID")]
    pub(super) user: Whom,
    /// A new name
    #[arg(long, group = "change", value_parser = UserName::parse)]
    pub(super) name: Option<UserName>,
    /// A new email address
    #[arg(long, group = "change", value_parser = email)]
    pub(super) email: Option<Email>,
    /// What they may do from now on
    #[arg(long, group = "change", value_enum)]
    pub(super) role: Option<RoleName>,
    /// Whether they may log in and their keys work
    #[arg(long, group = "change", value_name = "true|false", action = clap::ArgAction::Set)]
    pub(super) active: Option<bool>,
    /// Ask for a new password on the terminal
    #[arg(long, group = "change", group = "password")]
    pub(super) ask_password: bool,
    #[command(flatten)]
    pub(super) password: PasswordFlags,
}

#[derive(Debug, Args)]
pub(super) struct PasswordFlags {
    /// Read the password from standard input, to its end; a line end there is not part of it
    #[arg(long, group = "change", group = "password")]
    pub(super) password_stdin: bool,
    /// Make a password, and print it once
    #[arg(long, group = "change", group = "password")]
    pub(super) generate_password: bool,
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

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Save everything in the store to a new file, while the gateway runs or not
    #[command(after_help = "\
The file holds hashes of passwords and keys: keep it safe. A running gateway writes it itself, and must
be allowed to write there.

Example:
  dariet-gateway store backup /var/lib/dariet/backup-2026-11-23.db")]
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Write everything in the store to a new file, one record a line, to move it to another store
    #[command(after_help = "\
The file holds hashes of passwords and keys: keep it safe. Each line is a JSON document; rate limits are
not in it.

Example, from one configuration's store to another's:
  dariet-gateway store export users.jsonl --config old.toml
  dariet-gateway store import users.jsonl --config new.toml")]
    Export {
        /// The new file
        file: PathBuf,
    },
    /// Fill an empty store with what was exported
    #[command(after_help = "\
All sessions end. API keys that were revoked since the export was made work again: they are printed, so
that they can be revoked again. Either everything is imported, or no node begins on the store. Start the
nodes afterwards: one that runs already takes it for another store than its own.

Example:
  dariet-gateway store import users.jsonl --config new.toml")]
    Import {
        /// The export
        file: PathBuf,
    },
    /// Put a backup in the place of the store; the gateway must be stopped
    #[command(after_help = "\
All sessions end. API keys that were revoked since the backup was made work again: they are printed, so
that they can be revoked again.

Example:
  dariet-gateway store restore /var/lib/dariet/backup-2026-11-23.db --replace")]
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace the store that is there
        #[arg(long)]
        replace: bool,
    },
}

/// A user, as the operator names them.
#[derive(Debug, Clone)]
pub(super) enum Whom {
    Id(UserId),
    Email(Email),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
    Admin,
    Viewer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum AlgorithmName {
    #[value(name = "EdDSA", alias = "eddsa")]
    EdDsa,
    #[value(name = "ES256", alias = "es256")]
    Es256,
}

impl FromStr for Whom {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        text.parse().map_or_else(
            |_| Email::parse(text).map(Self::Email),
            |id| Ok(Self::Id(id)),
        )
    }
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Viewer => Self::Viewer,
        }
    }
}

impl From<AlgorithmName> for config::Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::EdDsa => Self::EdDsa,
            AlgorithmName::Es256 => Self::Es256,
        }
    }
}

fn email(text: &str) -> Result<Email, EmailError> {
    Email::parse(text)
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

    #[test]
    fn a_user_is_named_by_id_or_address() {
        assert!(matches!(
            "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77".parse(),
            Ok(Whom::Id(_))
        ));
        assert!(matches!("ada@example.com".parse(), Ok(Whom::Email(_))));
        assert!("ada".parse::<Whom>().is_err());
    }
}
