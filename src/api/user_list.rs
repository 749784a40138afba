use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::answers::UserResponse;
use crate::accounts::{AccountError, UserPages};
use crate::store::UserRecord;

/// All users as one JSON array, made page by page as the client takes it.
pub struct UserList {
    state: State,
    /// What stands before the next user.
    separator: u8,
}

type Users = Result<Vec<UserRecord>, AccountError>;

enum State {
    /// This page is there; the pages give the next one.
    Ready(Vec<UserRecord>, UserPages),
    Reading(Pin<Box<dyn Future<Output = (Users, UserPages)> + Send>>),
    Done,
}

impl UserList {
    /// The list of `pages`. The first is read here, so that a store which cannot be asked is still an
    /// answer that says so.
    pub(super) async fn begin(mut pages: UserPages) -> Result<Self, AccountError> {
        let first = pages.next().await?;
        Ok(Self {
            state: State::Ready(first, pages),
            separator: b'[',
        })
    }

    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, AccountError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Ready(users, _) if users.is_empty() => {
                    return Poll::Ready(Some(Ok(self.end())));
                }
                State::Ready(users, pages) => {
                    self.state = State::Reading(Box::pin(read(pages)));
                    return Poll::Ready(Some(Ok(self.chunk(&users))));
                }
                State::Reading(mut page) => match page.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Reading(page);
                        return Poll::Pending;
                    }
                    Poll::Ready((Ok(users), pages)) => self.state = State::Ready(users, pages),
                    Poll::Ready((Err(error), _)) => return Poll::Ready(Some(Err(error))),
                },
                State::Done => return Poll::Ready(None),
            }
        }
    }

    fn chunk(&mut self, users: &[UserRecord]) -> Bytes {
        let mut json = Vec::with_capacity(users.len() * 256);
        for user in users {
            json.push(self.separator);
            self.separator = b',';
            UserResponse::of(user).write(&mut json);
        }
        json.into()
    }

    fn end(&self) -> Bytes {
        match self.separator {
            b'[' => Bytes::from_static(b"[]"),
            _ => Bytes::from_static(b"]"),
        }
    }
}

async fn read(mut pages: UserPages) -> (Users, UserPages) {
    let users = pages.next().await;
    (users, pages)
}

impl fmt::Debug for UserList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserList").finish_non_exhaustive()
    }
}
