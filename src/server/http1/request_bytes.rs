use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use crate::http::ClientBodyError;

/// A request's body, read from its connection as fast as it is taken.
#[derive(Debug)]
pub(super) struct RequestBytes<Io>(Rc<RefCell<Connection<Io>>>);

impl<Io: AsyncRead + AsyncWrite + Unpin> RequestBytes<Io> {
    /// The body of the request whose head has just been read, if it has one.
    pub(super) fn of(connection: &Rc<RefCell<Connection<Io>>>) -> Option<Self> {
        let has_body = connection.borrow().body().is_some();
        has_body.then(|| Self(Rc::clone(connection)))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Body for RequestBytes<Io> {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        self.0.borrow_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.borrow().body().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.borrow().body() {
            None => SizeHint::with_exact(0),
            Some(Some(length)) => SizeHint::with_exact(length),
            Some(None) => SizeHint::new(),
        }
    }
}
