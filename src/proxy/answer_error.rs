use std::io;

use crate::http::FramingError;

/// What was wrong with an upstream's answer, or with the connection it should have come over.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The connection failed.
    #[error("the connection to it failed")]
    Io(#[from] io::Error),
    /// Over HTTP/2 the request or its connection came to another end.
    #[error("it broke off the request or the connection, or breaks the rules of HTTP/2")]
    Http2(#[from] h2::Error),
    /// It closed the connection before the end of its answer, or before the beginning.
    #[error("it closed the connection before its answer was whole")]
    Closed,
    /// What came first is not `HTTP/1.x`, a status and perhaps a reason.
    #[error("its answer does not begin with the status line of HTTP/1.1 or HTTP/1.0")]
    StatusLine,
    /// The head or the body breaks a rule.
    #[error("its answer breaks the rules of HTTP")]
    Malformed(#[from] FramingError),
    /// The head has more lines than the bound.
    #[error("its answer has more than {MAX_FIELDS} headers")]
    TooManyHeaders,
    /// Interim answers without end.
    #[error("it sent more than {MAX_INTERIM} interim answers before its answer")]
    TooManyInterim,
    /// The client broke off its request while the answer came: what it answers is not what was asked.
    #[error("the client broke off its request while it was being answered")]
    RequestCut,
}

impl AnswerError {
    /// Whether a server may have said so of a request that it did not want to wait for any longer. What breaks
    /// the rules says nothing of the client.
    pub(super) fn is_giving_up(&self) -> bool {
        match self {
            Self::Io(_) | Self::Closed => true,
            Self::Http2(error) => error.is_io() || error.is_remote(),
            Self::StatusLine
            | Self::Malformed(_)
            | Self::TooManyHeaders
            | Self::TooManyInterim
            | Self::RequestCut => false,
        }
    }
}

/// As many headers as servers and clients commonly take.
pub(super) const MAX_FIELDS: usize = 100;
/// Interim answers to one request: progress may be told often, but not for ever.
pub(super) const MAX_INTERIM: usize = 100;
