use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::NodeError;
use super::core::{Core, Post};
use super::housekeeping::{keep_house, write_usage};
use super::metrics::{measure_certificates, metrics};
use super::readiness::tell_readiness;
use super::reload::{Parts, Reloader};
use super::reload_told::Reloads;
use super::signals::Signals;
use crate::config::{Config, Listen, LogFormat, Scheme};
use crate::domain::SystemClock;
use crate::gateway::{Gateway, Limits, Routes, Shared};
use crate::http::{Cors, IdentityHeaders};
use crate::proxy::{Pace, Upstreams, attend};
use crate::revocation::{Bells, Watch};
use crate::runtime;
use crate::server::{
    Admin, AdminSocket, Backup, Bound, Drain, EdgeTls, Operations, Renewal, Stage, Worker,
    WorkerSettings, bind, serve_admin,
};
use crate::telemetry::{
    AccessLog, AccessWriter, LineFormat, LogLevel, WorkerMetrics, start_log, with_causes,
};

/// Where a node answers.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its listeners.
    pub listeners: Vec<(SocketAddr, Scheme)>,
    /// `/livez`, `/readyz` and `/metrics`.
    pub admin: SocketAddr,
    /// The Unix socket of the command line.
    pub socket: PathBuf,
}

/// How long mails that wait may take once the workers have ended.
const MAIL_GRACE: Duration = Duration::from_secs(5);
/// How long control work may take to end.
const CONTROL_GRACE: Duration = Duration::from_secs(1);

/// Runs a node until it is told to stop, and calls `started` once it serves. Blocks.
///
/// SIGTERM and SIGINT lead it out: not ready, no new connections, exchanges in flight may end. A second
/// one ends it at once.
///
/// # Errors
///
/// [`NodeError`], when it cannot begin or a worker fails.
pub fn serve(
    config: &Config,
    file: &Path,
    started: impl FnOnce(&Started),
) -> Result<(), NodeError> {
    let log = start_log(line_format(config.logging.format), &config.logging.level)?;
    raise_descriptor_limit();
    let control = runtime::control().map_err(NodeError::system("a runtime"))?;
    let _entered = control.enter();
    // From the first moment: by itself the system ends a process that gets it.
    let hangups = signal(SignalKind::hangup()).map_err(NodeError::system("signals"))?;
    let tls = EdgeTls::open(config.server.tls.as_ref(), Arc::new(SystemClock))?;
    let bound = Listeners::bind(config)?;
    let mut core = Core::open(config, control.handle())?;
    let (access, writer) = access_log(config)?;
    let mut crew = Crew::new(config, &core, tls, access.clone())?;
    let reloader = crew.reloader(config, file, log, &core);

    control.spawn(crew.tls.clone().watch());
    let drain = crew.drain.clone();
    let store = Arc::clone(&core.store);
    core.join(control.handle())?;
    control.spawn(keep_house(
        Arc::clone(&store),
        core.clock.clone(),
        Arc::clone(&core.ledger),
    ));
    let socket = AdminSocket::bind(&config.admin.socket)?;
    let operations = Operations {
        backup: backup_of(&core),
        reload: reloader.over_socket(),
    };
    control.spawn(socket.serve(Arc::clone(&core.api), operations));
    let admin = Arc::new(crew.admin(&core, &access, &reloader));
    control.spawn(serve_admin(bound.admin, Arc::clone(&admin)));
    let post = core.mail.take();
    let mail = post.map(|post| start_post(post, &core, &control, &drain));
    let signals = Signals::listen()?;
    control.spawn(signals.lead_out(drain.clone(), reloader.drain_times()));

    if let Some(tally) = core.tally() {
        control.spawn(Arc::clone(&crew.shared.limits).settle_over(tally));
    }
    control.spawn(attend(reloader.upstreams()));
    control.block_on(crew.shared.upstreams.looked_up());
    control.spawn(reloader.follow(hangups));

    let workers = crew.start(bound.workers)?;
    tell(&bound.started);
    control.spawn(tell_readiness(admin, drain.clone()));
    started(&bound.started);
    let ended = wait_for(workers);

    drain.advance(Stage::Ended);
    control.block_on(write_usage(store.as_ref(), &core.ledger));
    if let Some(mail) = mail {
        // It has a deadline of its own, and does not panic.
        let _ = control.block_on(mail);
    }
    drop((access, core));
    control.shutdown_timeout(CONTROL_GRACE);
    if let Some(writer) = writer {
        writer.join();
    }
    tracing::info!("ended");
    ended
}

/// The sockets of all listeners.
struct Listeners {
    started: Started,
    admin: TcpListener,
    /// By worker, then by listener.
    workers: Vec<Vec<(Listen, TcpListener)>>,
}

impl Listeners {
    fn bind(config: &Config) -> Result<Self, NodeError> {
        let count = config.server.workers;
        let mut workers: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
        let mut listeners = Vec::new();
        for listen in &config.server.listen {
            let bound = bind(*listen, count)?;
            listeners.push((bound.address, listen.scheme));
            for (worker, socket) in workers.iter_mut().zip(bound.sockets) {
                worker.push((bound.listen, socket));
            }
        }
        let listen = Listen::plainly(config.admin.listen, Scheme::Http);
        let Bound {
            address, sockets, ..
        } = bind(listen, 1)?;
        let admin = sockets.into_iter().next();
        let missing = || NodeError::system("a socket")(io::ErrorKind::NotFound.into());
        Ok(Self {
            started: Started {
                listeners,
                admin: address,
                socket: config.admin.socket.clone(),
            },
            admin: admin.ok_or_else(missing)?,
            workers,
        })
    }
}

/// What all workers are made of.
struct Crew {
    shared: Arc<Shared>,
    drain: Drain,
    tls: EdgeTls,
    settings: WorkerSettings,
    bells: Arc<Bells>,
    access: AccessLog,
    metrics: Vec<Arc<WorkerMetrics>>,
    room: Arc<Semaphore>,
    /// Where each worker hears of another configuration, once it has begun.
    renewals: Vec<mpsc::Receiver<Renewal>>,
}

impl Crew {
    fn new(
        config: &Config,
        core: &Core,
        tls: EdgeTls,
        access: AccessLog,
    ) -> Result<Self, NodeError> {
        let workers = 0..config.server.workers;
        let max_connections = config.server.max_connections.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            metrics: workers
                .map(|_| Arc::new(WorkerMetrics::new(&Shared::codes())))
                .collect(),
            shared: Arc::new(Shared {
                routes: Routes::new(&config.routes),
                limits: Arc::new(Limits::new(config)),
                api_cors: config.api.cors.as_ref().map(Cors::new),
                upstreams: Arc::new(Upstreams::new(&config.upstreams, &config.dns)?),
                identity: Arc::new(IdentityHeaders::new(&config.identity_headers)),
                trusted_proxies: config.server.trusted_proxies.clone(),
                authenticator: Arc::clone(&core.authenticator),
                api: Arc::clone(&core.api),
                clock: Arc::clone(&core.clock),
                body_timeout: config.server.body_timeout,
                pace: Pace::new(config.server.min_rate, config.server.min_rate_grace),
                hsts: config.server.tls.as_ref().and_then(|tls| tls.hsts),
                names: Shared::names(&config.routes),
            }),
            drain: Drain::new(),
            tls,
            settings: WorkerSettings::from(&config.server),
            bells: Arc::clone(&core.bells),
            access,
            room: Arc::new(Semaphore::new(max_connections)),
            renewals: Vec::new(),
        })
    }

    /// What exchanges the configuration of all that the crew has.
    fn reloader(
        &mut self,
        config: &Config,
        file: &Path,
        log: LogLevel,
        core: &Core,
    ) -> Arc<Reloader> {
        let channels = self.metrics.iter().map(|_| mpsc::channel(1));
        let (workers, renewals) = channels.unzip();
        self.renewals = renewals;
        let parts = Parts {
            file: file.to_owned(),
            drain: self.drain.clone(),
            tls: self.tls.clone(),
            log,
            accounts: Arc::clone(&core.accounts),
            workers,
        };
        let told = Reloads::begin(Arc::clone(&core.clock));
        Reloader::new(parts, config, &self.shared, told)
    }

    fn admin(&self, core: &Core, access: &AccessLog, reloader: &Reloader) -> Admin {
        let upstreams = reloader.upstreams();
        let mut metrics = metrics(self.metrics.clone(), core, &upstreams, access);
        measure_certificates(&mut metrics, &self.tls);
        reloader.told.measure(&mut metrics);
        Admin {
            drain: self.drain.clone(),
            store: Arc::clone(&core.store),
            not_ready: Box::new(core.not_ready()),
            metrics,
        }
    }

    /// Starts a worker for each set of sockets.
    fn start(self, sockets: Vec<Vec<(Listen, TcpListener)>>) -> Result<Vec<Running>, NodeError> {
        let mut running = Vec::new();
        let crew = self.metrics.into_iter().zip(self.renewals);
        for (index, (sockets, (metrics, renewals))) in sockets.into_iter().zip(crew).enumerate() {
            let shared = Arc::clone(&self.shared);
            let (drain, tls) = (self.drain.clone(), self.tls.clone());
            let (settings, room) = (self.settings.clone(), Arc::clone(&self.room));
            let (bell, access) = (self.bells.install(), self.access.buffer());
            let worker = move || async move {
                let clock = Arc::clone(&shared.clock);
                let watch = Watch::new();
                let attended = Rc::clone(&watch);
                let time = Arc::clone(&clock);
                let freshness = Arc::clone(shared.authenticator.freshness());
                let attending = async move { attended.attend(bell, time, freshness).await };
                tokio::task::spawn_local(attending);
                let gateway = Gateway::new(shared, watch, access, metrics);
                let worker = Worker::new(gateway, settings, drain, tls, clock);
                worker.serve(sockets, room, renewals).await
            };
            let started = runtime::spawn_worker(index, worker);
            running.push(started.map_err(NodeError::system("a thread"))?);
        }
        Ok(running)
    }
}

type Running = JoinHandle<io::Result<()>>;

fn wait_for(workers: Vec<Running>) -> Result<(), NodeError> {
    let mut ended = Ok(());
    for worker in workers {
        match worker.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "worker failed");
                ended = Err(NodeError::Worker);
            }
            Err(_) => ended = Err(NodeError::Worker),
        }
    }
    ended
}

fn start_post(
    post: Post,
    core: &Core,
    control: &Runtime,
    drain: &Drain,
) -> tokio::task::JoinHandle<()> {
    let accounts = Arc::clone(&core.accounts);
    let (desk_drain, outbox_drain) = (drain.clone(), drain.clone());
    let desk = post.desk_task;
    control.spawn(async move {
        let ended = async move { desk_drain.reached(Stage::Ended).await };
        desk.run(accounts, ended).await;
    });
    let outbox = post.outbox_task;
    control.spawn(async move {
        let ended = async move {
            outbox_drain.reached(Stage::Ended).await;
            Instant::now() + MAIL_GRACE
        };
        outbox.run(ended).await;
    })
}

fn backup_of(core: &Core) -> Backup {
    let store = core.embedded.clone();
    Arc::new(move |to| match &store {
        Some(store) => store.backup(to).map_err(|error| with_causes(&error)),
        None => Err("the store is in redis, which has backups of its own".to_owned()),
    })
}

fn tell(started: &Started) {
    for (address, scheme) in &started.listeners {
        tracing::info!(%address, scheme = scheme.as_str(), "listening");
    }
    tracing::info!(address = %started.admin, scheme = "admin", "listening");
    tracing::info!("serving");
}

fn access_log(config: &Config) -> Result<(AccessLog, Option<AccessWriter>), NodeError> {
    if !config.logging.access {
        return Ok((AccessLog::off(), None));
    }
    let started = AccessLog::start(line_format(config.logging.format));
    let (access, writer) = started.map_err(NodeError::system("a thread"))?;
    Ok((access, Some(writer)))
}

const fn line_format(format: LogFormat) -> LineFormat {
    match format {
        LogFormat::Text => LineFormat::Text,
        LogFormat::Json => LineFormat::Json,
    }
}

/// Every connection takes two descriptors, and the usual soft limit of 1,024 is for other times.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}
