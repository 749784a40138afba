use super::due;
use super::entry::Line;
use super::records::{Stored, json, unreadable};
use super::scripts::{CREATE_USER, DELETE_USER, UPDATE_USER};
use super::session::{Said, Session};
use crate::domain::{Digest, Email, Role, Timestamp, UserId};
use crate::store::lifetime::tombstone_ends;
use crate::store::{Change, KeyRecord, Recorded, StoreError, UserRecord};

/// How often a change decides again because somebody was faster. Each time somebody was.
pub(super) const MAX_RACES: usize = 64;

/// Whether a change may leave no active administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastAdmin {
    Stays,
    /// It was decided before, when there was another.
    MayGo,
}

pub(super) async fn create(session: &Session, user: UserRecord) -> Result<Recorded, StoreError> {
    let (keys, record) = (&session.keys, json(&user)?);
    let line = Line::new(Change::Addition);
    let said = session
        .write(&CREATE_USER, |call| {
            call.arg(7)
                .arg(keys.counter())
                .arg(keys.log())
                .arg(keys.user(user.id))
                .arg(keys.email(&user.email))
                .arg(keys.users())
                .arg(keys.admins())
                .arg(reset_key(session, &user));
            line.write(call);
            call.arg(&record)
                .arg(user.id.to_string())
                .arg(u8::from(is_admin(&user)))
                .arg(u8::from(user.reset.is_some()));
        })
        .await?;
    match said {
        Said::Written(number) => Ok(session.recorded(line, number).await),
        Said::Raced | Said::TooManyKeys => Err(StoreError::Conflict),
    }
}

pub(super) async fn update(
    session: &Session,
    mut new: UserRecord,
    last_admin: LastAdmin,
) -> Result<Recorded, StoreError> {
    let read_version = new.version;
    for _ in 0..MAX_RACES {
        let old = session.stored_user(new.id).await?;
        let old = old.ok_or(StoreError::NotFound)?;
        if old.record.version != read_version {
            return Err(StoreError::Conflict);
        }
        new.version = read_version.saturating_add(1);
        let line = Line::of_update(&old.record, &new);
        if let Said::Written(number) = write(session, &old, &new, (line, last_admin)).await? {
            return Ok(session.recorded(line, number).await);
        }
    }
    Err(StoreError::Conflict)
}

async fn write(
    session: &Session,
    old: &Stored<UserRecord>,
    new: &UserRecord,
    (line, last_admin): (Line, LastAdmin),
) -> Result<Said, StoreError> {
    let (keys, record) = (&session.keys, json(new)?);
    let must_leave_one = is_admin(&old.record) && !is_admin(new) && last_admin == LastAdmin::Stays;
    let call = |call: &mut redis::Cmd| {
        call.arg(8)
            .arg(keys.counter())
            .arg(keys.log())
            .arg(keys.user(new.id))
            .arg(keys.email(&old.record.email))
            .arg(keys.email(&new.email))
            .arg(keys.admins())
            .arg(reset_key(session, &old.record))
            .arg(reset_key(session, new));
        line.write(call);
        call.arg(&old.json)
            .arg(&record)
            .arg(new.id.to_string())
            .arg(u8::from(must_leave_one))
            .arg(u8::from(is_admin(new)))
            .arg(u8::from(old.record.reset.is_some()))
            .arg(u8::from(new.reset.is_some()));
    };
    session.write(&UPDATE_USER, call).await
}

pub(super) async fn delete(
    session: &Session,
    id: UserId,
    now: Timestamp,
    last_admin: LastAdmin,
) -> Result<Recorded, StoreError> {
    let line = Line::new(Change::User { user: id });
    for _ in 0..MAX_RACES {
        let old = session.stored_user(id).await?.ok_or(StoreError::NotFound)?;
        let keys = session.stored_keys_of(id).await?;
        let deletion = Deletion {
            old,
            keys,
            now,
            last_admin,
        };
        if let Said::Written(number) = deletion.write(session, line).await? {
            return Ok(session.recorded(line, number).await);
        }
    }
    Err(StoreError::Conflict)
}

/// A user and all their keys, as they were read.
struct Deletion {
    old: Stored<UserRecord>,
    keys: Vec<Stored<KeyRecord>>,
    now: Timestamp,
    last_admin: LastAdmin,
}

impl Deletion {
    async fn write(&self, session: &Session, line: Line) -> Result<Said, StoreError> {
        let (keys, user) = (&session.keys, &self.old.record);
        let tombstones = self.keys.iter().map(|key| {
            json(&KeyRecord {
                revoked_at: Some(self.now),
                ..key.record.clone()
            })
        });
        let tombstones = tombstones.collect::<Result<Vec<_>, _>>()?;
        let must_leave_one = is_admin(user) && self.last_admin == LastAdmin::Stays;
        let call = |call: &mut redis::Cmd| {
            call.arg(9 + self.keys.len())
                .arg(keys.counter())
                .arg(keys.log())
                .arg(keys.user(user.id))
                .arg(keys.email(&user.email))
                .arg(keys.users())
                .arg(keys.admins())
                .arg(reset_key(session, user))
                .arg(keys.keys_of(user.id))
                .arg(keys.due());
            for key in &self.keys {
                call.arg(keys.key(key.record.digest));
            }
            line.write(call);
            call.arg(&self.old.json)
                .arg(user.id.to_string())
                .arg(u8::from(must_leave_one))
                .arg(u8::from(user.reset.is_some()))
                .arg(tombstone_ends(self.now).as_millis());
            for (key, tombstone) in self.keys.iter().zip(&tombstones) {
                call.arg(&key.json)
                    .arg(tombstone)
                    .arg(key.record.digest.to_string())
                    .arg(due::of_tombstone(&key.record));
            }
        };
        session.write(&DELETE_USER, call).await
    }
}

pub(super) async fn by_email(
    session: &Session,
    email: &Email,
) -> Result<Option<UserRecord>, StoreError> {
    let found = by_index(session, session.keys.email(email)).await?;
    // Between the two reads the address may have gone to somebody else.
    Ok(found.filter(|user| user.email.normal() == email.normal()))
}

pub(super) async fn by_reset(
    session: &Session,
    token: Digest,
) -> Result<Option<UserRecord>, StoreError> {
    let found = by_index(session, session.keys.reset(token)).await?;
    Ok(found.filter(|user| user.reset.is_some_and(|reset| reset.digest == token)))
}

/// The user whose id stands under `key`.
async fn by_index(session: &Session, key: String) -> Result<Option<UserRecord>, StoreError> {
    let id: Option<String> = session.read(redis::cmd("GET").arg(key)).await?;
    let Some(id) = id else {
        return Ok(None);
    };
    let id = id.parse::<UserId>().map_err(unreadable)?;
    let user = session.stored_user(id).await?;
    Ok(user.map(Stored::into_record))
}

/// At most `limit` users after `after`: the index by pages, and the records of each.
pub(super) async fn page(
    session: &Session,
    mut after: Option<UserId>,
    limit: usize,
) -> Result<Vec<UserRecord>, StoreError> {
    let mut found: Vec<UserRecord> = Vec::new();
    while found.len() < limit {
        let want = (limit - found.len()).min(super::records::BATCH);
        let mut range = redis::cmd("ZRANGEBYLEX");
        range
            .arg(session.keys.users())
            .arg(after.map_or_else(|| "-".to_owned(), |after| format!("({after}")))
            .arg("+")
            .arg("LIMIT")
            .arg(0)
            .arg(want);
        let ids: Vec<String> = session.read(&range).await?;
        let ids = ids.iter().map(|id| id.parse().map_err(unreadable));
        let ids = ids.collect::<Result<Vec<UserId>, _>>()?;
        after = ids.last().copied();
        let keys = ids.iter().map(|id| session.keys.user(*id));
        let users = session.stored_many(keys).await?;
        // Who was deleted between the two reads leaves a gap, which the next turn fills.
        found.extend(users.into_iter().flatten().map(Stored::into_record));
        if ids.len() < want {
            break;
        }
    }
    Ok(found)
}

pub(super) fn is_admin(user: &UserRecord) -> bool {
    user.is_active && user.role == Role::Admin
}

/// The key of the live reset token; where there is none, one that the script declares and leaves alone.
fn reset_key(session: &Session, user: &UserRecord) -> String {
    match user.reset {
        Some(reset) => session.keys.reset(reset.digest),
        None => session.keys.counter(),
    }
}
