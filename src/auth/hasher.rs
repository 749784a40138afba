use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use argon2::Params;
use tokio::sync::oneshot;

use super::argon::{Argon, cost_of, is_outdated};
pub use super::hash_queue::Lane;
use super::hash_queue::{Awaited, Full, HashQueue};
use super::random::RandomError;
use crate::config;
use crate::domain::Password;
use crate::http::{ApiError, Code};

/// Hashes passwords (argon2id) on a few threads of its own, at the lowest priority: a flood of
/// log-ins takes neither the processor nor the memory from proxied traffic.
///
/// The threads end when it is dropped.
pub struct Hasher {
    queue: Arc<HashQueue<Job>>,
    cost: Params,
    threads: Vec<JoinHandle<()>>,
}

impl Hasher {
    /// Starts the threads. One that cannot be started is logged, and the others do its work.
    #[must_use]
    pub fn new(passwords: config::Passwords) -> Self {
        let queue = Arc::new(HashQueue::new());
        let cost = cost_of(&passwords);
        let start = |number| {
            let (queue, argon) = (Arc::clone(&queue), Argon::new(cost.clone()));
            let thread = std::thread::Builder::new().name(format!("hasher-{number}"));
            let started = thread.spawn(move || work(&queue, argon));
            started
                .inspect_err(|error| tracing::error!(%error, "hasher thread not started"))
                .ok()
        };
        let threads: Vec<_> = (0..passwords.threads.max(1)).filter_map(start).collect();
        if threads.is_empty() {
            queue.close();
        }
        Self {
            queue,
            cost,
            threads,
        }
    }

    /// A new hash of `password`, as a PHC string.
    ///
    /// Dropping the future takes the work out of the queue.
    ///
    /// # Errors
    ///
    /// [`HashError::Busy`] when the lane stays full; [`HashError::TooLong`] for a password that
    /// [`PasswordPolicy`](super::PasswordPolicy) would refuse.
    pub async fn hash(&self, lane: Lane, password: Password) -> Result<String, HashError> {
        let (reply, answer) = oneshot::channel();
        self.enter(lane, Job::Hash { password, reply }).await?;
        answer.await.map_err(|_| HashError::Busy)?
    }

    /// Whether `stored`, a PHC string, is a hash of `password`. None, for an account that does not
    /// exist, takes as long and says no.
    ///
    /// Dropping the future takes the work out of the queue.
    ///
    /// # Errors
    ///
    /// [`HashError::Busy`] when the lane stays full.
    pub async fn verify(
        &self,
        lane: Lane,
        password: Password,
        stored: Option<&str>,
    ) -> Result<bool, HashError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Verify {
            password,
            stored: stored.map(str::to_owned),
            reply,
        };
        self.enter(lane, job).await?;
        answer.await.map_err(|_| HashError::Busy)?
    }

    /// Whoever finds the lane full waits a little before they are told to come again. A client of a flood
    /// that was told at once would be there again at once, and what telling takes is the workers' time.
    async fn enter(&self, lane: Lane, job: Job) -> Result<(), HashError> {
        if !self.queue.has_room(lane) {
            tokio::time::sleep(PATIENCE).await;
        }
        Ok(self.queue.push(lane, job)?)
    }

    /// Whether a password that was just verified against `stored` should be hashed again, because
    /// the configured cost is another.
    #[must_use]
    pub fn needs_rehash(&self, stored: &str) -> bool {
        is_outdated(stored, &self.cost)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("cost", &self.cost)
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

enum Job {
    Hash {
        password: Password,
        reply: oneshot::Sender<Result<String, HashError>>,
    },
    Verify {
        password: Password,
        stored: Option<String>,
        reply: oneshot::Sender<Result<bool, HashError>>,
    },
}

impl Awaited for Job {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Hash { reply, .. } => reply.is_closed(),
            Self::Verify { reply, .. } => reply.is_closed(),
        }
    }
}

fn work(queue: &HashQueue<Job>, mut argon: Argon) {
    // On Linux this is the priority of the calling thread alone. Without it we are slower, not wrong.
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST_PRIORITY) {
        tracing::debug!(%error, "hasher priority not lowered");
    }
    // Who went away meanwhile does not need the answer.
    while let Some(job) = queue.pop() {
        match job {
            Job::Hash { password, reply } => drop(reply.send(argon.hash(&password))),
            Job::Verify {
                password,
                stored,
                reply,
            } => drop(reply.send(argon.verify(&password, stored.as_deref()))),
        }
    }
}

/// A password could not be hashed or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// As many wait as may; try again soon.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The password is longer than any may be.
    #[error("the password is too long")]
    TooLong,
    /// There is not enough memory for one hash.
    #[error("there is not enough memory to hash a password; lower `memory` in [passwords]")]
    Memory,
    /// argon2 cannot do what the configuration asks for.
    #[error("the configured cost of password hashes is out of bounds")]
    Cost,
    /// There is no salt to be had.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl From<Full> for HashError {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::new(Code::Overloaded).retry_after(Duration::from_secs(1)),
            HashError::TooLong => Self::new(Code::Invalid).detail("the password is too long"),
            HashError::Memory | HashError::Cost | HashError::Random(_) => {
                tracing::error!(%error, "password not hashed");
                Self::new(Code::Internal)
            }
        }
    }
}

/// How long somebody waits for a full lane to have room.
const PATIENCE: Duration = Duration::from_millis(250);
/// The nice value that yields to everything else.
const LOWEST_PRIORITY: i32 = 19;

#[cfg(test)]
mod tests;
