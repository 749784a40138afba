//! `user`, and how users are named.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use crate::domain::{Email, EmailError, Role, UserId, UserName};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserCommand {
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
pub(in crate::cli) struct CreateUser {
    /// Their email address, by which they log in
    #[arg(value_parser = email)]
    pub(in crate::cli) email: Email,
    /// What they are called
    #[arg(long, value_parser = UserName::parse)]
    pub(in crate::cli) name: UserName,
    /// What they may do: an admin manages users and everybody's keys, a viewer uses what routes allow
    #[arg(long, value_enum, default_value = "viewer")]
    pub(in crate::cli) role: RoleName,
    #[command(flatten)]
    pub(in crate::cli) password: PasswordFlags,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(in crate::cli) struct UpdateUser {
    /// Whom: their email address or id
    #[arg(value_name = "EMAIL|ID")]
    pub(in crate::cli) user: Whom,
    /// A new name
    #[arg(long, group = "change", value_parser = UserName::parse)]
    pub(in crate::cli) name: Option<UserName>,
    /// A new email address
    #[arg(long, group = "change", value_parser = email)]
    pub(in crate::cli) email: Option<Email>,
    /// What they may do from now on
    #[arg(long, group = "change", value_enum)]
    pub(in crate::cli) role: Option<RoleName>,
    /// Whether they may log in and their keys work
    #[arg(long, group = "change", value_name = "true|false", action = clap::ArgAction::Set)]
    pub(in crate::cli) active: Option<bool>,
    /// Ask for a new password on the terminal
    #[arg(long, group = "change", group = "password")]
    pub(in crate::cli) ask_password: bool,
    #[command(flatten)]
    pub(in crate::cli) password: PasswordFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PasswordFlags {
    /// Read the password from standard input, to its end; a line end there is not part of it
    #[arg(long, group = "change", group = "password")]
    pub(in crate::cli) password_stdin: bool,
    /// Make a password, and print it once
    #[arg(long, group = "change", group = "password")]
    pub(in crate::cli) generate_password: bool,
}

/// A user, as the operator names them.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Whom {
    Id(UserId),
    Email(Email),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum RoleName {
    Admin,
    Viewer,
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

fn email(text: &str) -> Result<Email, EmailError> {
    Email::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

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
