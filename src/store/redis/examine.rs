use std::fmt;
use std::time::Duration;

use super::Redis;
use super::connection::Connection;
use super::fault::Fault;
use super::info::Info;
use super::primary::Primary;
use super::rights::Missing;
use super::session::unavailable;
use crate::config::RedisServers;
use crate::store::Answer;

/// Something about a server that its operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, what could be lost, and the way out.
    pub message: String,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A node must not run on such a server.
    Error,
    /// Something may be lost that need not be.
    Warning,
    /// So it is; many want it so.
    Note,
}

impl Redis {
    /// Looks at how the primary is set up: whether it does what the gateway needs, and what could be
    /// lost. It uses a connection of its own, and leaves nothing behind.
    pub fn examine(&self) -> Answer<'_, Vec<Finding>> {
        Box::pin(async move {
            let (finder, keys, patience) =
                (self.finder.clone(), self.keys.clone(), self.policy.patience);
            let task = self.runtime.spawn(async move {
                let primary = finder.find(&std::sync::Arc::default()).await?;
                let connection = &primary.connection;
                let asked = Asked {
                    save: setting(connection, patience, "save").await,
                    fsync: setting(connection, patience, "appendfsync").await,
                    min_replicas: setting(connection, patience, "min-replicas-to-write").await,
                };
                let missing = Missing::at(connection, &keys, patience).await?;
                Ok((missing, asked, primary))
            });
            let found = match task.await {
                Ok(found) => found.map_err(Fault::of_read)?,
                Err(_) => return Err(unavailable("the gateway is shutting down")),
            };
            let (missing, asked, primary): (Missing, Asked, Primary) = found;
            let mut findings = Findings::default();
            findings.rights(&missing);
            findings.kind(&primary, &self.settings.servers);
            findings.eviction(&primary.info, self.settings.allow_eviction);
            findings.persistence(&primary.info, &asked);
            findings.replicas(&primary.info, &asked);
            Ok(findings.0)
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.as_str(), self.message)
    }
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Settings that only `CONFIG GET` tells; nothing where we may not ask.
struct Asked {
    save: Option<String>,
    fsync: Option<String>,
    min_replicas: Option<String>,
}

async fn setting(connection: &Connection, patience: Duration, name: &str) -> Option<String> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg(name);
    let answer: Vec<String> = connection.ask(&get, patience).await.ok()?;
    answer.into_iter().nth(1)
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, message: impl Into<String>) {
        let message = message.into();
        self.0.push(Finding { severity, message });
    }

    fn rights(&mut self, missing: &Missing) {
        let way_out = "docs/configuration.md has the ACL line";
        if !missing.of_nodes.is_empty() {
            let names = missing.of_nodes.join(", ");
            let message = format!("redis does not let our user use {names}; {way_out}");
            self.add(Severity::Error, message);
        }
        if !missing.of_export.is_empty() {
            let names = missing.of_export.join(", ");
            let message = format!(
                "redis does not let our user use {names}, which `store export` needs; {way_out}"
            );
            self.add(Severity::Warning, message);
        }
    }

    fn kind(&mut self, primary: &Primary, servers: &RedisServers) {
        let info = &primary.info;
        let version = info.field("redis_version").unwrap_or_default();
        let mut numbers = version.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < (6, 2) => self.add(
                Severity::Error,
                format!("redis {version} is too old; 6.2 is the first that can be used"),
            ),
            (Some(Ok(major)), _) if major > 8 => self.add(
                Severity::Warning,
                format!("redis {version} is newer than what the gateway was tried with (6.2 to 8)"),
            ),
            (Some(Ok(_)), _) => {}
            _ => self.add(
                Severity::Warning,
                "the server does not say which version of redis it is; 6.2 to 8 and Valkey can be used",
            ),
        }
        let is_cluster = info.number("cluster_enabled") == Some(1);
        match servers {
            RedisServers::Cluster(_) if !is_cluster => self.add(
                Severity::Error,
                "the server is no node of a Redis Cluster; write redis:// instead",
            ),
            RedisServers::One(_) | RedisServers::Sentinel { .. } if is_cluster => self.add(
                Severity::Error,
                "the server is a node of a Redis Cluster; write redis+cluster:// instead",
            ),
            _ => {}
        }
    }

    fn eviction(&mut self, info: &Info, is_allowed: bool) {
        let forgets = "when its memory is full it forgets records, and log-outs with them";
        match (info.field("maxmemory_policy"), is_allowed) {
            (Some("noeviction"), _) => {}
            (Some(policy), true) => self.add(
                Severity::Warning,
                format!("redis has maxmemory-policy {policy}: {forgets}; allow_eviction takes that into account"),
            ),
            (Some(policy), false) => self.add(
                Severity::Error,
                format!(
                    "redis has maxmemory-policy {policy}: {forgets}; set it to noeviction, or [store] allow_eviction = true"
                ),
            ),
            (None, _) => self.add(
                Severity::Warning,
                format!("redis does not tell its maxmemory-policy; unless it is noeviction, {forgets}"),
            ),
        }
    }

    fn persistence(&mut self, info: &Info, asked: &Asked) {
        for (field, what) in [
            ("aof_last_write_status", "write its append-only file"),
            ("rdb_last_bgsave_status", "save to its disk"),
        ] {
            if info.field(field) == Some("err") {
                let message = format!("redis could not {what} the last time; look at its log");
                self.add(Severity::Warning, message);
            }
        }
        if info.number("aof_enabled") == Some(1) {
            if asked.fsync.as_deref() != Some("always") {
                self.add(
                    Severity::Note,
                    "when the machine of redis loses its power, the changes of the last second or so are lost, \
                     and what they revoked works again; appendfsync always would keep them",
                );
            }
            return;
        }
        match asked.save.as_deref() {
            Some("") => self.add(
                Severity::Warning,
                "redis keeps nothing on its disk: when it restarts, every user, key and log-out is gone; \
                 set appendonly yes",
            ),
            Some(_) => self.add(
                Severity::Warning,
                "redis saves to its disk now and then: when it crashes, the changes since are lost, and what \
                 they revoked works again; set appendonly yes",
            ),
            None => self.add(
                Severity::Warning,
                "redis has no append-only file, and does not tell whether it saves at all: when it crashes, \
                 changes are lost, and what they revoked works again; set appendonly yes",
            ),
        }
    }

    fn replicas(&mut self, info: &Info, asked: &Asked) {
        if info.replicas() == 0 && !info.wants_replicas() {
            self.add(
                Severity::Note,
                "redis has no replica: when its machine is lost, so is everything since its last backup",
            );
            return;
        }
        match asked.min_replicas.as_deref() {
            Some("0") => self.add(
                Severity::Warning,
                "redis takes changes without a replica (min-replicas-to-write 0): a primary that was cut off \
                 from the others takes some that are lost when it is back; set it to 1",
            ),
            Some(_) => {}
            None => self.add(
                Severity::Warning,
                "redis does not tell whether it takes changes without a replica; min-replicas-to-write should be 1",
            ),
        }
    }
}
