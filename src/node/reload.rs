use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::block_in_place;

use super::reload_told::{Refused, Reloads};
use crate::accounts::Accounts;
use crate::config::{Becomes, Change, Changes, Config, environment};
use crate::gateway::{Routes, Shared};
use crate::proxy::Upstreams;
use crate::server::{Drain, EdgeTls, PreparedTls, Renewal, Stage, WorkerSettings};
use crate::telemetry::LogLevel;

/// Exchanges the configuration of a running node: the whole file, or nothing of it.
#[derive(Debug)]
pub(super) struct Reloader {
    pub(super) parts: Parts,
    /// Whoever looks after upstreams hears of others here.
    upstreams: watch::Sender<Arc<Upstreams>>,
    /// `drain_delay` and `drain_timeout`
    drain_times: Arc<Mutex<(Duration, Duration)>>,
    /// Locked while something is exchanged, so that two who ask at once come one after the other.
    current: tokio::sync::Mutex<Current>,
    pub(super) told: Reloads,
}

/// What can be exchanged, and where.
#[derive(Debug)]
pub(super) struct Parts {
    /// The configuration that the node began with.
    pub(super) file: PathBuf,
    pub(super) drain: Drain,
    pub(super) tls: EdgeTls,
    pub(super) log: LogLevel,
    pub(super) accounts: Arc<Accounts>,
    pub(super) workers: Vec<mpsc::Sender<Renewal>>,
}

#[derive(Debug)]
struct Current {
    config: Config,
    shared: Arc<Shared>,
}

/// A configuration that can be applied: every file that it names was read.
struct Prepared {
    config: Config,
    changes: Changes,
    tls: PreparedTls,
    upstreams: Upstreams,
}

/// How long a worker may take to go over. One that takes longer does so when it can.
const WORKER_WITHIN: Duration = Duration::from_secs(10);

impl Reloader {
    pub(super) fn new(
        mut parts: Parts,
        config: &Config,
        shared: &Arc<Shared>,
        told: Reloads,
    ) -> Arc<Self> {
        // What the command line calls it, whatever folder it is in.
        parts.file = absolute(&parts.file).unwrap_or(parts.file);
        let server = &config.server;
        Arc::new(Self {
            parts,
            upstreams: watch::Sender::new(Arc::clone(&shared.upstreams)),
            drain_times: Arc::new(Mutex::new((server.drain_delay, server.drain_timeout))),
            current: tokio::sync::Mutex::new(Current {
                config: config.clone(),
                shared: Arc::clone(shared),
            }),
            told,
        })
    }

    /// Tells when other upstreams have come.
    pub(super) fn upstreams(&self) -> watch::Receiver<Arc<Upstreams>> {
        self.upstreams.subscribe()
    }

    /// How long a way out takes, as the configuration says by then.
    pub(super) fn drain_times(&self) -> impl Fn() -> (Duration, Duration) + Send + use<> {
        let times = Arc::clone(&self.drain_times);
        move || *times.lock()
    }

    /// Reads the file again and applies it; answers what has changed. Once it has answered, every request
    /// that begins goes by it.
    ///
    /// # Errors
    ///
    /// [`Refused`]: nothing has changed.
    pub(super) async fn reload(&self) -> Result<Changes, Refused> {
        let mut current = self.current.lock().await;
        let prepared = block_in_place(|| self.prepare(&self.parts.file, &current));
        let prepared = prepared.and_then(|prepared| {
            prepared.must_be_live()?;
            // Those that drain would hear of upstreams that nobody looks after any more.
            if self.parts.drain.stage() > Stage::Serving {
                return Err(Refused::leaving());
            }
            Ok(prepared)
        });
        match prepared {
            Ok(prepared) => {
                let changes = self.apply(prepared, &mut current).await;
                self.told.applied(&changes);
                Ok(changes)
            }
            Err(refused) => {
                self.told.refused(&refused);
                Err(refused)
            }
        }
    }

    /// Reloads at each of these signals, for as long as the node runs.
    pub(super) async fn follow(self: Arc<Self>, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            // The log tells what came of it.
            let _ = self.reload().await;
        }
    }

    /// What applying the configuration `file` would change.
    ///
    /// # Errors
    ///
    /// [`Refused`], for any reason but keys that need a restart.
    pub(super) async fn compare(&self, file: &Path) -> Result<Changes, Refused> {
        let current = self.current.lock().await;
        Ok(block_in_place(|| self.prepare(file, &current))?.changes)
    }

    /// Reads everything that the file names. It blocks.
    fn prepare(&self, file: &Path, current: &Current) -> Result<Prepared, Refused> {
        let config =
            Config::read(file, &environment()).map_err(|mistakes| Refused::mistakes(&mistakes))?;
        let changes = Changes::between(&current.config, &config, Routes::names);
        let tls = self.parts.tls.prepare(config.server.tls.as_ref());
        let old = &current.shared.upstreams;
        let upstreams = old.next(&config.upstreams, &config.dns);
        match (tls, upstreams) {
            (Ok(tls), Ok(upstreams)) => {
                let mut prepared = Prepared {
                    config,
                    changes,
                    tls,
                    upstreams,
                };
                prepared.note_files(old);
                Ok(prepared)
            }
            (tls, upstreams) => {
                let errors = [
                    tls.err().map(|error| error.to_string()),
                    upstreams.err().map(|error| error.to_string()),
                ];
                let errors = errors.into_iter().flatten().collect();
                Err(Refused::files(errors, &changes))
            }
        }
    }

    async fn apply(&self, prepared: Prepared, current: &mut Current) -> Changes {
        let Prepared {
            config,
            changes,
            tls,
            upstreams,
        } = prepared;
        let upstreams = Arc::new(upstreams);
        // Before the first request comes: a server that is not known yet is no server.
        self.upstreams.send_replace(Arc::clone(&upstreams));
        upstreams.looked_up().await;
        let shared = block_in_place(|| Arc::new(current.shared.next(&config, upstreams)));
        self.parts.tls.exchange(tls);
        if let Err(error) = self.parts.log.set(&config.logging.level) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "log level not changed"
            );
        }
        self.parts.accounts.adopt(config.login, config.api_keys);
        *self.drain_times.lock() = (config.server.drain_delay, config.server.drain_timeout);
        self.hand_over(&shared, &WorkerSettings::from(&config.server))
            .await;
        *current = Current { config, shared };
        changes
    }

    /// Hands the new state to every worker, and waits until each has it.
    async fn hand_over(&self, shared: &Arc<Shared>, settings: &WorkerSettings) {
        let mut taken = Vec::new();
        for worker in &self.parts.workers {
            let (done, is_done) = oneshot::channel();
            let renewal = Renewal {
                shared: Arc::clone(shared),
                settings: settings.clone(),
                done,
            };
            // One that has ended answers nobody.
            if worker.send(renewal).await.is_ok() {
                taken.push(is_done);
            }
        }
        for is_done in taken {
            if tokio::time::timeout(WORKER_WITHIN, is_done).await.is_err() {
                tracing::warn!("a worker is late to take the new configuration");
            }
        }
    }
}

impl Prepared {
    /// Notes what is other in files that are named as before.
    fn note_files(&mut self, old: &Upstreams) {
        let is_told =
            |changes: &Changes, what: &str| changes.live.iter().any(|change| change.what == what);
        let mut note = |section: &'static str, name: &str, files: String| {
            if !is_told(&self.changes, name) {
                self.changes.live.push(Change {
                    section,
                    what: files,
                    how: Becomes::Changed,
                });
            }
        };
        for name in self.upstreams.renewed(old) {
            let files = format!("files of [upstreams.{name}.tls]");
            note("upstreams", &format!("[upstreams.{name}]"), files);
        }
        if self.tls.is_other() {
            let files = "files of [server.tls]".to_owned();
            note("[server.tls]", "[server.tls]", files);
        }
    }

    fn must_be_live(&self) -> Result<(), Refused> {
        if self.changes.fixed.is_empty() {
            return Ok(());
        }
        Err(Refused::files(Vec::new(), &self.changes))
    }
}
