//! Clients: they send credentials, and revoke and make them.

use std::sync::Arc;

use dariet_gateway::auth::AuthError;
use dariet_gateway::domain::{ApiKey, CredentialId, KeyId, KeyName};
use dariet_gateway::http;
use dariet_gateway::revocation::{Admission, Era, Recent};
use dariet_gateway::store::{Change, Entry, KeyRecord};

use super::flaw::Flaw;
use super::node::START;
use super::server::Op;
use super::world::{Credential, END, Event, FAULTS_END, MILLI, TIMEOUT, Time, Work, World};

/// A change on its way to the store, as `Changes` makes it.
pub(crate) struct Write {
    pub(crate) node: usize,
    process: u64,
    op: Op,
    /// What it ends when nobody knows whether it was written; `None` for what ends nothing.
    unknown: Option<Change>,
    era: Era,
    is_repeated: bool,
    attempt: u64,
}

/// What a server says of a change.
#[derive(Clone, Copy)]
pub(crate) enum WriteAnswer {
    /// It was written, with this entry unless it had been before.
    Written(Option<Entry>),
    /// It was surely not.
    Refused,
}

const REPEAT_AFTER: Time = 200 * MILLI;
const MOST_CONNECTIONS: usize = 24;

impl World {
    /// One request to any node, with any credential; most of those that ask for trouble.
    pub(crate) fn request(&mut self) {
        let rate = if self.now < FAULTS_END { 1 } else { 5 };
        let pause = self.chance.within(5 * MILLI, 25 * MILLI) * rate;
        self.after(pause, Event::Request);
        let node = self.chance.index(self.nodes.len());
        self.request_to(node);
    }

    pub(crate) fn request_to(&mut self, node: usize) {
        if self.nodes[node].paused_until > self.now {
            return;
        }
        let Some(credential) = self.any_credential() else {
            return;
        };
        if self.chance.percent(50) && self.request_on_connection(node, credential) {
            return;
        }
        self.admit(node, credential);
    }

    pub(crate) fn admit(&mut self, node: usize, credential: usize) {
        let parts = &self.nodes[node];
        let is_fresh = parts.applier.freshness.check().is_ok();
        let authenticator = if self.has(Flaw::MissesWhileStale) && !is_fresh {
            parts.careless()
        } else {
            Arc::clone(&parts.authenticator)
        };
        let text = self.credentials[credential].text.clone();
        let work = async move {
            let credential = if text.starts_with("dk_") {
                http::Credential::ApiKey(&text)
            } else {
                http::Credential::Session(&text)
            };
            authenticator.admit(credential).await
        };
        self.start_task(node, Work::Admit(credential, Box::pin(work)));
    }

    /// A request on a connection that remembers its credential, as the gateway answers it.
    fn request_on_connection(&mut self, node: usize, credential: usize) -> bool {
        let parts = &self.nodes[node];
        let known = parts.connections.iter().rev();
        let Some((_, admission)) = known.into_iter().find(|(own, _)| *own == credential) else {
            return false;
        };
        let is_fresh = parts.applier.freshness.check().is_ok() || self.has(Flaw::HitsWhileStale);
        if !is_fresh || !admission.admits(parts.clock.now()) {
            return false;
        }
        let admission = Arc::clone(admission);
        self.admitted(node, credential, &admission);
        true
    }

    /// Many requests to one node from some time to another.
    pub(crate) fn burst(&mut self, node: usize, from: Time, to: Time) {
        for _ in 0..20 {
            let time = self.chance.within(from, to);
            self.at(time, Event::RequestTo(node));
        }
    }

    /// Half of the time one that was revoked of late.
    fn any_credential(&mut self) -> Option<usize> {
        let (now, credentials) = (self.now, &self.credentials);
        let given = (0..credentials.len()).filter(|index| credentials[*index].is_given);
        let given: Vec<_> = given.collect();
        let is_hot = |index: &usize| {
            let touched = credentials[*index].touched;
            touched.is_some_and(|at| now - at < 1500 * MILLI)
        };
        let hot: Vec<_> = given.iter().copied().filter(is_hot).collect();
        let among = if hot.is_empty() || self.chance.percent(50) {
            given
        } else {
            hot
        };
        (!among.is_empty()).then(|| among[self.chance.index(among.len())])
    }

    /// What a request came to.
    pub(crate) fn answered(
        &mut self,
        node: usize,
        credential: usize,
        answer: Result<Arc<Admission>, AuthError>,
    ) {
        match answer {
            Ok(admission) => {
                self.admitted(node, credential, &admission);
                let is_long = self.chance.percent(20);
                let parts = &mut self.nodes[node];
                if is_long {
                    parts.exchanges.push((credential, Arc::clone(&admission)));
                }
                parts.connections.push((credential, admission));
                if parts.connections.len() > MOST_CONNECTIONS {
                    parts.connections.remove(0);
                }
            }
            Err(AuthError::Store(_) | AuthError::Unsteady) => self.tally.unknown += 1,
            Err(error) => self.refused(node, credential, &error),
        }
    }

    /// Somebody revokes something, through any node.
    pub(crate) fn revoke(&mut self) {
        if self.now < FAULTS_END {
            let pause = self.chance.within(40 * MILLI, 220 * MILLI);
            self.after(pause, Event::Revoke);
        }
        let Some(index) = self.any_credential() else {
            return;
        };
        let credential = &self.credentials[index];
        let (owner, id) = (credential.user, credential.id);
        let user = self.users[owner];
        let (op, unknown) = match (self.chance.index(10), id) {
            (0, _) => (Op::Deactivate(user), Change::User { user }),
            (1 | 2, _) => (Op::RaiseEpoch(user), Change::Sessions { user }),
            (3 | 4, _) => (Op::Reread(user), Change::Reread { user }),
            (_, CredentialId::Key(key)) => (Op::RevokeKey(user, key), Change::Key { user, key }),
            (_, CredentialId::Session(session)) => (
                Op::RevokeSession(user, session),
                Change::Session { user, session },
            ),
        };
        for (other, credential) in self.credentials.iter_mut().enumerate() {
            let is_meant = match op {
                Op::Deactivate(_) | Op::RaiseEpoch(_) => credential.user == owner,
                Op::Reread(_) => false,
                _ => other == index,
            };
            if is_meant {
                credential.touched = Some(self.now);
            }
        }
        self.tally.revocations += 1;
        let node = self.chance.index(self.nodes.len());
        self.write(node, op, Some(unknown));
    }

    /// Somebody makes a key.
    pub(crate) fn make_key(&mut self) {
        if self.now < FAULTS_END {
            let pause = self.chance.within(100 * MILLI, 400 * MILLI);
            self.after(pause, Event::MakeKey);
        }
        let owner = self.chance.index(self.users.len());
        let key = self.new_key(owner, false);
        let node = self.chance.index(self.nodes.len());
        self.write(node, Op::AddKey(key), None);
    }

    pub(crate) fn new_key(&mut self, owner: usize, is_given: bool) -> KeyRecord {
        let mut random = [0; 20];
        for byte in &mut random {
            *byte = self.chance.number().to_le_bytes()[0];
        }
        let key = ApiKey::from_random(&random);
        let mut id = [1; 16];
        id[..8].copy_from_slice(&self.id().to_be_bytes());
        let record = KeyRecord {
            id: KeyId::from_bytes(id),
            user: self.users[owner],
            name: KeyName::parse("key").unwrap(),
            shown_prefix: key.shown_prefix().to_owned(),
            digest: key.digest(),
            created_at: START,
            expires_at: None,
            revoked_at: None,
        };
        self.credentials.push(Credential {
            user: owner,
            id: CredentialId::Key(record.id),
            text: key.expose().to_owned(),
            is_given,
            touched: None,
            made_at: None,
            works_since: None,
            dead_since: None,
        });
        record
    }

    fn write(&mut self, node: usize, op: Op, unknown: Option<Change>) {
        let id = self.id();
        let write = Write {
            node,
            process: self.nodes[node].process,
            op,
            unknown,
            era: self.nodes[node].applier.recent.era(),
            is_repeated: false,
            attempt: 0,
        };
        self.writes.insert(id, write);
        self.send_write(id);
    }

    pub(crate) fn send_write(&mut self, id: u64) {
        let Some(write) = self.writes.get_mut(&id) else {
            return;
        };
        let node = &self.nodes[write.node];
        if node.process != write.process {
            self.writes.remove(&id);
            return;
        }
        let session = node.session.filter(|_| node.is_open);
        let session = session.filter(|_| node.applier.freshness.check().is_ok());
        let Some((server, connections)) = session else {
            return self.repeat_or_forget(id);
        };
        write.era = Recent::era(&node.applier.recent);
        write.attempt += 1;
        let (index, attempt) = (write.node, write.attempt);
        let lost = Event::Written {
            id,
            attempt,
            answer: None,
        };
        self.after(TIMEOUT, lost);
        let transit = self.transit(index);
        let event = Event::Write {
            id,
            attempt,
            server,
            connections,
        };
        self.after(transit, event);
    }

    /// A change that may have been written is repeated; one that surely was not is refused.
    fn repeat_or_forget(&mut self, id: u64) {
        if self.writes.get(&id).is_some_and(|write| write.is_repeated) {
            if self.now < END {
                self.after(REPEAT_AFTER, Event::Repeat(id));
            }
        } else {
            self.writes.remove(&id);
        }
    }

    pub(crate) fn serve_write(&mut self, id: u64, attempt: u64, index: usize, connections: u64) {
        let Some(write) = self.writes.get(&id) else {
            return;
        };
        let (node, op) = (write.node, write.op.clone());
        let server = &self.servers[index];
        if write.attempt != attempt
            || !self.reaches(node, index)
            || !server.is_up
            || server.connections != connections
        {
            return;
        }
        self.tell(|| format!("node {node} writes {id} to {index}"));
        let answer = if self.servers[index].is_master {
            WriteAnswer::Written(self.write_at(index, op))
        } else {
            WriteAnswer::Refused
        };
        if self.reaches(node, index) {
            // It may wait for a replica first.
            let waits = if self.chance.percent(20) {
                120 * MILLI
            } else {
                MILLI
            };
            let transit = self.transit(node) + self.chance.within(0, waits);
            let answer = Some(answer);
            let event = Event::Written {
                id,
                attempt,
                answer,
            };
            self.after(transit, event);
        }
    }

    pub(crate) fn written(&mut self, id: u64, attempt: u64, answer: Option<WriteAnswer>) {
        let Some(write) = self.writes.get_mut(&id) else {
            return;
        };
        if write.attempt != attempt || self.nodes[write.node].process != write.process {
            return;
        }
        write.attempt += 1;
        let is_written = matches!(answer, Some(WriteAnswer::Written(_)));
        self.tell(|| format!("write {id} is written: {is_written}"));
        let write = &self.writes[&id];
        let (node, era, unknown) = (write.node, write.era, write.unknown);
        match answer {
            Some(WriteAnswer::Written(entry)) => {
                let is_noted = entry.is_none_or(|entry| self.note(node, era, entry));
                if is_noted {
                    self.settle(id, entry);
                } else {
                    self.hold(id, unknown);
                }
            }
            Some(WriteAnswer::Refused) => self.repeat_or_forget(id),
            None => self.hold(id, unknown),
        }
    }

    /// Remembers a change that was recorded; false when it may be lost already.
    fn note(&mut self, node: usize, era: Era, entry: Entry) -> bool {
        let is_counted = self.has(Flaw::LateRevocationsCount);
        let node = &mut self.nodes[node];
        let is_noted = node.applier.recent.note(era, entry).is_ok() || is_counted;
        if is_noted {
            node.knows.push(entry);
        }
        is_noted
    }

    /// A change was answered as recorded.
    fn settle(&mut self, id: u64, entry: Option<Entry>) {
        let Some(write) = self.writes.remove(&id) else {
            return;
        };
        let ledger = &self.nodes[write.node].applier.ledger;
        if let Some(entry) = entry {
            let _ = ledger.apply(entry.change);
        }
        match (&write.op, write.unknown) {
            (Op::AddKey(key), _) => {
                let id = CredentialId::Key(key.id);
                let made = self.credentials.iter_mut().find(|made| made.id == id);
                made.unwrap().is_given = true;
            }
            (_, Some(unknown)) if write.is_repeated => ledger.settle(unknown),
            _ => {}
        }
    }

    /// Nobody knows whether a change was written: what it revokes ends at once, and it is repeated.
    fn hold(&mut self, id: u64, unknown: Option<Change>) {
        let Some(write) = self.writes.get_mut(&id) else {
            return;
        };
        let Some(unknown) = unknown else {
            self.writes.remove(&id);
            return;
        };
        if !write.is_repeated {
            write.is_repeated = true;
            let ledger = &self.nodes[write.node].applier.ledger;
            ledger.hold(unknown);
            let _ = ledger.apply(unknown);
        }
        self.repeat_or_forget(id);
    }
}
