//! Limits of requests that several nodes keep together over one server.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dariet_gateway::config::{Config, Environment};
use dariet_gateway::gateway::{Limits, RateFields};
use dariet_gateway::store::{Feed as _, Limit, LimitKey, Redis, Spent, Tally};
use tokio::task::JoinSet;

use super::places::{OUR_ACCOUNT, acl_line};
use super::world::{connect, opened, settings, settings_with};
use crate::redis_server::{Cluster, RedisBuilder, RedisServer};
use crate::support::wait;

/// A node's limits, and the task that keeps them together with the others'.
struct Node {
    limits: Arc<Limits>,
    _settling: JoinSet<()>,
}

impl Node {
    /// To be made where a runtime runs.
    fn over(store: &Arc<Redis>, rate: &str, burst: u32) -> Self {
        let text = format!(
            "[store]\nurl = 'redis://127.0.0.1'\n[sessions]\nissuer = 'https://a.example'\n\
             [[sessions.signing_keys]]\nfile = 'key.pem'\n\
             [upstreams.a]\nservers = ['http://a']\n[[routes]]\npath = '/'\nupstream = 'a'\n\
             [[limits]]\nper = 'address'\nrate = '{rate}'\nburst = {burst}"
        );
        let file = std::path::Path::new("/");
        let config = Config::parse(&text, "gateway.toml", file, &Environment::new());
        let limits = Limits::new(&config.unwrap_or_else(|mistakes| panic!("{mistakes}")));
        let limits = Arc::new(limits);
        let tally: Arc<dyn Tally> = Arc::<Redis>::clone(store);
        let mut settling = JoinSet::new();
        settling.spawn(Arc::clone(&limits).settle_over(tally));
        Self {
            limits,
            _settling: settling,
        }
    }

    async fn request(&self, client: u8) -> bool {
        let client = IpAddr::from(Ipv4Addr::new(192, 0, 2, client));
        let fields = &mut RateFields::default();
        let admitted = self
            .limits
            .admit_address(0, client, Instant::now(), fields)
            .await;
        admitted.is_ok()
    }

    /// How many of so many come through.
    async fn requests(&self, client: u8, count: usize) -> usize {
        let mut passed = 0;
        for _ in 0..count {
            passed += usize::from(self.request(client).await);
            // The task that tells has its turn as well.
            tokio::task::yield_now().await;
        }
        passed
    }
}

fn spent(count: u32, age: Duration) -> Spent {
    let limit = Limit {
        key: LimitKey::new("test", &[b"one"]),
        burst: 100,
        every: Duration::from_secs(60),
    };
    Spent { limit, count, age }
}

fn minutes(ahead: &[Option<Duration>]) -> Vec<u64> {
    let ahead = ahead.iter().map(|ahead| ahead.unwrap().as_secs());
    ahead.map(|seconds| seconds.div_ceil(60)).collect()
}

/// How often the server ran a script.
fn scripts(server: &RedisServer) -> u64 {
    let info: String = server.ask(&["INFO", "commandstats"]);
    let of = |name: &str| {
        let line = info
            .lines()
            .find(|line| line.starts_with(&format!("cmdstat_{name}:")))?;
        let (_, rest) = line.split_once("calls=")?;
        rest.split(',').next()?.parse::<u64>().ok()
    };
    of("eval").unwrap_or(0) + of("evalsha").unwrap_or(0)
}

/// Waits until it ran one after so many.
async fn until_told(server: &RedisServer, before: u64) {
    for _ in 0..1000 {
        if scripts(server) > before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was told");
}

#[test]
fn what_each_node_tells_comes_on_top_of_what_the_others_told() {
    let server = RedisBuilder::default().setting(acl_line()).start();
    // With no more rights than the manual gives.
    let store = || opened(&settings_with(&server.url(), OUR_ACCOUNT)).0;
    let (one, other) = (store(), store());
    let ahead = wait(async {
        let now = Duration::ZERO;
        let mut ahead = one.settle(&[spent(3, now)]).await.unwrap();
        ahead.extend(other.settle(&[spent(10, now)]).await.unwrap());
        // More than the burst: it has passed.
        ahead.extend(one.settle(&[spent(120, now)]).await.unwrap());
        ahead.extend(other.settle(&[spent(0, now)]).await.unwrap());
        ahead
    });
    assert_eq!(minutes(&ahead), [3, 13, 133, 133]);
}

#[test]
fn what_is_told_late_is_counted_from_when_it_began() {
    let server = RedisServer::start();
    let store = opened(&settings(&server.url())).0;
    let age = Duration::from_secs(600);
    let ahead = wait(async {
        let mut ahead = store.settle(&[spent(12, age)]).await.unwrap();
        ahead.extend(store.settle(&[spent(3, age)]).await.unwrap());
        ahead
    });
    assert_eq!(minutes(&ahead), [2, 5]);
}

#[test]
fn a_cluster_counts_each_limit_where_it_is() {
    let cluster = Cluster::start(0);
    let store = opened(&settings(&cluster.url())).0;
    let all: Vec<_> = (0..20_u8)
        .map(|subject| {
            let mut spent = spent(u32::from(subject), Duration::ZERO);
            spent.limit.key = LimitKey::new("test", &[&[subject]]);
            spent
        })
        .collect();
    let ahead = wait(store.settle(&all)).unwrap();
    assert_eq!(minutes(&ahead), (0..20).collect::<Vec<_>>());
}

#[test]
fn two_nodes_pass_a_limit_by_no_more_than_a_batch_each() {
    let server = RedisServer::start();
    let stores = [(), ()].map(|()| opened(&settings(&server.url())).0);
    wait(async {
        let nodes = stores.each_ref().map(|it| Node::over(it, "1 per 1h", 100));
        tokio::task::yield_now().await;
        let [one, other] = &nodes;
        let (one, other) = tokio::join!(one.requests(1, 300), other.requests(1, 300));
        assert!((80..=120).contains(&(one + other)), "{one} {other}");
        assert!(one > 0 && other > 0, "{one} {other}");

        // Who comes to one node alone loses nothing to the other.
        assert_eq!(nodes[0].requests(2, 300).await, 100);
        let late = nodes[1].requests(2, 300).await;
        assert!(late <= 10, "{late}");
    });
}

#[test]
fn a_request_costs_no_command_until_half_a_batch_has_passed() {
    let server = RedisServer::start();
    let store = opened(&settings(&server.url())).0;
    wait(async {
        let node = Node::over(&store, "1 per 1h", 1000);
        // The server learns the script.
        store.settle(&[spent(0, Duration::ZERO)]).await.unwrap();
        let before = scripts(&server);
        for client in 0..20 {
            assert_eq!(node.requests(client, 49).await, 49);
        }
        // All that there is to tell is told together, and that is of one client.
        assert_eq!(node.requests(100, 50).await, 50);
        until_told(&server, before).await;
        assert_eq!(scripts(&server), before + 1);

        assert_eq!(node.requests(0, 951).await, 951);
        assert_eq!(node.requests(0, 1000).await, 0);
        let commands = scripts(&server) - before;
        assert!((2..=23).contains(&commands), "{commands}");
    });
}

#[test]
fn nodes_keep_a_limit_by_themselves_while_the_server_is_away_and_together_again_after() {
    let mut server = RedisServer::start();
    let lines = "max_staleness = '2s'";
    let stores = [(), ()].map(|()| opened(&settings_with(&server.url(), lines)).0);
    wait(async {
        let nodes = stores.each_ref().map(|it| Node::over(it, "1 per 1h", 50));
        tokio::task::yield_now().await;
        assert_eq!(nodes[0].requests(1, 20).await, 20);
        server.kill();

        let began = Instant::now();
        assert_eq!(nodes[0].requests(1, 200).await, 30);
        assert_eq!(nodes[1].requests(1, 200).await, 50);
        assert!(began.elapsed() < Duration::from_secs(5));

        server.restart();
        for store in &stores {
            connect(store).unwrap();
            store.open();
        }
        // The pause after a failure ends by itself.
        let mut client = 10;
        for node in &nodes {
            let before = scripts(&server);
            while scripts(&server) == before {
                client += 1;
                node.requests(client, 3).await;
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        let (one, other) = tokio::join!(nodes[0].requests(9, 200), nodes[1].requests(9, 200));
        assert!((40..=60).contains(&(one + other)), "{one} {other}");
    });
}
