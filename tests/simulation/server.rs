//! A model of the store's servers: one primary, replicas that follow it late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dariet_gateway::domain::Timestamp;
use dariet_gateway::domain::{Digest, KeyId, Role, SessionId, UserId};
use dariet_gateway::store::{
    Beat, Change, Entry, KeyRecord, OwnedKey, ServerId, SessionView, StoreId, UserRecord,
};
use uuid::Uuid;

/// What a server keeps.
#[derive(Clone, Default)]
pub(crate) struct Data {
    pub(crate) store: Option<StoreId>,
    last: u64,
    trimmed_to: u64,
    log: VecDeque<Entry>,
    pub(crate) users: BTreeMap<UserId, UserRecord>,
    pub(crate) keys: BTreeMap<KeyId, KeyRecord>,
    sessions: BTreeSet<SessionId>,
}

/// One write, as the primary passes it on to its replicas.
#[derive(Clone)]
pub(crate) enum Op {
    AddKey(KeyRecord),
    RevokeKey(UserId, KeyId),
    RevokeSession(UserId, SessionId),
    /// The epoch of a user rises, or they are switched off as well.
    RaiseEpoch(UserId),
    Deactivate(UserId),
    /// Their role is another.
    Reread(UserId),
    SendAgain(Entry),
    /// Keep this many entries of the log.
    Trim(usize),
    /// What a beat writes to have it acknowledged.
    Mark,
}

/// One server process after the other at the same address.
pub(crate) struct Server {
    pub(crate) run: u64,
    pub(crate) history: u64,
    /// Names the connections it has: all end when its process does, and when it is demoted.
    pub(crate) connections: u64,
    pub(crate) data: Data,
    /// What was written since `history` began.
    pub(crate) ops: Vec<Op>,
    pub(crate) is_master: bool,
    pub(crate) is_up: bool,
    pub(crate) paused_until: u64,
    /// On which side of a partition it is.
    pub(crate) side: bool,
    /// How much of its history each other server has acknowledged.
    pub(crate) acked: Vec<usize>,
    /// What is on disk.
    pub(crate) saved: Data,
}

impl Data {
    /// An empty store.
    pub(crate) fn of(store: StoreId) -> Self {
        Self {
            store: Some(store),
            ..Self::default()
        }
    }

    /// Writes `op`, as one atomic step; answers the entry it makes in the log, if any.
    pub(crate) fn write(&mut self, op: &Op) -> Option<Entry> {
        let mut epoch = None;
        let change = match op {
            Op::AddKey(key) => {
                self.keys.insert(key.id, key.clone());
                Change::Addition
            }
            Op::RevokeKey(user, id) => {
                let key = self.keys.get_mut(id)?;
                if key.revoked_at.is_some() {
                    return None;
                }
                key.revoked_at = Some(key.created_at);
                Change::Key {
                    user: *user,
                    key: *id,
                }
            }
            Op::RevokeSession(user, session) => {
                if !self.sessions.insert(*session) {
                    return None;
                }
                Change::Session {
                    user: *user,
                    session: *session,
                }
            }
            Op::RaiseEpoch(id) | Op::Deactivate(id) => {
                let user = self.users.get_mut(id)?;
                user.epoch += 1;
                epoch = Some(user.epoch);
                if matches!(op, Op::Deactivate(_)) {
                    user.is_active = false;
                    Change::User { user: *id }
                } else {
                    Change::Sessions { user: *id }
                }
            }
            Op::Reread(id) => {
                let user = self.users.get_mut(id)?;
                user.role = match user.role {
                    Role::Admin => Role::Viewer,
                    Role::Viewer => Role::Admin,
                };
                Change::Reread { user: *id }
            }
            Op::SendAgain(entry) => return self.write_again(entry),
            Op::Trim(keep) => {
                while self.log.len() > *keep {
                    self.trimmed_to = self.log.pop_front().unwrap().number;
                }
                return None;
            }
            Op::Mark => return None,
        };
        Some(self.append(change, epoch))
    }

    fn write_again(&mut self, entry: &Entry) -> Option<Entry> {
        match entry.change {
            Change::Session { user, session } => self.write(&Op::RevokeSession(user, session)),
            Change::Key { user, key } => self.write(&Op::RevokeKey(user, key)),
            Change::Sessions { user } | Change::User { user } => {
                let record = self.users.get_mut(&user)?;
                if Some(record.epoch) >= entry.epoch {
                    return None;
                }
                record.epoch = entry.epoch?;
                record.is_active &= !matches!(entry.change, Change::User { .. });
                Some(self.append(entry.change, entry.epoch))
            }
            Change::Reread { .. } | Change::Addition => None,
        }
    }

    fn append(&mut self, change: Change, epoch: Option<u64>) -> Entry {
        self.last += 1;
        let entry = Entry {
            number: self.last,
            change,
            epoch,
            forget_at: None,
        };
        self.log.push_back(entry);
        entry
    }

    /// Whether it shows what `entry` revoked.
    pub(crate) fn shows(&self, entry: &Entry) -> bool {
        match entry.change {
            Change::Session { session, .. } => self.sessions.contains(&session),
            Change::Key { key, .. } => {
                let key = self.keys.get(&key);
                key.is_none_or(|key| key.revoked_at.is_some())
            }
            Change::Sessions { user } | Change::User { user } => {
                let user = self.users.get(&user);
                user.is_none_or(|user| Some(user.epoch) >= entry.epoch)
            }
            Change::Reread { .. } | Change::Addition => true,
        }
    }

    pub(crate) fn entries(&self, after: u64, most: usize) -> Vec<Entry> {
        let news = self.log.iter().filter(|entry| entry.number > after);
        news.take(most).copied().collect()
    }

    pub(crate) fn session(&self, session: SessionId, user: UserId) -> SessionView {
        SessionView {
            is_revoked: self.sessions.contains(&session),
            user: self.users.get(&user).cloned(),
        }
    }

    pub(crate) fn owned_key(&self, digest: Digest) -> Option<OwnedKey> {
        let key = self.keys.values().find(|key| key.digest == digest)?;
        Some(OwnedKey {
            key: key.clone(),
            owner: self.users.get(&key.user).cloned(),
        })
    }
}

impl Server {
    pub(crate) fn new(index: usize, servers: usize) -> Self {
        Self {
            run: index as u64 + 1,
            history: 0,
            connections: index as u64 + 1,
            data: Data::default(),
            ops: Vec::new(),
            is_master: index == 0,
            is_up: true,
            paused_until: 0,
            side: true,
            acked: vec![0; servers],
            saved: Data::default(),
        }
    }

    pub(crate) fn write(&mut self, op: Op) -> Option<Entry> {
        let entry = self.data.write(&op);
        self.ops.push(op);
        entry
    }

    pub(crate) fn beat(&self, is_sure: bool) -> Beat {
        Beat {
            store: self.data.store,
            server: ServerId(format!("{}/{}", self.run, self.history)),
            last: self.data.last,
            trimmed_to: self.data.trimmed_to,
            time: Timestamp::from_secs(0),
            is_sure,
        }
    }

    /// Begins anew as another process with `data`.
    pub(crate) fn restart(&mut self, run: u64, data: Data) {
        self.run = run;
        self.history = run;
        self.connections = run;
        self.data = data;
        self.ops.clear();
        self.is_up = true;
        self.paused_until = 0;
        self.acked.fill(0);
    }

    /// Takes over from its primary.
    pub(crate) fn promote(&mut self, history: u64) {
        self.is_master = true;
        self.history = history;
        self.ops.clear();
        self.acked.fill(0);
    }
}

pub(crate) fn store_id(number: u64) -> StoreId {
    StoreId(Uuid::from_u128(u128::from(number) + 1))
}
