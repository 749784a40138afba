use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::auth::{RandomError, SigningKeyError};
use crate::config::{Colour, Mistakes, NoConfig};
use crate::node::NodeError;
use crate::proxy::UpstreamTlsErrors;
use crate::server::TlsErrors;
use crate::store::{BackupError, ExportError, ImportError, OpenError, RestoreError};

/// Why a command was not done. Each knows how it is told and which code the program ends with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The arguments make no sense, or ask for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// There is no configuration to read.
    #[error(transparent)]
    NoConfig(#[from] NoConfig),
    /// The configuration is wrong.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// The configuration names a certificate or key that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsErrors),
    /// The configuration names files for TLS to upstreams that cannot be used.
    #[error(transparent)]
    UpstreamTls(#[from] UpstreamTlsErrors),
    /// The configuration names a signing key that cannot be used.
    #[error(transparent)]
    ListedKey(SigningKeyError),
    /// The gateway could not be run, or its store not be opened.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Nobody may use the node's socket but the user it runs as.
    #[error(
        "{} belongs to the running gateway: run this as the user it runs as, or as root",
        path.display()
    )]
    SocketForbidden {
        /// The socket.
        path: PathBuf,
    },
    /// The node's socket is there, and does not do what it should.
    #[error("the gateway does not answer over {}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The node takes too long. Nobody knows whether it did what was asked.
    #[error(
        "the gateway has not answered over {} in time: look whether it was done before you repeat it",
        path.display()
    )]
    TooSlow {
        /// The socket.
        path: PathBuf,
    },
    /// What was asked for was refused, with the API's own words.
    #[error("{0}")]
    Refused(String),
    /// An answer that no gateway of this version gives.
    #[error("the gateway answered something else than expected: is it of the same version?")]
    Answer(#[source] Option<serde_json::Error>),
    /// There is no such user.
    #[error("there is no user {0}; `user list` prints all of them")]
    NoUser(String),
    /// Files made now would not be the gateway's.
    #[error(
        "{} belongs to another user (uid {uid}), whose gateway could not open what is made there now: \
         start the gateway first, or run this with `sudo -u '#{uid}'`",
        path.display()
    )]
    Owner {
        /// The folder or file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// The servers of the store were asked.
    #[error("no node must run on {0} as it is; the errors above say why")]
    Unfit(String),
    /// There is no node that could reload.
    #[error(
        "no gateway answers over {}: start it, or name the configuration that it runs by with --config",
        .0.display()
    )]
    NoNode(PathBuf),
    /// The node refused another configuration.
    #[error("{0}\n\nnothing was changed: the gateway goes on by the configuration before")]
    NotReloaded(String),
    /// There is nothing to back up.
    #[error("there is no store at {} yet", .0.display())]
    NoStore(PathBuf),
    /// The store is no file of this machine.
    #[error(
        "[store] url names Redis, which has backups of its own: see its manual on persistence, or use \"store export\""
    )]
    NoStoreFile,
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No backup was made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Nothing was restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Nothing was exported.
    #[error("{} was not made", file.display())]
    Export {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: Box<ExportError>,
    },
    /// Nothing was imported.
    #[error("{} was not imported", file.display())]
    Import {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: Box<ImportError>,
    },
    /// No signing key was made.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// No password can be made.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The password cannot be read.
    #[error("the password cannot be read from standard input")]
    Password(#[source] io::Error),
    /// What was typed was not the same twice.
    #[error("the passwords are not the same; nothing was changed")]
    PasswordsDiffer,
    /// Nobody is there to be asked.
    #[error("standard input is no terminal: use --password-stdin or --generate-password")]
    NoTerminal,
    /// The operator thought better of it.
    #[error("cancelled; nothing was changed")]
    Cancelled,
    /// The result cannot be written.
    #[error("the result cannot be written")]
    Output(#[source] io::Error),
    /// The demo was to run by somebody's configuration.
    #[error(
        "the demo makes a configuration of its own: leave --config out, or run yours with `serve --config FILE`"
    )]
    DemoConfig,
    /// The demo's address is in use or not this machine's.
    #[error(
        "the demo cannot listen on {listen}: choose another address, such as `--listen 127.0.0.1:9443`"
    )]
    DemoListen {
        /// The address.
        listen: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The demo's folder is not empty.
    #[error(
        "{} is not empty: name a new folder with --folder, or leave that out",
        .0.display()
    )]
    DemoFolder(PathBuf),
    /// The demo cannot write its files or start its parts.
    #[error("the demo could not {what}")]
    Demo {
        /// Which part.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CliError {
    /// Tells the operator, on standard error; help that was asked for goes to standard output.
    pub fn report(&self) {
        // There is nobody left to tell that this failed.
        let _ = match self {
            Self::Usage(usage) => usage.print(),
            Self::Mistakes(mistakes) => writeln!(io::stderr(), "{}", mistakes.render(colour())),
            Self::NotReloaded(_) => writeln!(io::stderr(), "{self}"),
            _ => writeln!(io::stderr(), "dariet-gateway: {}", self.chain()),
        };
    }

    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(usage) => u8::try_from(usage.exit_code()).unwrap_or(2).into(),
            Self::DemoConfig => WRONG_USAGE.into(),
            Self::NoConfig(_)
            | Self::Mistakes(_)
            | Self::Tls(_)
            | Self::UpstreamTls(_)
            | Self::ListedKey(_)
            // Files that the configuration names: starting again would not mend them.
            | Self::Node(
                NodeError::Tls(_)
                | NodeError::UpstreamTls(_)
                | NodeError::SigningKey(_)
                | NodeError::Mail(_),
            ) => {
                BAD_CONFIGURATION.into()
            }
            _ => ExitCode::FAILURE,
        }
    }

    pub(super) fn demo(
        what: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self::Demo { what, source }
    }

    /// Every level once, the last cause at the end.
    fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}

/// As clap ends the program when the arguments make no sense.
const WRONG_USAGE: u8 = 2;
/// `EX_CONFIG` of sysexits.h, after which systemd does not try again.
const BAD_CONFIGURATION: u8 = 78;

/// Colours for people, unless they do not want them (<https://no-color.org>).
fn colour() -> Colour {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stderr().is_terminal() && !unwanted {
        Colour::Ansi
    } else {
        Colour::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let source = io::Error::from(io::ErrorKind::AddrInUse);
        let listen = SocketAddr::from(([127, 0, 0, 1], 8443));
        let error = CliError::DemoListen { listen, source };
        assert_eq!(
            error.chain(),
            "the demo cannot listen on 127.0.0.1:8443: choose another address, such as \
             `--listen 127.0.0.1:9443`: address in use"
        );
    }
}
