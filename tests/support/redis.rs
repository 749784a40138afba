//! Real Redis servers, Sentinels and Clusters, each in a folder of its own and gone with the test.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use redis::{FromRedisValue, Value};
use rustix::process::{Pid, Signal, kill_process};

/// What a server is started with.
#[derive(Default)]
pub struct RedisBuilder {
    lines: Vec<String>,
    is_sentinel: bool,
    has_no_port: bool,
    is_tls: bool,
    port: Option<u16>,
}

/// A running server. It ends when this is dropped.
pub struct RedisServer {
    child: Child,
    builder: RedisBuilder,
    home: tempfile::TempDir,
    /// Where it listens; 0 when only on its socket.
    pub port: u16,
}

impl RedisBuilder {
    /// Adds a line of its configuration.
    #[must_use]
    pub fn setting(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Has it follow the server at `port`.
    #[must_use]
    pub fn replica_of(self, port: u16) -> Self {
        self.setting(format!("replicaof 127.0.0.1 {port}"))
    }

    /// Has it listen with TLS only, to those who show a certificate, with the files of a folder:
    /// `ca.crt`, `server.crt`, `server.key`.
    #[must_use]
    pub fn tls(mut self, folder: &Path) -> Self {
        self.is_tls = true;
        for (setting, file) in [
            ("tls-ca-cert-file", "ca.crt"),
            ("tls-cert-file", "server.crt"),
            ("tls-key-file", "server.key"),
        ] {
            self = self.setting(format!("{setting} {}", folder.join(file).display()));
        }
        self
    }

    /// Has it listen only on the Unix socket `redis.sock` in its folder.
    #[must_use]
    pub fn only_socket(mut self) -> Self {
        self.has_no_port = true;
        self
    }

    /// Makes it a Sentinel that watches the server at `port` and calls it `mymaster`.
    #[must_use]
    pub fn sentinel_of(mut self, port: u16, quorum: u32) -> Self {
        self.is_sentinel = true;
        self.setting(format!(
            "sentinel monitor mymaster 127.0.0.1 {port} {quorum}"
        ))
        .setting("sentinel down-after-milliseconds mymaster 500")
        .setting("sentinel failover-timeout mymaster 3000")
    }

    /// Starts it and waits until it is ready.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let home = tempfile::tempdir().unwrap();
        let (child, port) = self.spawn(home.path());
        RedisServer {
            child,
            builder: self,
            home,
            port,
        }
    }

    /// A port that was free may be taken a moment later: then another one is tried.
    fn spawn(&self, home: &Path) -> (Child, u16) {
        for _ in 0..10 {
            let port = match self.port {
                _ if self.has_no_port => 0,
                Some(port) => port,
                None => free_port(),
            };
            let file = home.join("redis.conf");
            // A Sentinel writes what it knows into its own file.
            if !(self.is_sentinel && file.exists()) {
                std::fs::write(&file, self.configuration(home, port)).unwrap();
            }
            let mut command = Command::new("redis-server");
            command
                .arg(&file)
                .args(self.is_sentinel.then_some("--sentinel"));
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("redis-server must be installed: run tests/setup");
            match wait_until_ready(child.stdout.take().unwrap()) {
                Ok(()) => return (child, port),
                Err(said) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    assert!(
                        said.contains("in use"),
                        "redis-server did not start:\n{said}"
                    );
                }
            }
        }
        panic!("no port is free for redis-server");
    }

    fn configuration(&self, home: &Path, port: u16) -> String {
        let listen = if self.is_tls {
            "port 0\ntls-port"
        } else {
            "port"
        };
        let mut lines = vec![
            format!("{listen} {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", home.display()),
            "protected-mode no".to_owned(),
        ];
        if !self.is_sentinel {
            lines.push("save \"\"".to_owned());
            // A primary waits five seconds for more replicas before it sends the first its data.
            lines.push("repl-diskless-sync-delay 0".to_owned());
            lines.push(format!("unixsocket {}", home.join("redis.sock").display()));
        }
        lines.extend(self.lines.iter().cloned());
        lines.join("\n")
    }
}

impl RedisServer {
    /// A server without persistence on a free port.
    #[must_use]
    pub fn start() -> Self {
        RedisBuilder::default().start()
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.home.path().join("redis.sock")
    }

    /// Its URL for `[store] url`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks it something as its administrator.
    #[track_caller]
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap()
    }

    /// The same where it may refuse or not answer.
    pub fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let url = match self.builder.is_sentinel {
            true => self.url(),
            false => format!("unix://{}", self.socket().display()),
        };
        let mut connection = redis::Client::open(url)?.get_connection()?;
        let (name, arguments) = words.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut connection)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it without warning.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was, with what it saved.
    pub fn restart(&mut self) {
        self.kill();
        self.builder.port = Some(self.port);
        (self.child, _) = self.builder.spawn(self.home.path());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A primary, a replica of it, and three Sentinels that agree on it.
pub struct Sentinels {
    /// The primary, then the replica.
    pub servers: [RedisServer; 2],
    /// Who watches them.
    pub sentinels: Vec<RedisServer>,
}

impl Sentinels {
    /// Starts them, and waits until each knows all the others.
    #[must_use]
    pub fn start() -> Self {
        let primary = RedisServer::start();
        let replica = RedisBuilder::default().replica_of(primary.port).start();
        until_following(&primary, &replica);
        let sentinel = |_| RedisBuilder::default().sentinel_of(primary.port, 2).start();
        let sentinels: Vec<_> = (0..3).map(sentinel).collect();
        for sentinel in &sentinels {
            until("the Sentinels to know each other", || {
                let others: Vec<Value> = sentinel.ask(&["SENTINEL", "SENTINELS", "mymaster"]);
                let replicas: Vec<Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]);
                others.len() == 2 && replicas.len() == 1
            });
        }
        Self {
            servers: [primary, replica],
            sentinels,
        }
    }

    /// Their URL for `[store] url`.
    pub fn url(&self) -> String {
        let hosts = self
            .sentinels
            .iter()
            .map(|it| format!("127.0.0.1:{}", it.port));
        let hosts: Vec<_> = hosts.collect();
        format!("redis+sentinel://{}/mymaster", hosts.join(","))
    }
}

/// The nodes of a Redis Cluster.
pub struct Cluster {
    /// Primaries first, then their replicas.
    pub nodes: Vec<RedisServer>,
}

impl Cluster {
    /// Starts three primaries with so many replicas each, and waits until they agree.
    #[must_use]
    pub fn start(replicas: usize) -> Self {
        let node = |_| {
            RedisBuilder::default()
                .setting("cluster-enabled yes")
                .setting("cluster-node-timeout 1000")
                .start()
        };
        let nodes: Vec<RedisServer> = (0..3 * (1 + replicas)).map(node).collect();
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)))
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stdout)
        );
        for node in &nodes {
            until("the Cluster to agree", || {
                let info: String = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok")
                    && info.contains(&format!("known_nodes:{}", nodes.len()))
            });
        }
        Self { nodes }
    }

    /// Their URL for `[store] url`.
    pub fn url(&self) -> String {
        let hosts = self.nodes.iter().map(|it| format!("127.0.0.1:{}", it.port));
        let hosts: Vec<_> = hosts.collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

/// Waits until a replica has caught up with its primary, and the primary knows it.
#[track_caller]
pub fn until_following(primary: &RedisServer, replica: &RedisServer) {
    until("the replica to follow", || {
        let ours: String = replica.ask(&["INFO", "replication"]);
        let theirs: String = primary.ask(&["INFO", "replication"]);
        ours.contains("master_link_status:up") && theirs.contains("state=online")
    });
}

/// Waits for what servers agree on among themselves and tell nobody.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("waited in vain for {what}");
}

fn free_port() -> u16 {
    // A Cluster's node listens at the port 10,000 above as well.
    loop {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let low = 10_000 + port % 20_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, low)).is_ok()
            && TcpListener::bind((Ipv4Addr::LOCALHOST, low + 10_000)).is_ok()
        {
            return low;
        }
    }
}

/// Reads what it says until it is ready, and goes on reading so that it can go on saying.
fn wait_until_ready(output: ChildStdout) -> Result<(), String> {
    let mut lines = BufReader::new(output).lines();
    let mut said = String::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        said.push_str(&line);
        said.push('\n');
        if line.contains("eady to accept connections") || line.contains("+monitor master") {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
    }
    Err(said)
}
