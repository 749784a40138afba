//! What a test wants its gateway to be.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::certificates;
use super::world::World;

/// The configuration of a gateway, and what stands around it.
///
/// Without more said it listens with TLS, hashes passwords cheaply and brakes nobody.
#[derive(Debug, Default, Clone)]
pub struct Setup {
    listen: Vec<&'static str>,
    /// More elements of `listen`, as TOML.
    listeners: String,
    server: String,
    tls: String,
    upstreams: String,
    routes: String,
    more: String,
    store: Option<String>,
    clock: Option<&'static str>,
    log_level: &'static str,
}

impl Setup {
    pub fn new() -> Self {
        Self {
            listen: vec!["127.0.0.1:0"],
            log_level: "info",
            ..Self::default()
        }
    }

    /// One service behind everything, for every signed-in user.
    pub fn before(service: SocketAddr) -> Self {
        Self::new()
            .upstream("service", service)
            .route("/", "service", "")
    }

    /// One service behind everything, for everybody.
    pub fn open_before(service: SocketAddr) -> Self {
        Self::new()
            .upstream("service", service)
            .route("/", "service", "public = true")
    }

    /// Listens without TLS too.
    pub fn plain(mut self) -> Self {
        self.listen.push("http://127.0.0.1:0");
        self
    }

    /// Adds a listener that is a table, without its braces.
    pub fn listener(mut self, table: &str) -> Self {
        self.listeners.push_str(&format!(", {{ {table} }}"));
        self
    }

    /// Adds lines to `[server.tls]`, and tables behind it.
    pub fn tls(mut self, lines: &str) -> Self {
        self.tls.push_str(&format!("{lines}\n"));
        self
    }

    /// Adds lines to `[server]`.
    pub fn server(mut self, lines: &str) -> Self {
        self.server.push_str(&format!("{lines}\n"));
        self
    }

    /// Adds an upstream of one server.
    pub fn upstream(self, name: &str, server: SocketAddr) -> Self {
        self.upstream_of(name, &[server], "")
    }

    /// Adds an upstream with more lines of its own.
    pub fn upstream_of(mut self, name: &str, servers: &[SocketAddr], lines: &str) -> Self {
        let servers: Vec<_> = servers.iter().map(|at| format!("http://{at}")).collect();
        let upstream = format!("[upstreams.{name}]\nservers = {servers:?}\n{lines}\n");
        self.upstreams.push_str(&upstream);
        self
    }

    /// Adds an upstream whose servers are written as the test says.
    pub fn upstream_at(mut self, name: &str, servers: &str, lines: &str) -> Self {
        let upstream = format!("[upstreams.{name}]\nservers = [{servers}]\n{lines}\n");
        self.upstreams.push_str(&upstream);
        self
    }

    /// Adds a route with more lines of its own.
    pub fn route(mut self, path: &str, upstream: &str, lines: &str) -> Self {
        let route = format!("[[routes]]\npath = {path:?}\nupstream = {upstream:?}\n{lines}\n");
        self.routes.push_str(&route);
        self
    }

    pub const fn log_level(mut self, level: &'static str) -> Self {
        self.log_level = level;
        self
    }

    /// Adds other sections.
    pub fn toml(mut self, sections: &str) -> Self {
        self.more.push_str(&format!("{sections}\n"));
        self
    }

    /// Another store than a file in the gateway's folder: the lines of `[store]`.
    pub fn store(mut self, lines: &str) -> Self {
        self.store = Some(lines.to_owned());
        self
    }

    /// Has the gateway go by a clock that is so much ahead, such as `-60s`.
    pub const fn clock(mut self, ahead: &'static str) -> Self {
        self.clock = Some(ahead);
        self
    }

    /// Writes the configuration into a fresh folder.
    pub fn write(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        certificates::write_into(folder.path());
        let config = folder.path().join("gateway.toml");
        std::fs::write(&config, self.text(folder.path())).unwrap();
        (folder, config)
    }

    /// Makes the first administrator, starts the gateway and waits until it serves.
    pub async fn start(&self) -> World {
        let (folder, config) = self.write();
        let mut world = World::of(folder, config);
        world.set_clock(self.clock);
        world.make_administrator();
        world.start().await;
        world.log_in_administrator().await;
        world
    }

    /// Starts the gateway without any user.
    pub async fn start_empty(&self) -> World {
        let (folder, config) = self.write();
        let mut world = World::of(folder, config);
        world.set_clock(self.clock);
        world.start().await;
        world
    }

    fn text(&self, folder: &Path) -> String {
        let folder = folder.display();
        let Self {
            listen,
            listeners,
            server,
            tls,
            upstreams,
            routes,
            more,
            store,
            log_level,
            clock: _,
        } = self;
        let listen: Vec<_> = listen.iter().map(|at| format!("{at:?}")).collect();
        let listen = listen.join(", ");
        let own = format!("url = \"embedded:{folder}/data/gateway.db\"");
        let store = store.as_ref().unwrap_or(&own);
        format!(
            r#"
[server]
listen = [{listen}{listeners}]
{server}
[server.tls]
certificate = "{folder}/gateway.crt"
private_key = "{folder}/gateway.key"
{tls}

[admin]
listen = "127.0.0.1:0"

[store]
{store}

[logging]
format = "json"
level = "{log_level}"

{PASSWORDS}
{LOGIN}
{upstreams}
{routes}
{more}
"#,
            LOGIN = if more.contains("[login]") { "" } else { LOGIN },
            PASSWORDS = if more.contains("[passwords]") {
                ""
            } else {
                PASSWORDS
            },
        )
    }
}

/// Hashes are cheap.
const PASSWORDS: &str = r#"
[passwords]
memory = "1MiB"
iterations = 1
"#;

/// Tests log in as often as they like, all from one address.
const LOGIN: &str = r#"
[login]
per_account_and_address = "10000 per 1m"
per_address = "10000 per 1m"
per_account = "10000 per 1m"
forgot_per_address = "10000 per 1m"
forgot_per_account = "10000 per 1m"
"#;
