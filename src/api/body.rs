use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::user_list::UserList;
use crate::accounts::AccountError;

/// The body of an answer of the API. It may hold a token or a key, so it does not print itself.
#[derive(Default)]
pub enum ApiBody {
    /// Nothing.
    #[default]
    Empty,
    /// All of it.
    Full(Bytes),
    /// A list of users that is read while it is sent. When it cannot be read to its end the body fails,
    /// so that nobody takes it for whole.
    Users(Box<UserList>),
}

/// A list could not be read to its end: what was sent of it is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the list broke off before its end")]
pub struct ApiBodyError(#[from] AccountError);

impl From<Bytes> for ApiBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        Self::Full(bytes)
    }
}

impl Body for ApiBody {
    type Data = Bytes;
    type Error = ApiBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ApiBodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let frame = Frame::data(std::mem::take(bytes));
                *self = Self::Empty;
                Poll::Ready(Some(Ok(frame)))
            }
            Self::Users(list) => {
                let chunk = list.poll_chunk(cx);
                chunk.map_ok(Frame::data).map_err(ApiBodyError::from)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) | Self::Users(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Users(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ApiBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Full(_) => "Full(..)",
            Self::Users(_) => "Users(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_does_not_show_what_it_holds() {
        let body = ApiBody::from(Bytes::from_static(b"dk_secret"));
        assert_eq!(format!("{body:?}"), "Full(..)");
    }
}
