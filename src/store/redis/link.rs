use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use redis::{Cmd, Value};
use uuid::Uuid;

use super::entry::{first_number, read_log};
use super::fault::Fault;
use super::import::BEING_FILLED;
use super::info::Info;
use super::session::{Session, millis, unavailable};
use crate::domain::Timestamp;
use crate::store::{Beat, Entry, ServerId, StoreError, StoreId};

/// What a node asks of the link, and what it knows of servers from before.
#[derive(Debug)]
pub(super) struct LinkPolicy {
    /// How long an answer may take.
    pub(super) patience: Duration,
    /// Whether a primary that has, or had, replicas must reach one.
    pub(super) require_replica: bool,
    /// The runs of servers that had replicas: without them they are not to be believed.
    had_replicas: Mutex<HashSet<String>>,
    /// Why the server is not believed, as it was told last.
    disbelief: Mutex<Option<Disbelief>>,
}

/// Why a server that answers is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disbelief {
    Replica,
    Alone,
    Unacknowledged,
}

/// How many entries of the log come at a time.
const ENTRIES: usize = 1000;
/// How long the key lives that beats write to: it tells a node that begins that this server had replicas.
const BEAT_LIFE: Duration = Duration::from_hours(24);
/// How the value of the store's identity begins: how records are laid out.
const FORMAT: &str = "1";

impl LinkPolicy {
    pub(super) fn new(patience: Duration, require_replica: bool) -> Self {
        Self {
            patience,
            require_replica,
            had_replicas: Mutex::default(),
            disbelief: Mutex::default(),
        }
    }

    /// Asks the server of `session` where it stands. What it says was true after the question was sent.
    pub(super) async fn beat(&self, session: &Session) -> Result<Beat, StoreError> {
        let beat = said_before(session.trouble.wait(), self.ask(session)).await;
        // Its answer is nobody's any more.
        let beat = beat.unwrap_or_else(|reason| Err(Fault::Unasked(reason.to_owned())));
        beat.map_err(Fault::of_read)
    }

    /// The changes after number `after`, waiting for `wait` when there are none.
    pub(super) async fn entries(
        &self,
        session: &Session,
        after: u64,
        wait: Duration,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(ENTRIES);
        // BLOCK 0 would wait for ever.
        if millis(wait) > 0 {
            read.arg("BLOCK").arg(millis(wait));
        }
        read.arg("STREAMS")
            .arg(session.keys.log())
            .arg(format!("{after}-0"));
        let within = wait.saturating_add(self.patience);
        let asked = session.link.ask::<Value>(&read, within);
        let answer = said_before(session.trouble.wait(), asked).await;
        let answer = answer.map_err(unavailable)?;
        answer.and_then(read_log).map_err(Fault::of_read)
    }

    async fn ask(&self, session: &Session) -> Result<Beat, Fault> {
        let keys = &session.keys;
        let mut values = redis::cmd("MGET");
        values.arg(keys.id()).arg(keys.counter()).arg(keys.beat());
        let mut oldest = redis::cmd("XRANGE");
        oldest.arg(keys.log()).arg("-").arg("+").arg("COUNT").arg(1);
        let mut info = redis::cmd("INFO");
        info.arg("replication");
        let time = redis::cmd("TIME");
        let link = &session.link;
        let ((identity, last, mark), oldest, info, (seconds, micros)) = tokio::try_join!(
            link.ask::<Values>(&values, self.patience),
            link.ask::<Value>(&oldest, self.patience),
            link.ask::<String>(&info, self.patience),
            link.ask::<(i64, i64)>(&time, self.patience),
        )?;
        let info = Info::new(info);
        let last = last.unwrap_or(0);
        let oldest = first_number(oldest)?;
        Ok(Beat {
            store: identity.as_deref().map(store_id).transpose()?,
            server: server_id(session, &info),
            last,
            trimmed_to: oldest.map_or(last, |oldest| oldest.saturating_sub(1)),
            time: Timestamp::from_millis(
                seconds.saturating_mul(1000).saturating_add(micros / 1000),
            ),
            is_sure: self.is_sure(session, &info, mark.as_deref()).await?,
        })
    }

    async fn is_sure(
        &self,
        session: &Session,
        info: &Info,
        mark: Option<&str>,
    ) -> Result<bool, Fault> {
        let disbelief = self.disbelief(session, info, mark).await?;
        let was = std::mem::replace(&mut *self.disbelief.lock(), disbelief);
        if was != disbelief {
            match disbelief {
                Some(disbelief) => tracing::warn!(
                    server = %session.address,
                    reason = disbelief.as_str(),
                    "store server not believed"
                ),
                None => tracing::info!(server = %session.address, "store server believed again"),
            }
        }
        Ok(disbelief.is_none())
    }

    /// Why it is not to be believed: it must be the primary, and where it has replicas one of them must
    /// follow it still, since a primary that was cut off from everybody answers as ever.
    async fn disbelief(
        &self,
        session: &Session,
        info: &Info,
        mark: Option<&str>,
    ) -> Result<Option<Disbelief>, Fault> {
        let replicas = info.replicas();
        session.has_replicas.store(replicas > 0, Ordering::Relaxed);
        if !info.is_primary() {
            return Ok(Some(Disbelief::Replica));
        }
        let run = session.info.field("run_id").unwrap_or_default();
        let is_marked = mark == Some(run);
        let had_replicas = {
            let mut had_replicas = self.had_replicas.lock();
            if replicas > 0 || is_marked {
                had_replicas.insert(run.to_owned());
            }
            had_replicas.contains(run)
        };
        let has_them = info.wants_replicas() || had_replicas;
        if !has_them || !self.require_replica {
            return Ok(None);
        }
        if replicas == 0 {
            return Ok(Some(Disbelief::Alone));
        }
        let is_acknowledged = self.is_acknowledged(session, run, is_marked).await?;
        Ok((!is_acknowledged).then_some(Disbelief::Unacknowledged))
    }

    /// Writes, and waits for a replica to have it. What is written marks the run of a server that had
    /// replicas, for nodes that begin when they are lost. One that is full takes no new mark; that it
    /// may keep the old one for longer needs no memory, and so it is believed all the same.
    async fn is_acknowledged(
        &self,
        session: &Session,
        run: &str,
        is_marked: bool,
    ) -> Result<bool, Fault> {
        let key = session.keys.beat();
        let mut touch = redis::cmd("PEXPIRE");
        touch.arg(&key).arg(millis(BEAT_LIFE));
        let mut mark = redis::cmd("SET");
        mark.arg(&key).arg(run).arg("PX").arg(millis(BEAT_LIFE));
        let has_written = (is_marked && self.has_written(session, &touch).await?)
            || self.has_written(session, &mark).await?
            || self.has_written(session, &touch).await?;
        if !has_written {
            return Ok(false);
        }
        let mut wait = redis::cmd("WAIT");
        wait.arg(1).arg(millis(self.patience / 2));
        let replicas: u64 = session.link.ask(&wait, self.patience).await?;
        Ok(replicas > 0)
    }

    async fn has_written(&self, session: &Session, write: &Cmd) -> Result<bool, Fault> {
        match session.link.ask::<Value>(write, self.patience).await {
            Ok(answer) => Ok(answer != Value::Int(0)),
            Err(Fault::Refused { .. }) => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// Identity, counter and mark.
type Values = (Option<String>, Option<u64>, Option<String>);

impl Disbelief {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "it is no primary any more",
            Self::Alone => {
                "it has lost its replicas; bring one back, or set [store] require_replica = false if it shall have none"
            }
            Self::Unacknowledged => {
                "no replica acknowledges what it writes; it may be cut off, or full (min-replicas-to-write, maxmemory)"
            }
        }
    }
}

/// A new identity, with the format of what will be written.
pub(super) fn new_store() -> String {
    format!("{FORMAT} {}", Uuid::now_v7())
}

fn store_id(text: &str) -> Result<StoreId, Fault> {
    if text == BEING_FILLED {
        return Err(Fault::Unasked(
            "the store in redis is being filled by `store import`; if that was broken off, remove all keys that begin with its key_prefix in braces, and import again"
                .to_owned(),
        ));
    }
    let (format, id) = text.split_once(' ').unwrap_or((text, ""));
    if format != FORMAT && format.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Fault::Unasked(format!(
            "the store in redis was written by a newer version of the gateway (format {format}); use that version"
        )));
    }
    let id = Uuid::try_parse(id);
    id.map(StoreId)
        .map_err(|_| Fault::shape("the identity of a store"))
}

/// The run of the server, the history it writes, and where it was reached.
fn server_id(session: &Session, info: &Info) -> ServerId {
    let run = session.info.field("run_id").unwrap_or_default();
    let history = info.field("master_replid").unwrap_or_default();
    ServerId(format!("{run} {history} {}", session.address))
}

/// What `asked` comes to, or why its connection is `gone`. What a server said before it went away says
/// more than that it did, and both may be heard at once.
async fn said_before<'a, T>(
    gone: impl Future<Output = &'a str>,
    asked: impl Future<Output = T>,
) -> Result<T, &'a str> {
    let mut asked = pin!(asked);
    let reason = tokio::select! {
        biased;
        answer = &mut asked => return Ok(answer),
        reason = gone => reason,
    };
    asked.now_or_never().ok_or(reason)
}
