use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use redb::{ReadTransaction, ReadableDatabase as _};
use uuid::Uuid;

use super::disk::Health;
use super::fault::{Fault, advice};
use super::open::{Check, Opened, open};
use super::tables::Tables;
use super::writer::Job;
use crate::store::StoreError;

/// The one way to the file, which also knows when it must not be used.
///
/// redb answers nothing more after any failed read or write until it is opened again. So after a
/// failure the file is opened anew, and its number of commits says whether the last one is in it.
/// Only a failed sync ends everything until a restart: what is read then may not be on the disk.
#[derive(Debug)]
pub(super) struct Door {
    path: PathBuf,
    id: Uuid,
    /// Written to by the writer's thread alone.
    state: RwLock<State>,
}

#[derive(Debug)]
enum State {
    Open {
        database: redb::Database,
        health: Arc<Health>,
    },
    /// To be tried again with the next change.
    Closed { reason: String },
    /// Not before the process starts again.
    Lost,
}

/// What became of the changes of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Each that was not refused is on the disk.
    Written,
    /// None was written.
    NotWritten { reason: String },
    /// Nobody knows.
    Unknown,
}

/// A transaction that failed: why, and its number if it may have been written nevertheless.
struct Failure {
    fault: Fault,
    commit: Option<u64>,
}

impl Door {
    pub(super) fn new(path: &Path, opened: Opened) -> Self {
        let Opened {
            database,
            health,
            meta,
        } = opened;
        Self {
            path: path.to_owned(),
            id: meta.id,
            state: RwLock::new(State::Open { database, health }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn id(&self) -> Uuid {
        self.id
    }

    /// A view of everything that was written before.
    pub(super) fn view(&self) -> Result<ReadTransaction, Fault> {
        match &*self.state.read() {
            State::Open { database, .. } => Ok(database.begin_read()?),
            State::Closed { reason } => Err(Fault::Refused(unavailable(reason))),
            State::Lost => Err(Fault::Refused(unavailable(LOST))),
        }
    }

    /// Applies `jobs` in one transaction. Their own refusals stay with them.
    pub(super) fn write(&self, jobs: &mut [Box<dyn Job>]) -> Outcome {
        self.reopen_if_closed();
        let failure = match &*self.state.read() {
            State::Open { database, .. } => match transact(database, jobs) {
                Ok(()) => return Outcome::Written,
                Err(failure) => failure,
            },
            State::Closed { reason } => {
                let reason = reason.clone();
                return Outcome::NotWritten { reason };
            }
            State::Lost => {
                let reason = LOST.to_owned();
                return Outcome::NotWritten { reason };
            }
        };
        self.recover(failure)
    }

    fn reopen_if_closed(&self) {
        if matches!(&*self.state.read(), State::Closed { .. }) {
            *self.state.write() = self.reopened().0;
        }
    }

    fn recover(&self, failure: Failure) -> Outcome {
        let Failure { fault, commit } = failure;
        let reason = match &fault {
            Fault::File(error) => advice(error),
            Fault::Refused(_) => advice(&redb::Error::PreviousIo),
        };
        tracing::error!(store.path = %self.path.display(), error = ?fault, reason, "store write failed");
        let not_written = Outcome::NotWritten {
            reason: reason.to_owned(),
        };

        let mut state = self.state.write();
        let mut sync_failed = false;
        if let State::Open { health, .. } = &*state {
            sync_failed = health.sync_failed();
        }
        // The old database must be gone, its lock with it, before the file can be opened again.
        *state = State::Lost;
        if sync_failed {
            return if commit.is_some() {
                Outcome::Unknown
            } else {
                not_written
            };
        }
        let (reopened, commits) = self.reopened();
        *state = reopened;
        drop(state);

        match (commit, commits) {
            (None, _) => not_written,
            (Some(_), None) => Outcome::Unknown,
            (Some(commit), Some(commits)) if commit == commits => self.secured(),
            (Some(_), Some(_)) => not_written,
        }
    }

    /// The commit stands in the file as the kernel shows it; it counts when the disk has it too.
    fn secured(&self) -> Outcome {
        let synced = std::fs::File::open(&self.path).and_then(|file| file.sync_all());
        match synced {
            Ok(()) => Outcome::Written,
            Err(_) => {
                *self.state.write() = State::Lost;
                Outcome::Unknown
            }
        }
    }

    /// The file, opened again, and its number of commits.
    fn reopened(&self) -> (State, Option<u64>) {
        let reason = match open(&self.path, Check::Quick) {
            Ok(opened) if opened.meta.id == self.id => {
                let Opened {
                    database,
                    health,
                    meta,
                } = opened;
                return (State::Open { database, health }, Some(meta.commits));
            }
            Ok(_) => format!(
                "{} is another store now; restart the gateway",
                self.path.display()
            ),
            Err(error) => error.to_string(),
        };
        tracing::error!(store.path = %self.path.display(), reason, "store cannot be opened again");
        (State::Closed { reason }, None)
    }
}

fn transact(database: &redb::Database, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
    let before = |fault| Failure {
        fault,
        commit: None,
    };
    let mut transaction = database
        .begin_write()
        .map_err(|error| before(error.into()))?;
    // A crash while it commits leaves the old state or the new, and the next start is quick.
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    let Some(number) = apply(&transaction, jobs).map_err(before)? else {
        return transaction.abort().map_err(|error| before(error.into()));
    };
    transaction.commit().map_err(|error| Failure {
        fault: error.into(),
        commit: Some(number),
    })
}

/// Answers the number of the commit, or `None` when every job was refused.
fn apply(
    transaction: &redb::WriteTransaction,
    jobs: &mut [Box<dyn Job>],
) -> Result<Option<u64>, Fault> {
    let mut tables = Tables::open(transaction)?;
    let mut is_changed = false;
    for job in jobs {
        is_changed |= job.apply(&mut tables)?;
    }
    is_changed.then(|| tables.number_commit()).transpose()
}

pub(super) fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_owned(),
        source: None,
    }
}

const LOST: &str = "the disk failed to keep what was written; look at it and restart the gateway";

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::domain::{Email, Role, Timestamp, UserId, UserName};
    use crate::store::{Embedded, Store, UserRecord};

    fn user(name: &str) -> UserRecord {
        UserRecord {
            id: UserId::new(),
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            name: UserName::parse(name).unwrap(),
            role: Role::Admin,
            is_active: true,
            created_at: Timestamp::from_secs(0),
            password: "x".repeat(3000),
            epoch: 0,
            version: 0,
            reset: None,
        }
    }

    fn health(store: &Embedded) -> Arc<Health> {
        match &*store.door.state.read() {
            State::Open { health, .. } => Arc::clone(health),
            other => panic!("{other:?}"),
        }
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    fn ids(store: &Embedded) -> Vec<UserId> {
        let users = wait(store.users(None, usize::MAX)).unwrap();
        users.iter().map(|user| user.id).collect()
    }

    #[test]
    fn after_a_failed_write_the_answer_is_true_and_the_store_goes_on() {
        let home = tempfile::tempdir().unwrap();
        let store = Embedded::open(&home.path().join("store.db")).unwrap();
        let mut answered = Vec::new();
        let mut failed = 0;

        for step in 1..40 {
            let user = user(&format!("user{step}"));
            health(&store).plan.writes.store(step, Ordering::Release);
            match wait(store.create_user(user.clone())) {
                Ok(_) => answered.push(user.id),
                Err(StoreError::Unavailable { .. }) => failed += 1,
                Err(other) => panic!("{other:?}"),
            }
            assert_eq!(ids(&store), answered, "write {step} failed");
        }

        assert!(failed > 3, "{failed}");
        assert!(answered.len() > 3, "{answered:?}");
    }

    #[test]
    fn after_a_failed_sync_nothing_is_believed_until_a_restart() {
        for step in 1..4 {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("store.db");
            let store = Embedded::open(&path).unwrap();
            let (before, unsure) = (user("before"), user("unsure"));
            let _ = wait(store.create_user(before.clone())).unwrap();

            health(&store).plan.syncs.store(step, Ordering::Release);
            let answer = wait(store.create_user(unsure.clone()));
            let is_certain = matches!(answer, Err(StoreError::Unavailable { .. }));
            if answer.is_ok() {
                assert!(step > 2, "two syncs make a commit");
                continue;
            }

            let read = wait(store.user(before.id));
            assert!(matches!(read, Err(StoreError::Unavailable { .. })));
            let write = wait(store.create_user(user("later")));
            assert!(matches!(write, Err(StoreError::Unavailable { .. })));
            drop(store);
            let found = ids(&Embedded::open(&path).unwrap());
            assert_eq!(found.first(), Some(&before.id));
            assert!(found.iter().all(|id| *id == before.id || *id == unsure.id));
            assert!(!is_certain || found.len() == 1);
        }
    }
}
