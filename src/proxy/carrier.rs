use std::task::{Context, Poll};

use super::answer_head::{AnswerHead, HeadReader};
use super::connection::{Connection, SendFailed};
use super::http2::Call;
use super::upload::Upload;
use super::upstreams::Again;

/// What carries an exchange to a server and back.
#[derive(Debug)]
pub(super) enum Carrier {
    /// A connection of its own.
    Http1(Box<Connection>),
    /// A stream of a connection that carries others too.
    Http2(Box<Call>),
}

impl Carrier {
    /// Takes the request.
    pub(super) fn begin(&mut self, upload: Option<Upload>) {
        match self {
            Self::Http1(connection) => connection.begin(upload),
            Self::Http2(call) => call.begin(upload),
        }
    }

    /// Sends the request, as far as that goes, until the head of its answer has come.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader<'_>,
    ) -> Poll<Result<AnswerHead, SendFailed>> {
        match self {
            Self::Http1(connection) => connection.poll_head(cx, reader),
            Self::Http2(call) => call.poll_head(cx, reader),
        }
    }

    /// Whether its request may be sent once more.
    pub(super) fn may_repeat(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.may_repeat(),
            Self::Http2(call) => call.may_repeat(),
        }
    }

    /// The request, to be sent once more over another connection, and why it may be.
    pub(super) fn take_again(&mut self) -> Option<(Again, Upload)> {
        match self {
            Self::Http1(connection) => connection.take_again(),
            Self::Http2(call) => call.take_again(),
        }
    }

    /// The buffer of the request's head, once the request was sent whole.
    pub(super) fn take_sent(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Http1(connection) => connection.take_sent(),
            Self::Http2(call) => call.take_sent(),
        }
    }
}
