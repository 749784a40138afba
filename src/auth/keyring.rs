use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;

use super::signing_key::{Jwk, SigningKey, SigningKeyError};
use crate::config::{Algorithm, Sessions};
use crate::domain::Timestamp;

/// The keys of this gateway's session tokens: all verify, and one at a time signs.
///
/// A new key is first given a `sign_from` in the future, so that every node knows it before the first
/// token is signed with it, and the old one stays until its last token has expired.
#[derive(Debug)]
pub struct KeyRing {
    entries: Vec<Entry>,
    jwks: Bytes,
}

impl KeyRing {
    /// Reads the configured keys; where none is configured, the one at `default_path`, which is made
    /// when it is not there.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`]: a file is wrong, two hold the same key, or none may sign at `now`.
    pub fn load(
        sessions: &Sessions,
        default_path: &Path,
        now: Timestamp,
    ) -> Result<Self, SigningKeyError> {
        if sessions.signing_keys.is_empty() {
            return Self::single(read_or_create(default_path, sessions.algorithm)?);
        }
        let mut files: HashMap<String, PathBuf> = HashMap::new();
        let mut entries = Vec::new();
        for configured in &sessions.signing_keys {
            let key = SigningKey::read(&configured.file)?;
            let file = configured.file.clone();
            if let Some(first) = files.insert(key.kid().to_owned(), file.clone()) {
                return Err(SigningKeyError::Duplicate {
                    first,
                    second: file,
                });
            }
            entries.push(Entry {
                key,
                sign_from: configured.sign_from,
            });
        }
        let ring = Self::of(entries)?;
        ring.signer(now).ok_or(SigningKeyError::NoneSigns)?;
        Ok(ring)
    }

    /// A ring of one key, which signs at once.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Generate`] when its public half cannot be written as JSON.
    pub fn single(key: SigningKey) -> Result<Self, SigningKeyError> {
        Self::of(vec![Entry {
            key,
            sign_from: None,
        }])
    }

    /// The public halves of all keys as a JSON Web Key Set (RFC 7517 §5).
    #[must_use]
    pub const fn jwks(&self) -> &Bytes {
        &self.jwks
    }

    /// The key that signs at `now`: whose `sign_from` is the latest that has come; of several, the
    /// last of the file.
    #[must_use]
    pub fn signer(&self, now: Timestamp) -> Option<&SigningKey> {
        let ready = |entry: &&Entry| entry.sign_from.is_none_or(|from| from <= now);
        let latest = self.entries.iter().filter(ready);
        latest
            .max_by_key(|entry| entry.sign_from)
            .map(|entry| &entry.key)
    }

    /// Whether it has the key of this name, to verify with at least.
    #[must_use]
    pub fn has(&self, kid: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.kid() == kid)
    }

    /// The key that begins its tokens with this segment.
    pub(super) fn of_header(&self, header: &str) -> Option<&SigningKey> {
        let mut keys = self.entries.iter().map(|entry| &entry.key);
        keys.find(|key| key.header() == header)
    }

    fn of(entries: Vec<Entry>) -> Result<Self, SigningKeyError> {
        let keys = entries.iter().map(|entry| entry.key.jwk()).collect();
        let jwks = serde_json::to_vec(&Jwks { keys }).map_err(|_| SigningKeyError::Generate)?;
        Ok(Self {
            entries,
            jwks: jwks.into(),
        })
    }
}

#[derive(Debug)]
struct Entry {
    key: SigningKey,
    /// Left out, it signs from the beginning of time.
    sign_from: Option<Timestamp>,
}

#[derive(Serialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

fn read_or_create(path: &Path, algorithm: Algorithm) -> Result<SigningKey, SigningKeyError> {
    match SigningKey::read(path) {
        Err(SigningKeyError::Missing { .. }) => {}
        read => return read,
    }
    match SigningKey::create(path, algorithm) {
        // Another process was first.
        Err(SigningKeyError::Exists { .. }) => SigningKey::read(path),
        created => created,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::SigningKeyFile;

    fn sessions(signing_keys: Vec<SigningKeyFile>) -> Sessions {
        Sessions {
            issuer: "https://gateway.example".to_owned(),
            audience: "https://gateway.example".to_owned(),
            lifetime: Duration::from_secs(3600),
            algorithm: Algorithm::Es256,
            signing_keys,
        }
    }

    /// A ring of one key for each `sign_from`, and the names of the keys.
    fn ring(times: &[Option<i64>]) -> (KeyRing, Vec<String>) {
        let entry = |from: &Option<i64>| Entry {
            key: SigningKey::generate(Algorithm::EdDsa).unwrap(),
            sign_from: from.map(Timestamp::from_secs),
        };
        let entries: Vec<_> = times.iter().map(entry).collect();
        let kids = entries
            .iter()
            .map(|entry| entry.key.kid().to_owned())
            .collect();
        (KeyRing::of(entries).unwrap(), kids)
    }

    #[test]
    fn the_key_whose_time_came_last_signs() {
        let (ring, kids) = ring(&[Some(200), None, Some(100), None, Some(200)]);
        for (now, index) in [(0, 3), (99, 3), (100, 2), (199, 2), (200, 4), (900, 4)] {
            let signer = ring.signer(Timestamp::from_secs(now)).unwrap();
            assert_eq!(signer.kid(), kids[index], "at {now}");
        }
    }

    #[test]
    fn every_key_verifies_and_is_told_whether_it_signs_or_not() {
        let (ring, kids) = ring(&[None, Some(i64::MAX)]);
        let jwks: serde_json::Value = serde_json::from_slice(ring.jwks()).unwrap();
        for (index, kid) in kids.iter().enumerate() {
            assert_eq!(jwks["keys"][index]["kid"], *kid);
        }
        for entry in &ring.entries {
            let found = ring.of_header(entry.key.header()).unwrap();
            assert_eq!(found.kid(), entry.key.kid());
        }
    }

    #[test]
    fn a_key_is_made_on_first_start_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/signing-key.pem");
        let now = Timestamp::from_secs(0);

        let first = KeyRing::load(&sessions(vec![]), &path, now).unwrap();
        let second = KeyRing::load(&sessions(vec![]), &path, now).unwrap();

        assert_eq!(first.jwks(), second.jwks());
        assert_eq!(first.signer(now).unwrap().algorithm(), Algorithm::Es256);
    }

    #[test]
    fn rings_that_cannot_work_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        let copy = folder.path().join("b.pem");
        SigningKey::create(&path, Algorithm::EdDsa).unwrap();
        std::fs::copy(&path, &copy).unwrap();
        let file = |file: &Path, from: Option<i64>| SigningKeyFile {
            file: file.to_owned(),
            sign_from: from.map(Timestamp::from_secs),
        };
        let load = |keys| KeyRing::load(&sessions(keys), &path, Timestamp::from_secs(1000));

        let twice = load(vec![file(&path, None), file(&copy, Some(0))]);
        assert!(matches!(twice, Err(SigningKeyError::Duplicate { .. })));
        let early = load(vec![file(&path, Some(1001))]);
        assert!(matches!(early, Err(SigningKeyError::NoneSigns)));
        assert!(load(vec![file(&path, Some(1000))]).is_ok());
    }
}
