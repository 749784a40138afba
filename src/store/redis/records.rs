use serde::Serialize;
use serde::de::DeserializeOwned;

use super::session::Session;
use crate::domain::{Digest, KeyId, UserId};
use crate::store::{KeyRecord, StoreError, UserRecord};

/// A record with the very bytes it was read from: a change compares them.
pub(super) struct Stored<T> {
    pub(super) record: T,
    pub(super) json: Vec<u8>,
}

/// At most so many records come in one answer, so that nobody waits long behind it.
pub(super) const BATCH: usize = 512;

impl Session {
    pub(super) async fn stored_user(
        &self,
        id: UserId,
    ) -> Result<Option<Stored<UserRecord>>, StoreError> {
        self.stored(self.keys.user(id)).await
    }

    pub(super) async fn stored_key(
        &self,
        digest: Digest,
    ) -> Result<Option<Stored<KeyRecord>>, StoreError> {
        self.stored(self.keys.key(digest)).await
    }

    /// The digest of the API key of this id; tombstones have one too.
    pub(super) async fn digest_of(&self, id: KeyId) -> Result<Option<Digest>, StoreError> {
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.key_ids()).arg(id.to_string());
        let digest: Option<String> = self.read(&get).await?;
        digest.map(|digest| digest_in(&digest)).transpose()
    }

    /// The API keys of a user that are not revoked.
    pub(super) async fn stored_keys_of(
        &self,
        user: UserId,
    ) -> Result<Vec<Stored<KeyRecord>>, StoreError> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys.keys_of(user)).arg(0).arg(-1);
        let digests: Vec<String> = self.read(&range).await?;
        let mut found = Vec::with_capacity(digests.len());
        for batch in digests.chunks(BATCH) {
            let digests = batch.iter().map(|digest| digest_in(digest));
            let digests = digests.collect::<Result<Vec<_>, _>>()?;
            let keys = digests.into_iter().map(|digest| self.keys.key(digest));
            found.extend(self.stored_many(keys).await?.into_iter().flatten());
        }
        Ok(found)
    }

    /// The records of `keys`, in their order.
    pub(super) async fn stored_many<T: DeserializeOwned>(
        &self,
        keys: impl Iterator<Item = String>,
    ) -> Result<Vec<Option<Stored<T>>>, StoreError> {
        let mut get = redis::cmd("MGET");
        let mut is_empty = true;
        for key in keys {
            get.arg(key);
            is_empty = false;
        }
        if is_empty {
            return Ok(Vec::new());
        }
        let found: Vec<Option<Vec<u8>>> = self.read(&get).await?;
        let found = found.into_iter().map(|json| json.map(parsed).transpose());
        found.collect()
    }

    async fn stored<T: DeserializeOwned>(
        &self,
        key: String,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let json: Option<Vec<u8>> = self.read(redis::cmd("GET").arg(key)).await?;
        json.map(parsed).transpose()
    }
}

impl<T> Stored<T> {
    pub(super) fn into_record(self) -> T {
        self.record
    }
}

pub(super) fn json<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record)
        .map_err(|error| StoreError::unavailable("a record cannot be written as JSON", error))
}

pub(super) fn parsed<T: DeserializeOwned>(json: Vec<u8>) -> Result<Stored<T>, StoreError> {
    let record = serde_json::from_slice(&json).map_err(unreadable)?;
    Ok(Stored { record, json })
}

fn digest_in(text: &str) -> Result<Digest, StoreError> {
    Digest::from_hex(text).ok_or_else(|| unreadable("an index holds no digest"))
}

/// What stands in a store is written by gateways alone; a person changed it, or another program.
pub(super) fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    let reason = "a record in redis cannot be read; does another program use the same key_prefix?";
    StoreError::unavailable(reason, error)
}
