use redis::Cmd;

use super::due;
use super::entry::Line;
use super::fault::Fault;
use super::records::{BATCH, json, parsed};
use super::scripts::{NOTE_USED, REVOKE_SESSION};
use super::session::{Said, Session};
use crate::domain::{Digest, KeyId, SessionId, Timestamp, UserId};
use crate::store::lifetime::address_ends;
use crate::store::{Change, Recorded, RevokedSession, SessionView, StoreError};

pub(super) async fn revoke_session(
    session: &Session,
    revoked: RevokedSession,
) -> Result<Recorded, StoreError> {
    let (keys, record) = (&session.keys, json(&revoked)?);
    let change = Change::Session {
        user: revoked.user,
        session: revoked.id,
    };
    let line = Line::of_session(change, revoked.forget_at);
    let call = |call: &mut Cmd| {
        call.arg(4)
            .arg(keys.counter())
            .arg(keys.log())
            .arg(keys.session(revoked.id))
            .arg(keys.due());
        line.write(call);
        call.arg(&record)
            .arg(due::of_session(revoked.id))
            .arg(revoked.forget_at.as_millis());
    };
    match session.write(&REVOKE_SESSION, call).await? {
        Said::Written(number) => Ok(session.recorded(line, number).await),
        Said::Raced | Said::TooManyKeys => Err(StoreError::Conflict),
    }
}

/// Both halves in one call: this is what each session costs that a node does not know yet.
pub(super) async fn view(
    session: &Session,
    id: SessionId,
    user: UserId,
) -> Result<SessionView, StoreError> {
    let mut get = redis::cmd("MGET");
    get.arg(session.keys.session(id))
        .arg(session.keys.user(user));
    let (revoked, user): (Option<Vec<u8>>, Option<Vec<u8>>) = session.read(&get).await?;
    let user = user.map(parsed).transpose()?;
    Ok(SessionView {
        is_revoked: revoked.is_some(),
        user: user.map(|user| user.record),
    })
}

pub(super) async fn last_used(
    session: &Session,
    keys: &[KeyId],
) -> Result<Vec<Option<Timestamp>>, StoreError> {
    let mut used = Vec::with_capacity(keys.len());
    for batch in keys.chunks(BATCH) {
        let mut scores = redis::cmd("ZMSCORE");
        scores.arg(session.keys.last_used());
        for key in batch {
            scores.arg(key.to_string());
        }
        let found: Vec<Option<f64>> = session.read(&scores).await?;
        used.extend(found.into_iter().map(|score| score.map(moment)));
    }
    Ok(used)
}

pub(super) async fn note_used(
    session: &Session,
    used: Vec<(KeyId, Timestamp)>,
) -> Result<(), StoreError> {
    for batch in used.chunks(BATCH) {
        let call = |call: &mut Cmd| {
            call.arg(2)
                .arg(session.keys.last_used())
                .arg(session.keys.key_ids());
            for (key, at) in batch {
                call.arg(key.to_string()).arg(at.as_millis());
            }
        };
        session.trace(&NOTE_USED, call).await?;
    }
    Ok(())
}

pub(super) async fn knows_address(
    session: &Session,
    user: UserId,
    address: Digest,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut score = redis::cmd("ZSCORE");
    score
        .arg(session.keys.due())
        .arg(due::of_address(user, address));
    let ends: Option<f64> = session.read(&score).await?;
    Ok(ends.is_some_and(|ends| moment(ends) > now))
}

pub(super) async fn remember_address(
    session: &Session,
    user: UserId,
    address: Digest,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut add = redis::cmd("ZADD");
    add.arg(session.keys.due())
        .arg("GT")
        .arg(address_ends(now).as_millis())
        .arg(due::of_address(user, address));
    let added = session.data.ask::<u64>(&add, session.patience).await;
    added.map_err(Fault::of_change)?;
    Ok(())
}

/// A moment from a score. Scores are floating, and exact for the next 280,000 years.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from floating saturates"
)]
pub(super) fn moment(score: f64) -> Timestamp {
    Timestamp::from_millis(score as i64)
}
