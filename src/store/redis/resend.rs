use super::records::Stored;
use super::session::Session;
use super::users::{LastAdmin, MAX_RACES};
use super::{api_keys, due, traces, users};
use crate::domain::{KeyId, SessionId, Timestamp, UserId};
use crate::store::{Change, Entry, RevokedSession, StoreError};

/// Writes what `entry` revoked once more where the store does not show it.
pub(super) async fn send_again(session: &Session, entry: &Entry) -> Result<(), StoreError> {
    match (entry.change, entry.epoch, entry.forget_at) {
        (Change::Session { user, session: id }, _, Some(forget_at)) => {
            let revoked = RevokedSession {
                id,
                user,
                forget_at,
            };
            revoke_session(session, revoked).await
        }
        (Change::Key { key, .. }, ..) => revoke_key(session, key).await,
        (Change::Sessions { user }, Some(epoch), _) => {
            end(session, user, epoch, What::Sessions).await
        }
        (Change::User { user }, Some(epoch), _) => {
            end(session, user, epoch, What::Everything).await
        }
        (Change::User { user }, None, _) => delete(session, user).await,
        // These revoke nothing, or do not say what.
        (Change::Session { .. } | Change::Sessions { .. }, ..)
        | (Change::Reread { .. } | Change::Addition, ..) => Ok(()),
    }
}

/// What of a user's ended.
#[derive(Clone, Copy)]
enum What {
    Sessions,
    Everything,
}

async fn revoke_session(session: &Session, revoked: RevokedSession) -> Result<(), StoreError> {
    if remembered_until(session, revoked.id).await? >= Some(revoked.forget_at) {
        return Ok(());
    }
    let _recorded = traces::revoke_session(session, revoked).await?;
    Ok(())
}

/// Until when a revoked session is remembered, if it is known to be revoked.
async fn remembered_until(
    session: &Session,
    id: SessionId,
) -> Result<Option<Timestamp>, StoreError> {
    let mut exists = redis::cmd("EXISTS");
    exists.arg(session.keys.session(id));
    if !session.read::<bool>(&exists).await? {
        return Ok(None);
    }
    let mut score = redis::cmd("ZSCORE");
    score.arg(session.keys.due()).arg(due::of_session(id));
    let until: Option<f64> = session.read(&score).await?;
    Ok(until.map(traces::moment))
}

async fn revoke_key(session: &Session, id: KeyId) -> Result<(), StoreError> {
    let key = api_keys::by_id(session, id).await?.map(Stored::into_record);
    // A key that is not there at all was lost with its making, and admits nobody.
    if key.is_none_or(|key| key.revoked_at.is_some()) {
        return Ok(());
    }
    let revoked = api_keys::revoke(session, id, session.clock.now()).await;
    gone_is_well(revoked.map(drop_recorded))
}

/// Ends what belongs to an epoch before `epoch`. Epochs only rise: a store that shows this one, or a
/// later one, has lost nothing.
async fn end(session: &Session, id: UserId, epoch: u64, what: What) -> Result<(), StoreError> {
    for _ in 0..MAX_RACES {
        let user = session.stored_user(id).await?.map(Stored::into_record);
        let Some(mut user) = user.filter(|user| user.epoch < epoch) else {
            return Ok(());
        };
        user.epoch = epoch;
        user.is_active &= matches!(what, What::Sessions);
        match users::update(session, user, LastAdmin::MayGo).await {
            Err(StoreError::Conflict) => {}
            ended => return gone_is_well(ended.map(drop_recorded)),
        }
    }
    Err(StoreError::Conflict)
}

async fn delete(session: &Session, id: UserId) -> Result<(), StoreError> {
    let now = session.clock.now();
    let deleted = users::delete(session, id, now, LastAdmin::MayGo).await;
    gone_is_well(deleted.map(drop_recorded))
}

fn drop_recorded(_recorded: crate::store::Recorded) {}

fn gone_is_well(answer: Result<(), StoreError>) -> Result<(), StoreError> {
    match answer {
        Err(StoreError::NotFound) => Ok(()),
        other => other,
    }
}
