use bytes::Bytes;
use http::StatusCode;
use http_body::Body;

use super::answers::{KeyResponse, done, durable, json, located};
use super::call::{Call, Deed};
use super::query::Query;
use super::{Api, Outcome};
use crate::accounts::NewKey;
use crate::domain::{KeyId, KeyName, Timestamp, UserId};
use crate::http::ApiError;
use crate::telemetry::audit::Event;

impl Api {
    pub(super) async fn keys<B>(&self, call: &mut Call<'_, B>) -> Outcome {
        let caller = self.caller(call).await?;
        caller.manages(self.accounts.api_keys.lock().may_manage)?;
        let owner = owner(call)?;
        let keys = self.accounts.keys(&caller, owner).await?;
        caller.is_still_admitted()?;
        let keys: Vec<_> = keys.iter().map(KeyResponse::of).collect();
        Ok(json(StatusCode::OK, &keys))
    }

    pub(super) async fn create_key<B>(&self, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let caller = self.caller(call).await?;
        caller.manages(self.accounts.api_keys.lock().may_manage)?;
        let owner = owner(call)?;
        let mut fields = call.fields().await?;
        let now = self.accounts.clock.now();
        let name = fields.required("name", KeyName::parse);
        let expires_at = fields.optional("expires_at", |text| expiry(text, now));
        fields.read_only("id", |_| false);
        fields.read_only("created_at", |_| false);
        fields.finish()?;
        let Some(name) = name else {
            return Err(fields.refusal());
        };
        let new = NewKey { name, expires_at };
        let minted = self.accounts.create_key(&caller, owner, new).await;
        let deed = Deed {
            user: owner.or(caller.user()),
            ..Deed::default()
        };
        let minted = call.settled(minted, Event::KeyCreated, &caller, deed)?;
        let deed = Deed {
            user: Some(minted.record.user),
            key: Some(minted.record.id),
            ..Deed::default()
        };
        call.audit(Event::KeyCreated, caller.actor(), deed);
        let response = json(StatusCode::CREATED, &KeyResponse::of_minted(&minted));
        let path = format!("/api/api-keys/{}", minted.record.id);
        Ok(located(durable(response, minted.durability), &path))
    }

    pub(super) async fn revoke_key<B>(&self, call: &mut Call<'_, B>, id: KeyId) -> Outcome {
        let caller = self.caller(call).await?;
        call.ends_own_admission = caller.is_key(id);
        let mut deed = Deed {
            key: Some(id),
            ..Deed::default()
        };
        let revoked = self.accounts.revoke_key(&caller, id).await;
        let (key, durability) = call.settled(revoked, Event::KeyRevoked, &caller, deed)?;
        deed.user = Some(key.user);
        call.audit(Event::KeyRevoked, caller.actor(), deed);
        Ok(done(durability))
    }
}

/// Whose keys are meant, where that is said.
fn owner<B>(call: &Call<'_, B>) -> Result<Option<UserId>, ApiError> {
    let mut query = Query::of(&call.head.uri);
    let owner = query.read("user_id", str::parse);
    query.finish()?;
    Ok(owner)
}

fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let end = Timestamp::parse(text).map_err(|error| error.to_string())?;
    if end <= now {
        return Err("must be in the future".to_owned());
    }
    Ok(end)
}
