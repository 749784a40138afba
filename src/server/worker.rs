use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::ServerConfig;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::crowd::Crowds;
use super::listener;
use super::shutdown::{Drain, Stage};
use super::tls::EdgeTls;
use crate::config::{Http2, Listen, Server};
use crate::domain::{Clock, Timestamp};
use crate::gateway::{Gateway, Shared};
use crate::proxy::Pace;
use crate::revocation::Watch;
use crate::telemetry::WorkerMetrics;

/// A thread that serves connections: what all of them share.
#[derive(Debug)]
pub struct Worker {
    /// What new requests get.
    gateway: RefCell<Rc<Gateway>>,
    /// What is right from now on.
    settings: RefCell<Rc<WorkerSettings>>,
    pub(super) watch: Rc<Watch>,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) drain: Drain,
    /// Connections over TLS that are signed for before others have their turn.
    pub(super) handshakes: Semaphore,
    tls: EdgeTls,
    clock: Arc<dyn Clock>,
    /// Connections that are open.
    open: Cell<usize>,
    none_open: Notify,
    date: RefCell<(i64, HeaderValue)>,
    scratch: RefCell<Vec<u8>>,
}

/// Another configuration for a worker.
#[derive(Debug)]
pub struct Renewal {
    /// For its gateway.
    pub shared: Arc<Shared>,
    /// For its connections.
    pub settings: WorkerSettings,
    /// Told once every request that begins is answered by it.
    pub done: oneshot::Sender<()>,
}

/// The bounds of connections.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// All workers' together.
    pub(super) crowds: Arc<Crowds>,
    pub(super) handshake_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) write_timeout: Duration,
    /// What a client must take over many waits.
    pub(super) pace: Pace,
    pub(super) max_head: usize,
    pub(super) http2: Http2,
}

/// What is read at once of a request's head; most have a tenth of it.
const SCRATCH_BYTES: usize = 8 * 1024;
/// About a millisecond's.
const TURN_HANDSHAKES: usize = 4;
/// How often access lines are handed on, and connections of upstreams looked through.
const FLUSH: Duration = Duration::from_millis(100);
const FLUSHES_A_SWEEP: u32 = 10;

impl From<&Server> for WorkerSettings {
    fn from(server: &Server) -> Self {
        Self {
            crowds: Crowds::new(server.max_connections_per_address),
            handshake_timeout: server.handshake_timeout,
            head_timeout: server.head_timeout,
            idle_timeout: server.idle_timeout,
            body_timeout: server.body_timeout,
            write_timeout: server.write_timeout,
            pace: Pace::new(server.min_rate, server.min_rate_grace),
            max_head: server.max_head,
            http2: server.http2,
        }
    }
}

impl WorkerSettings {
    /// HTTP/2 with every bound set: each of h2's defaults is somebody's denial of service.
    pub(super) fn h2_builder(&self) -> h2::server::Builder {
        let http2 = &self.http2;
        let mut builder = h2::server::Builder::new();
        builder
            .max_concurrent_streams(http2.max_streams)
            .max_pending_accept_reset_streams(http2.max_pending_resets)
            .max_local_error_reset_streams(Some(http2.max_local_resets))
            .max_header_list_size(u32::try_from(self.max_head).unwrap_or(u32::MAX))
            .initial_window_size(http2.stream_window)
            .initial_connection_window_size(http2.connection_window)
            .max_send_buffer_size(http2.send_buffer)
            .enable_connect_protocol();
        builder
    }
}

impl Worker {
    /// A worker that serves nothing yet.
    #[must_use]
    pub fn new(
        gateway: Rc<Gateway>,
        settings: WorkerSettings,
        drain: Drain,
        tls: EdgeTls,
        clock: Arc<dyn Clock>,
    ) -> Rc<Self> {
        Rc::new(Self {
            watch: Rc::clone(gateway.watch()),
            metrics: Arc::clone(gateway.metrics()),
            gateway: RefCell::new(gateway),
            settings: RefCell::new(Rc::new(settings)),
            drain,
            handshakes: Semaphore::new(TURN_HANDSHAKES),
            tls,
            clock,
            open: Cell::new(0),
            none_open: Notify::new(),
            date: RefCell::new((i64::MIN, HeaderValue::from_static(""))),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
        })
    }

    /// Serves these listeners until the node has drained, by the configuration that came last.
    ///
    /// # Errors
    ///
    /// When a listener cannot be used at all.
    pub async fn serve(
        self: Rc<Self>,
        listeners: Vec<(Listen, TcpListener)>,
        room: Arc<Semaphore>,
        renewals: mpsc::Receiver<Renewal>,
    ) -> io::Result<()> {
        let renewing = tokio::task::spawn_local(Rc::clone(&self).renew(renewals));
        let keep_house = tokio::task::spawn_local(Rc::clone(&self).keep_house());
        let telling = Rc::clone(&self);
        let tell = tokio::task::spawn_local(async move {
            telling.drain.reached(Stage::Draining).await;
            telling.watch.wake_all();
        });
        let mut accepting = Vec::new();
        for (listen, socket) in listeners {
            let accept = listener::accept(socket, listen, Arc::clone(&room), Rc::clone(&self));
            accepting.push(tokio::task::spawn_local(accept));
        }
        for accept in accepting {
            accept.await.map_err(io::Error::other)??;
        }
        // Both are cancel safe: neither takes anything.
        tokio::select! {
            () = self.all_closed() => {}
            () = self.drain.reached(Stage::Ended) => {}
        }
        tell.abort();
        keep_house.abort();
        renewing.abort();
        self.gateway().flush_access_lines();
        Ok(())
    }

    /// The gateway for a request that begins now.
    pub(super) fn gateway(&self) -> Rc<Gateway> {
        Rc::clone(&self.gateway.borrow())
    }

    /// The bounds that hold now.
    pub(super) fn settings(&self) -> Rc<WorkerSettings> {
        Rc::clone(&self.settings.borrow())
    }

    /// Whether connections must say goodbye.
    pub(super) fn is_draining(&self) -> bool {
        self.drain.stage() >= Stage::Draining
    }

    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        self.tls.current()
    }

    pub(super) fn opened(&self) {
        self.open.set(self.open.get() + 1);
    }

    pub(super) fn closed(&self) {
        self.open.set(self.open.get().saturating_sub(1));
        if self.open.get() == 0 {
            self.none_open.notify_waiters();
        }
    }

    /// Room to read into. It is everybody's: to be copied from before anybody else reads.
    pub(super) fn scratch(&self) -> RefMut<'_, Vec<u8>> {
        self.scratch.borrow_mut()
    }

    /// The time as the header `Date` has it, made once a second.
    pub(super) fn date(&self) -> HeaderValue {
        let now = self.clock.now();
        let mut date = self.date.borrow_mut();
        if date.0 != now.as_secs() {
            *date = (now.as_secs(), http_date(now));
        }
        date.1.clone()
    }

    async fn all_closed(&self) {
        while self.open.get() > 0 {
            self.none_open.notified().await;
        }
    }

    /// Goes over to each configuration that comes. Requests in flight keep theirs.
    async fn renew(self: Rc<Self>, mut renewals: mpsc::Receiver<Renewal>) {
        while let Some(renewal) = renewals.recv().await {
            let next = self.gateway().next(renewal.shared);
            let old = self.gateway.replace(next);
            let mut settings = renewal.settings;
            // Who is connected stays counted; the bound itself needs a restart.
            settings.crowds = Arc::clone(&self.settings().crowds);
            *self.settings.borrow_mut() = Rc::new(settings);
            drop(old);
            // Whoever waited may have given up; that is its business.
            let _ = renewal.done.send(());
        }
    }

    async fn keep_house(self: Rc<Self>) {
        let mut tick = tokio::time::interval(FLUSH);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks: u32 = 0;
        loop {
            tick.tick().await;
            self.gateway().flush_access_lines();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(FLUSHES_A_SWEEP) {
                self.gateway().sweep();
            }
        }
    }
}

/// RFC 9110 §5.6.7.
fn http_date(now: Timestamp) -> HeaderValue {
    HeaderValue::from_str(&now.http_date()).unwrap_or(HeaderValue::from_static(""))
}
