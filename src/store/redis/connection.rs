use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisResult, Value};
use tokio::task::AbortHandle;

use super::fault::Fault;
use super::scripts::Script;
use super::trouble::Trouble;

/// One connection to one server. Calls on it are answered in their order; a call that is dropped takes
/// nobody else's answer.
pub(super) struct Connection {
    pipe: MultiplexedConnection,
    driver: AbortHandle,
    /// Time-outs in a row: after [`MAX_TIMEOUTS`] nobody is at the other end.
    timeouts: AtomicU32,
    trouble: Arc<Trouble>,
}

/// A lost packet may cost one answer, and a half-open connection costs all of them.
const MAX_TIMEOUTS: u32 = 2;

impl Connection {
    pub(super) const fn new(
        pipe: MultiplexedConnection,
        driver: AbortHandle,
        trouble: Arc<Trouble>,
    ) -> Self {
        Self {
            pipe,
            driver,
            timeouts: AtomicU32::new(0),
            trouble,
        }
    }

    /// Asks for one thing, and waits for the answer for at most `within`.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        command: &Cmd,
        within: Duration,
    ) -> Result<T, Fault> {
        if let Some(reason) = self.trouble.reason() {
            return Err(Fault::Unasked(reason.to_owned()));
        }
        let mut pipe = self.pipe.clone();
        let asked = tokio::time::timeout(within, command.query_async::<Value>(&mut pipe));
        let value = match asked.await {
            Ok(answer) => self.noted(answer)?,
            Err(_) => return Err(self.timed_out()),
        };
        redis::from_redis_value(value).map_err(|error| Fault::Odd(error.into()))
    }

    /// Runs a script: `call` adds its keys and arguments.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        call: impl Fn(&mut Cmd),
        within: Duration,
    ) -> Result<T, Fault> {
        let mut by_name = script.by_name();
        call(&mut by_name);
        match self.ask(&by_name, within).await {
            Err(Fault::Odd(error)) if error.code() == Some("NOSCRIPT") => {
                let mut by_text = script.by_text();
                call(&mut by_text);
                self.ask(&by_text, within).await
            }
            answered => answered,
        }
    }

    fn noted(&self, answer: RedisResult<Value>) -> Result<Value, Fault> {
        self.timeouts.store(0, Ordering::Relaxed);
        answer.map_err(|error| {
            let fault = Fault::from(error);
            match &fault {
                Fault::Refused {
                    reason,
                    is_wrong_server: true,
                    ..
                } => self.trouble.report(*reason),
                Fault::Silent(Some(source)) => {
                    self.trouble.report(format!("redis went away: {source}"));
                }
                _ => {}
            }
            fault
        })
    }

    fn timed_out(&self) -> Fault {
        let timeouts = self.timeouts.fetch_add(1, Ordering::Relaxed);
        if timeouts.saturating_add(1) >= MAX_TIMEOUTS {
            self.trouble.report("redis does not answer");
        }
        Fault::Silent(None)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection(..)")
    }
}
