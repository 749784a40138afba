//! Several nodes on one store, each behind a network of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::probe::{Probe, Seen};
use super::redis_server::{RedisBuilder, RedisServer};
use super::relay::Relay;
use crate::support::accounts::{Key, Session};
use crate::support::message::Call;
use crate::support::node;
use crate::support::service::{Scripted, Service};
use crate::support::setup::Setup;
use crate::support::world::World;

/// Nodes that share a store.
pub struct Fleet {
    pub nodes: Vec<World>,
    /// What stands between each node and the store.
    pub networks: Vec<Relay>,
    pub service: Service,
    /// The signing key of all of them.
    keys: TempDir,
    store: String,
}

/// What the tests let nodes be behind, and still answer.
pub const MAX_STALENESS: Duration = Duration::from_secs(2);
/// What a revocation may take to every node while all is well, on a machine that is busy with tests.
pub const PROMPT: Duration = Duration::from_secs(1);

/// A limit that all nodes keep together. A batch is a tenth of the burst.
pub const FIFTY_AT_ONCE: &str = "[[limits]]\nper = \"principal\"\nrate = \"1 per 1h\"\nburst = 50";

impl Fleet {
    /// So many nodes on the Redis server at this address.
    pub async fn of(count: usize, redis: SocketAddr) -> Self {
        Self::with(count, redis, "").await
    }

    /// The same with more lines in `[store]`.
    pub async fn with(count: usize, redis: SocketAddr, store: &str) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let mut create = node::command(&keys.path().join("none.toml"));
        create
            .args(["signing-key", "create"])
            .arg(keys.path().join("a.pem"));
        assert!(create.output().unwrap().status.success());
        let mut fleet = Self {
            nodes: Vec::new(),
            networks: Vec::new(),
            service: Service::echo().await,
            keys,
            store: store.to_owned(),
        };
        for _ in 0..count {
            fleet.join(redis).await;
        }
        fleet
    }

    /// One more node.
    pub async fn join(&mut self, redis: SocketAddr) {
        let network = Relay::to(redis).await;
        let setup = self.setup(network.address);
        let world = match self.nodes.first() {
            None => setup.start().await,
            Some(first) => {
                let mut world = setup.start_empty().await;
                world.set_administrator(first.administrator().clone());
                world
            }
        };
        self.nodes.push(world);
        self.networks.push(network);
    }

    /// What a node is that reaches the store at this address.
    pub fn setup(&self, redis: SocketAddr) -> Setup {
        let key = self.keys.path().join("a.pem");
        let sessions = format!(
            "[sessions]\nissuer = \"https://gateway.test\"\n\
             [[sessions.signing_keys]]\nfile = {key:?}\n"
        );
        Setup::before(self.service.address)
            .plain()
            .store(&format!("url = \"redis://{redis}\"\n{}", self.store))
            .toml(&sessions)
    }

    /// Two nodes more, with these lines in their configuration.
    pub async fn two_with(&self, redis: SocketAddr, lines: &str) -> [World; 2] {
        let node = async || self.setup(redis).toml(lines).start_empty().await;
        [node().await, node().await]
    }

    /// A node more, which reaches the store at this address, with a service whose every byte the test decides.
    pub async fn node_before(&self, service: &Scripted, redis: SocketAddr) -> World {
        let setup = self.setup(redis);
        let setup = setup.upstream("scripted", service.address);
        setup.route("/scripted", "scripted", "").start_empty().await
    }

    pub fn administrator(&self) -> &Session {
        self.nodes[0].administrator()
    }

    /// A key that a node makes.
    pub async fn new_key(&self, node: usize) -> Key {
        self.nodes[node].new_key(self.administrator()).await
    }

    /// Revokes a key through a node; answers when that was answered.
    pub async fn revoke(&self, node: usize, key: &Key) -> Instant {
        self.nodes[node].revoke(key).await;
        Instant::now()
    }

    /// Waits until a node has doubted all that it knew, for this reason.
    pub async fn doubts(&self, node: usize, reason: &str) {
        let log = &self.nodes[node].node().log;
        log.wait_for("a doubt", |line| line["reason"] == reason)
            .await;
    }

    /// The request that deletes a key.
    pub fn deletion_of(&self, key: &Key) -> Call {
        Call::delete(&format!("/api/api-keys/{}", key.id)).bearer(&self.administrator().token)
    }

    /// Asks every node with this credential.
    pub fn probe(&self, credential: &str) -> Vec<Probe> {
        let nodes = self.nodes.iter();
        nodes.map(|node| Probe::of(node, credential)).collect()
    }

    /// Asks every node with a key and with a session, both of which stay good.
    pub async fn watch(&self) -> Clients {
        let key = self.new_key(0).await;
        let keys = self.probe(&key.key);
        let sessions = self.probe(&self.administrator().token);
        let clients = Clients {
            keys,
            sessions,
            since: Instant::now(),
        };
        clients.all_get(200).await;
        clients
    }
}

/// Where a server listens.
pub fn at(server: &RedisServer) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port))
}

/// A server that follows the one at this address.
pub fn replica_of(primary: SocketAddr) -> RedisServer {
    RedisBuilder::default().replica_of(primary.port()).start()
}

/// Clients with good credentials at every node.
pub struct Clients {
    keys: Vec<Probe>,
    sessions: Vec<Probe>,
    since: Instant,
}

impl Clients {
    /// Waits until every node gives every client this answer.
    pub async fn all_get(&self, status: u16) {
        for probe in self.keys.iter().chain(&self.sessions) {
            probe.gets(status).await;
        }
    }

    /// Waits until every client has an answer that `is_it` says yes to.
    pub async fn all_find(&self, what: &str, is_it: impl Fn(&Seen) -> bool) {
        for probe in self.keys.iter().chain(&self.sessions) {
            probe.finds(what, &is_it).await;
        }
    }

    /// Waits until one node gives its clients this answer.
    pub async fn get_from(&self, node: usize, status: u16) {
        self.keys[node].gets(status).await;
        self.sessions[node].gets(status).await;
    }

    /// From now on is what [`Self::tell`] tells of.
    pub fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// Writes what the clients saw since it began, for whoever runs the tests with their output on.
    pub fn tell(&self, what: &str) {
        for (node, probe) in self.keys.iter().enumerate() {
            let all = probe.all();
            let seen = all.iter().filter(|seen| seen.sent >= self.since);
            let (mut requests, mut unavailable) = (0, Vec::new());
            for one in seen {
                requests += 1;
                if one.status == 503 {
                    unavailable.push(one.sent - self.since);
                }
            }
            let count = unavailable.len();
            match (unavailable.first(), unavailable.last()) {
                (Some(first), Some(last)) => println!(
                    "{what}: node {node}: {count} of {requests} requests got 503, from {first:.1?} to {last:.1?}"
                ),
                _ => println!("{what}: node {node}: none of {requests} requests got 503"),
            }
        }
    }

    /// Fails when a node said since it began that it cannot tell.
    #[track_caller]
    pub fn were_never_unavailable(&self) {
        for probe in self.keys.iter().chain(&self.sessions) {
            let all = probe.all().into_iter();
            let mut late = all.filter(|seen| seen.sent >= self.since && seen.status == 503);
            let late = late.next();
            assert!(late.is_none(), "a good credential got {late:?}");
        }
    }

    /// Fails when a node ever said that a good credential is not good.
    #[track_caller]
    pub fn were_never_refused(&self) {
        for probe in self.keys.iter().chain(&self.sessions) {
            probe.was_never_refused();
        }
    }
}
