//! What must hold, whatever happens.

use std::time::Duration;

use dariet_gateway::auth::AuthError;
use dariet_gateway::domain::{CredentialId, Email, Role, UserId, UserName};
use dariet_gateway::revocation::{Admission, Knowledge};
use dariet_gateway::store::UserRecord;

use super::faults::{Fault, faults_begin, skew};
use super::flaw::Flaw;
use super::link::micros;
use super::node::{BOUND, Node, START, TOKENS};
use super::server::{Data, Server, store_id};
use super::world::{Credential, Event, FAULTS_END, KnownRole, TIMEOUT, Time, World};

impl World {
    /// A world in which everything works, and from which on everything may happen.
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut world = Self::empty(seed, flaw);
        // Uptime is never zero.
        world.uptime.advance(Duration::from_secs(100));
        let servers = match flaw {
            Some(Flaw::OneReplicaOfTwo) => 3,
            _ => 1 + world.chance.index(3),
        };
        world.calm = world.chance.within(1, 4);
        world.servers = (0..servers)
            .map(|index| Server::new(index, servers))
            .collect();
        let data = world.populate();
        for server in &mut world.servers {
            server.data = data.clone();
            server.saved = data.clone();
        }
        world.weigh();
        let nodes = 1 + world.chance.index(3);
        let uptime = world.uptime.clone();
        for index in 0..nodes {
            let process = world.id();
            world.nodes.push(Node::start(process, skew(index), &uptime));
            world.go_on(index);
        }
        world.at(0, Event::Request);
        world.at(faults_begin(), Event::Revoke);
        world.at(faults_begin(), Event::MakeKey);
        world.at(faults_begin(), Event::Fault(Fault::Any));
        world.at(FAULTS_END, Event::Fault(Fault::MendAll));
        world
    }

    fn populate(&mut self) -> Data {
        let mut data = Data::of(store_id(0));
        for index in 0..5_u8 {
            // Ids of distinct last bytes are walked through in one order always.
            let id = UserId::from_bytes([index; 16]);
            self.users.push(id);
            self.roles.push(KnownRole::default());
            let record = UserRecord {
                id,
                email: Email::parse(&format!("user{index}@example.com")).unwrap(),
                name: UserName::parse("User").unwrap(),
                role: Role::Viewer,
                is_active: true,
                created_at: START,
                password: String::new(),
                epoch: 0,
                version: 1,
                reset: None,
            };
            data.users.insert(id, record);
            for _ in 0..3 {
                let key = self.new_key(usize::from(index), true);
                data.keys.insert(key.id, key);
            }
            self.new_session(usize::from(index));
        }
        data
    }

    fn new_session(&mut self, user: usize) {
        let issued = TOKENS.issue(self.users[user], 0, START).unwrap();
        self.credentials.push(Credential {
            user,
            id: CredentialId::Session(issued.session),
            text: issued.token.expose().to_owned(),
            is_given: true,
            touched: None,
            made_at: None,
            works_since: None,
            dead_since: None,
        });
    }

    /// Sees from when on each credential works, or does not, by what the primary holds.
    pub(crate) fn weigh(&mut self) {
        let data = &self.servers[self.primary].data;
        for (id, known) in self.users.iter().zip(&mut self.roles) {
            let role = data.users.get(id).map(|user| user.role);
            if known.role != role {
                (known.role, known.since) = (role, self.now);
            }
        }
        for credential in &mut self.credentials {
            if works(data, self.users[credential.user], credential.id) {
                credential.made_at.get_or_insert(self.now);
                credential.works_since.get_or_insert(self.now);
                credential.dead_since = None;
            } else {
                credential.dead_since.get_or_insert(self.now);
                credential.works_since = None;
            }
        }
    }

    /// Nothing is admitted that has not worked for longer than the bound, nor with a role that is as
    /// old, and nothing at all by a node that has found another store.
    pub(crate) fn admitted(&mut self, node: usize, credential: usize, admission: &Admission) {
        self.tally.admitted += 1;
        let credential = &self.credentials[credential];
        let bound = micros(BOUND);
        let role = &self.roles[credential.user];
        let role_since = role.since.max(role.lost_at);
        if let Some(dead) = credential.dead_since
            && self.now > dead + bound
        {
            let late = self.now - dead;
            self.violate(format!("node {node} admitted what was dead for {late} µs"));
        } else if self.nodes[node].is_replaced {
            self.violate(format!("node {node} admitted after its store was replaced"));
        } else if role.role != Some(admission.principal().role) && self.now > role_since + bound {
            let late = self.now - role_since;
            self.violate(format!("node {node} admitted with a role of {late} µs ago"));
        }
    }

    /// Nothing is refused that worked all the time and that nobody tried to revoke.
    pub(crate) fn refused(&mut self, node: usize, credential: usize, error: &AuthError) {
        self.tally.refused += 1;
        let credential = &self.credentials[credential];
        // A key that is so new may be unknown where an old primary does not know that it is one.
        let grace: Time = micros(BOUND) + 2 * TIMEOUT;
        let is_new = |since: Option<Time>| since.is_none_or(|at| at > 0 && at + grace >= self.now);
        if credential.touched.is_some() || is_new(credential.made_at) {
            return;
        }
        let had = self.before_loss.as_ref();
        let worked =
            had.is_some_and(|data| works(data, self.users[credential.user], credential.id));
        if !is_new(credential.works_since) {
            self.violate(format!("node {node} refused what works: {error}"));
        } else if worked && self.nodes[node].store == Some(store_id(0)) {
            self.violate(format!(
                "node {node} refused what its own store has: {error}"
            ));
        }
    }

    /// What a node knows to be revoked is so in the store before the node is fresh.
    pub(crate) fn check_sent_again(&mut self, node: usize) {
        let parts = &self.nodes[node];
        let server = &self.servers[self.primary];
        if parts.session != Some((self.primary, server.connections)) || !server.is_master {
            return;
        }
        // It may have become primary since the beat that made the node fresh.
        if parts.follows != Some(server.beat(true).server) {
            return;
        }
        let lost = parts.knows.iter().find(|entry| !server.data.shows(entry));
        if let Some(entry) = lost {
            let what = format!("node {node} is fresh and {:?} is lost", entry.change);
            self.violate(what);
        }
    }

    /// After the last fault everything is as it should be.
    pub(crate) fn check_end(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let knowledge = node.applier.freshness.knowledge();
            if knowledge != Knowledge::Fresh {
                return self.violate(format!("node {index} is {knowledge:?} at the end"));
            }
            let exchanges = node.exchanges.iter().map(|(credential, admission)| {
                (&self.credentials[*credential], admission.ended().is_some())
            });
            let goes_on = |(credential, is_ended): &(&Credential, bool)| {
                credential.dead_since.is_some() && !is_ended
            };
            let is_cut = |(credential, is_ended): &(&Credential, bool)| {
                credential.touched.is_none() && credential.works_since == Some(0) && *is_ended
            };
            if exchanges.clone().any(|one| goes_on(&one)) {
                return self.violate(format!("node {index} goes on with what is dead"));
            }
            if exchanges.clone().any(|one| is_cut(&one)) {
                return self.violate(format!("node {index} cut what works"));
            }
        }
    }
}

fn works(data: &Data, user: UserId, credential: CredentialId) -> bool {
    match credential {
        CredentialId::Key(id) => {
            let is_active = data.users.get(&user).is_some_and(|user| user.is_active);
            let key = data.keys.get(&id);
            is_active && key.is_some_and(|key| key.revoked_at.is_none())
        }
        CredentialId::Session(session) => {
            let view = data.session(session, user);
            let user = view.user.filter(|user| user.is_active && user.epoch == 0);
            user.is_some() && !view.is_revoked
        }
    }
}
