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
}

/// How many entries of the log come at a time.
const ENTRIES: usize = 1000;
/// How long the key lives that beats write to: long enough that each one only touches it.
const BEAT_LIFE: Duration = Duration::from_hours(1);
/// How the value of the store's identity begins: how records are laid out.
const FORMAT: &str = "1";

impl LinkPolicy {
    pub(super) fn new(patience: Duration, require_replica: bool) -> Self {
        Self {
            patience,
            require_replica,
            had_replicas: Mutex::default(),
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
        let mut identity = redis::cmd("GET");
        identity.arg(keys.id());
        let mut counter = redis::cmd("GET");
        counter.arg(keys.counter());
        let mut oldest = redis::cmd("XRANGE");
        oldest.arg(keys.log()).arg("-").arg("+").arg("COUNT").arg(1);
        let mut info = redis::cmd("INFO");
        info.arg("replication");
        let time = redis::cmd("TIME");
        let link = &session.link;
        let (identity, last, oldest, info, (seconds, micros)) = tokio::try_join!(
            link.ask::<Option<String>>(&identity, self.patience),
            link.ask::<Option<u64>>(&counter, self.patience),
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
            is_sure: self.is_sure(session, &info).await?,
        })
    }

    /// Whether it is the primary, and where it has replicas one of them still follows it: a primary that
    /// was cut off from everybody answers as ever.
    async fn is_sure(&self, session: &Session, info: &Info) -> Result<bool, Fault> {
        let replicas = info.replicas();
        session.has_replicas.store(replicas > 0, Ordering::Relaxed);
        if !info.is_primary() {
            return Ok(false);
        }
        let run = session.info.field("run_id").unwrap_or_default();
        if replicas > 0 {
            self.had_replicas.lock().insert(run.to_owned());
        }
        let has_them = info.wants_replicas() || self.had_replicas.lock().contains(run);
        if !has_them || !self.require_replica {
            return Ok(true);
        }
        if replicas == 0 {
            return Ok(false);
        }
        self.is_acknowledged(session).await
    }

    /// Writes, and waits for a replica to have it. What is written needs no memory, so that a server
    /// which is full is believed all the same.
    async fn is_acknowledged(&self, session: &Session) -> Result<bool, Fault> {
        let key = session.keys.beat();
        let mut touch = redis::cmd("PEXPIRE");
        touch.arg(&key).arg(millis(BEAT_LIFE));
        if !self.has_written(session, &touch).await? {
            let mut write = redis::cmd("SET");
            write.arg(&key).arg(1).arg("PX").arg(millis(BEAT_LIFE));
            if !self.has_written(session, &write).await? {
                return Ok(false);
            }
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
