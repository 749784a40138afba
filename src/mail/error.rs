use std::error::Error;
use std::io;
use std::path::PathBuf;

use lettre::transport::smtp;

/// Why mails cannot be sent with this configuration. The operator must change it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// `from` is no address.
    #[error("mail.from: {from:?} is no address; write it as Dariet <no-reply@example.com>")]
    From {
        /// What was written.
        from: String,
    },
    /// The server's name cannot stand in a certificate.
    #[error("mail.url: {host:?} is no host name; write it as smtps://mailer@mail.example.com")]
    Host {
        /// What was written.
        host: String,
    },
    /// The authority's certificate cannot be read.
    #[error("mail.ca: {} cannot be read; name a PEM file that this user may read", path.display())]
    CaUnreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The authority's file holds no certificate.
    #[error("mail.ca: {} holds no certificate; name a PEM file with the authority's certificate", path.display())]
    CaEmpty {
        /// Which file.
        path: PathBuf,
    },
    /// TLS cannot be set up, most often since a certificate of the authority cannot be used.
    #[error("mail.ca: TLS to {host} cannot be set up with this authority")]
    Tls {
        /// Which server.
        host: String,
        /// What the TLS library says.
        source: smtp::Error,
    },
    /// The folder for mails cannot be made or used.
    #[error("mail.url: the folder {} cannot be used; name one that this user may write to", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// As many mails wait as may wait, or the node is going down. Try again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many mails are waiting")]
pub struct QueueFull;

impl From<QueueFull> for crate::http::ApiError {
    fn from(_: QueueFull) -> Self {
        Self::new(crate::http::Code::MailQueueFull).retry_after(std::time::Duration::from_secs(30))
    }
}

/// Why one attempt to send a mail failed.
///
/// What the server wrote beside its codes is left out: servers quote addresses, and filters links.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the server refused the mail")]
    Refused(Reply),
    #[error("the server asked to try again later")]
    Deferred(Reply),
    #[error("the server refused the account; check the user in mail.url and its password")]
    Account(Reply),
    #[error("no connection to the server")]
    Connect(#[source] smtp::Error),
    #[error("the server did not answer in time")]
    Timeout,
    #[error("the connection broke off")]
    Broken,
    #[error(
        "the server offers no STARTTLS, and nothing is sent without; use smtps:// or another port"
    )]
    NoStartTls,
    #[error("the server cannot take this mail or this way to log in")]
    Unsupported(#[source] smtp::Error),
    #[error("the mail cannot be written down")]
    Unwritable(#[source] lettre::error::Error),
    #[error("the file cannot be written")]
    File(#[source] io::Error),
    #[error("it waited as long as it may")]
    Expired,
    #[error("the node goes down")]
    Shutdown,
}

/// A server's reply: its code (RFC 5321) and, where it gave one, its enhanced status (RFC 3463).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) status: Option<String>,
}

impl Failure {
    /// What went wrong before a connection was ready for mails.
    pub(super) fn connecting(error: smtp::Error) -> Self {
        match Reply::of(&error) {
            Some(reply) if error.is_permanent() => Self::Refused(reply),
            Some(reply) => Self::Deferred(reply),
            None if error.is_client() => Self::Unsupported(error),
            None if error.is_response() => Self::Broken,
            None => Self::Connect(error),
        }
    }

    /// What went wrong with the account.
    pub(super) fn authenticating(error: smtp::Error) -> Self {
        match Self::connecting(error) {
            Self::Refused(reply) => Self::Account(reply),
            other => other,
        }
    }

    /// What went wrong with a mail on a connection that was ready.
    pub(super) fn sending(error: smtp::Error) -> Self {
        match Self::connecting(error) {
            Self::Connect(_) => Self::Broken,
            other => other,
        }
    }

    /// Whether another attempt would end the same way.
    pub(super) const fn is_final(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Account(_)
            | Self::NoStartTls
            | Self::Unsupported(_)
            | Self::Unwritable(_)
            | Self::Expired
            | Self::Shutdown => true,
            Self::Deferred(_) | Self::Connect(_) | Self::Timeout | Self::Broken | Self::File(_) => {
                false
            }
        }
    }

    /// Whether this is what a connection that was kept too long looks like.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Broken) || matches!(self, Self::Deferred(reply) if reply.code == 421)
    }

    /// The server's reply, where there was one.
    pub(super) const fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Refused(reply) | Self::Deferred(reply) | Self::Account(reply) => Some(reply),
            Self::Connect(_)
            | Self::Timeout
            | Self::Broken
            | Self::NoStartTls
            | Self::Unsupported(_)
            | Self::Unwritable(_)
            | Self::File(_)
            | Self::Expired
            | Self::Shutdown => None,
        }
    }

    /// A fixed word for it.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Deferred(_) => "deferred",
            Self::Account(_) => "account_refused",
            Self::Connect(_) => "no_connection",
            Self::Timeout => "timeout",
            Self::Broken => "broken_off",
            Self::NoStartTls => "no_starttls",
            Self::Unsupported(_) => "unsupported",
            Self::Unwritable(_) => "unwritable",
            Self::File(_) => "file",
            Self::Expired => "expired",
            Self::Shutdown => "shutdown",
        }
    }

    /// The innermost error, which says most: the layers between repeat each other.
    pub(super) fn cause(&self) -> &(dyn Error + 'static) {
        let mut cause: &(dyn Error + 'static) = self;
        while let Some(source) = cause.source() {
            cause = source;
        }
        cause
    }
}

impl Reply {
    fn of(error: &smtp::Error) -> Option<Self> {
        let code = error.status()?.into();
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        let first = text.split_whitespace().next().unwrap_or_default();
        Some(Self {
            code,
            status: is_status(first).then(|| first.to_owned()),
        })
    }
}

/// `5.1.1`: a class, a subject and a detail.
fn is_status(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let is_number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    parts.len() == 3 && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_enhanced_status_is_taken_from_a_servers_text() {
        for text in ["5.1.1", "4.7.0", "5.7.509"] {
            assert!(is_status(text), "{text}");
        }
        for text in [
            "",
            "5.1",
            "5.1.1.1",
            "5.1.1:",
            "ada@example.com",
            "5..1",
            "1.2.3456",
        ] {
            assert!(!is_status(text), "{text}");
        }
    }
}
