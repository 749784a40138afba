use std::num::NonZeroUsize;
use std::sync::Arc;

use super::{AccountError, Accounts, Caller};
use crate::domain::UserId;
use crate::store::{Store, UserRecord};

/// Some users, oldest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The users.
    pub users: Vec<UserRecord>,
    /// After whom the next page begins; `None` when this is the last.
    pub next: Option<UserId>,
}

/// All users, oldest first, a few at a time, so that a long list takes little memory.
///
/// Users that are added meanwhile come at the end; nobody is listed twice.
#[derive(Debug)]
pub struct UserPages {
    store: Arc<dyn Store>,
    caller: Caller,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    After(Option<UserId>),
    Nothing,
}

/// About 40 KiB of JSON: enough for a network write, little for a slow client to hold.
const AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(199);

impl Accounts {
    /// At most `limit` users after `after`.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn users_page(
        &self,
        caller: &Caller,
        after: Option<UserId>,
        limit: NonZeroUsize,
    ) -> Result<Page, AccountError> {
        self.require_admin(caller)?;
        page(self.store.as_ref(), after, limit).await
    }

    /// All users after `after`.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub fn users(&self, caller: &Caller, after: Option<UserId>) -> Result<UserPages, AccountError> {
        self.require_admin(caller)?;
        Ok(UserPages {
            store: Arc::clone(&self.store),
            caller: caller.clone(),
            next: Next::After(after),
        })
    }
}

impl UserPages {
    /// The next users; none after the last.
    ///
    /// # Errors
    ///
    /// [`AccountError`] when the store cannot be asked or the caller was revoked: the list is not whole.
    pub async fn next(&mut self) -> Result<Vec<UserRecord>, AccountError> {
        let Next::After(after) = self.next else {
            return Ok(Vec::new());
        };
        self.caller.is_still_admitted()?;
        let page = page(self.store.as_ref(), after, AT_ONCE).await?;
        // Once more: nothing that was read is given to a caller who was revoked meanwhile.
        self.caller.is_still_admitted()?;
        self.next = match page.next {
            Some(last) => Next::After(Some(last)),
            None => Next::Nothing,
        };
        Ok(page.users)
    }
}

async fn page(
    store: &dyn Store,
    after: Option<UserId>,
    limit: NonZeroUsize,
) -> Result<Page, AccountError> {
    // One more than is shown tells whether there is a next page.
    let mut users = store.users(after, limit.saturating_add(1).get()).await?;
    let has_more = users.len() > limit.get();
    users.truncate(limit.get());
    let last = users.last().map(|user| user.id);
    Ok(Page {
        users,
        next: last.filter(|_| has_more),
    })
}
