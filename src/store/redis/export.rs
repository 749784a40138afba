use std::io;
use std::ops::ControlFlow;

use redis::FromRedisValue;

use super::Redis;
use super::records::{BATCH, unreadable};
use super::session::Session;
use super::traces::moment;
use crate::domain::{Digest, KeyId, Timestamp, UserId};
use crate::store::lifetime::address_last;
use crate::store::{ExportError, Item, StoreError};

/// Whoever is shown the items, until they have seen enough.
type See<'a> = dyn FnMut(Item) -> io::Result<()> + Send + 'a;

impl Redis {
    /// Shows everything the store holds, users before their keys, over connections of its own.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; also when a node changed the store meanwhile, since what was shown may not fit
    /// together then.
    pub async fn export(&self, see: &mut See<'_>) -> Result<(), ExportError> {
        let session = self.dialled().await?;
        let before = self.policy.beat(&session).await?;
        if before.store.is_none() {
            return Err(ExportError::Missing {
                place: self.settings.to_string(),
            });
        }
        users(&session, see).await?;
        keys(&session, see).await?;
        due(&session, see).await?;
        last_used(&session, see).await?;
        let after = self.policy.beat(&session).await?;
        if (before.server, before.last) != (after.server, after.last) {
            return Err(ExportError::Changed);
        }
        Ok(())
    }
}

async fn users(session: &Session, see: &mut See<'_>) -> Result<(), ExportError> {
    let mut after = None;
    loop {
        let page = super::users::page(session, after, BATCH).await?;
        let is_last = page.len() < BATCH;
        after = page.last().map(|user| user.id);
        for user in page {
            see(Item::User(user))?;
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn keys(session: &Session, see: &mut See<'_>) -> Result<(), ExportError> {
    let mut scan = Scan::of("HSCAN", session.keys.key_ids());
    while let ControlFlow::Continue(page) = scan.next::<(String, String)>(session).await? {
        let digests = page.iter().map(|(_, digest)| {
            let digest = Digest::from_hex(digest).ok_or_else(|| unreadable("an odd digest"))?;
            Ok(session.keys.key(digest))
        });
        let digests = digests.collect::<Result<Vec<_>, StoreError>>()?;
        let found = session.stored_many(digests.into_iter()).await?;
        for key in found.into_iter().flatten() {
            see(Item::Key(key.into_record()))?;
        }
    }
    Ok(())
}

/// Revoked sessions and remembered addresses; tombstones are keys.
async fn due(session: &Session, see: &mut See<'_>) -> Result<(), ExportError> {
    let mut scan = Scan::of("ZSCAN", session.keys.due());
    while let ControlFlow::Continue(page) = scan.next::<(String, f64)>(session).await? {
        let mut sessions = Vec::new();
        for (name, ends) in page {
            match name.split_once(':') {
                Some(("x", id)) => {
                    let id = id.parse().map_err(|_| unreadable("an odd session"))?;
                    sessions.push(session.keys.session(id));
                }
                Some(("a", rest)) => see(address(rest, moment(ends))?)?,
                _ => {}
            }
        }
        let found = session.stored_many(sessions.into_iter()).await?;
        for revoked in found.into_iter().flatten() {
            see(Item::RevokedSession(revoked.into_record()))?;
        }
    }
    Ok(())
}

fn address(name: &str, ends: Timestamp) -> Result<Item, StoreError> {
    let parts = name.split_once(':').and_then(|(user, address)| {
        let user: UserId = user.parse().ok()?;
        Some((user, Digest::from_hex(address)?))
    });
    let (user, address) = parts.ok_or_else(|| unreadable("an odd address"))?;
    Ok(Item::Address {
        user,
        address,
        at: address_last(ends),
    })
}

async fn last_used(session: &Session, see: &mut See<'_>) -> Result<(), ExportError> {
    let mut scan = Scan::of("ZSCAN", session.keys.last_used());
    while let ControlFlow::Continue(page) = scan.next::<(String, f64)>(session).await? {
        for (key, at) in page {
            let key: Option<KeyId> = key.parse().ok();
            see(Item::LastUsed {
                key: key.ok_or_else(|| unreadable("an odd key"))?,
                at: moment(at),
            })?;
        }
    }
    Ok(())
}

/// Walks one large value, page by page. While nobody changes the value everything comes, some of it
/// perhaps twice: what came is remembered.
struct Scan {
    command: &'static str,
    key: String,
    cursor: Option<String>,
    seen: std::collections::HashSet<String>,
}

impl Scan {
    fn of(command: &'static str, key: String) -> Self {
        Self {
            command,
            key,
            cursor: Some("0".to_owned()),
            seen: std::collections::HashSet::new(),
        }
    }

    /// The next members and what belongs to them; a break when there are no more.
    async fn next<M>(&mut self, session: &Session) -> Result<ControlFlow<(), Vec<M>>, StoreError>
    where
        M: Member,
        Vec<M>: FromRedisValue,
    {
        let Some(cursor) = self.cursor.take() else {
            return Ok(ControlFlow::Break(()));
        };
        let mut scan = redis::cmd(self.command);
        scan.arg(&self.key).arg(&cursor).arg("COUNT").arg(BATCH);
        let (next, mut page): (String, Vec<M>) = session.read(&scan).await?;
        self.cursor = (next != "0").then_some(next);
        page.retain(|member| self.seen.insert(member.name().to_owned()));
        Ok(ControlFlow::Continue(page))
    }
}

trait Member {
    fn name(&self) -> &str;
}

impl<T> Member for (String, T) {
    fn name(&self) -> &str {
        &self.0
    }
}
