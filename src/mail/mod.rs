//! Mails, sent behind the answer.
//!
//! [`Outbox::queue`] never waits: the mail goes to a bounded queue, and [`OutboxTask`] sends it. It
//! tries again when the server is away or says "not now", and gives up in time, so that no mail
//! arrives with a link that has expired.

mod error;
mod files;
mod letter;
mod outbox;
mod pace;
mod reset;
mod smtp;
mod task;
mod transport;

pub use error::{QueueFull, StartError};
pub use outbox::{MailStats, Outbox, Place};
pub use pace::Pace;
pub use reset::{ResetLink, ResetMail};
pub use task::OutboxTask;

/// A mail to be sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Mail {
    /// The link with which a user sets a new password.
    Reset(ResetMail),
}

impl From<ResetMail> for Mail {
    fn from(mail: ResetMail) -> Self {
        Self::Reset(mail)
    }
}
