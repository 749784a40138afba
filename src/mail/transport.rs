use super::Pace;
use super::error::{Failure, StartError};
use super::files::Folder;
use super::letter::Letter;
use super::smtp::{Server, Session};
use crate::config::MailTransport;

/// Where mails go.
#[derive(Debug)]
pub(super) enum Transport {
    Files(Folder),
    Smtp(Box<Server>),
}

impl Transport {
    pub(super) fn new(config: &MailTransport, pace: &Pace) -> Result<Self, StartError> {
        Ok(match config {
            MailTransport::Files(path) => {
                Self::Files(Folder::open(path).map_err(|source| StartError::Folder {
                    path: path.clone(),
                    source,
                })?)
            }
            MailTransport::Smtp(smtp) => Self::Smtp(Box::new(Server::new(smtp, pace)?)),
        })
    }

    /// Sends `letter`, on the connection of the mail before it where there is one; gives back the
    /// connection, which can take another.
    pub(super) async fn send(
        &self,
        kept: Option<Session>,
        letter: &Letter,
    ) -> Result<Option<Session>, Failure> {
        match self {
            Self::Files(folder) => folder.put(letter).map(|()| None).map_err(Failure::File),
            Self::Smtp(server) => server.send(kept, letter).await.map(Some),
        }
    }
}
