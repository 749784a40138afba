use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dariet_gateway::accounts::{Accounts, ResetDesk, ResetDeskTask};
use dariet_gateway::config;
use dariet_gateway::domain::Clock;
use dariet_gateway::mail::{Outbox, OutboxTask, Pace};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, timeout};

/// The mails of a world. Nothing is looked up and nothing sent before a test begins with it.
pub(crate) struct Mails {
    folder: PathBuf,
    outbox: Option<Outbox>,
    tasks: Mutex<Option<(ResetDeskTask, OutboxTask)>>,
}

/// The tasks behind the answers, at work.
pub(crate) struct Working<'a> {
    mails: &'a Mails,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// A mail that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) to: String,
    pub(crate) token: String,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Mails {
    pub(crate) fn open(
        folder: &Path,
        queue: usize,
        clock: Arc<dyn Clock>,
    ) -> (Self, Option<ResetDesk>) {
        let folder = folder.join("mails");
        let config = config::Mail {
            transport: config::MailTransport::Files(folder.clone()),
            from: "Dariet <no-reply@example.com>".to_owned(),
            reset_link: "https://gateway.example.com/api/auth/reset-password".to_owned(),
            reset_lifetime: Duration::from_secs(3600),
            queue,
        };
        let (outbox, sends) = Outbox::start(&config, Pace::default(), clock).unwrap();
        let (desk, looks_up) = ResetDesk::open(outbox.clone(), &config);
        let mails = Self {
            folder,
            outbox: Some(outbox),
            tasks: Mutex::new(Some((looks_up, sends))),
        };
        (mails, Some(desk))
    }

    pub(crate) fn none() -> Self {
        Self {
            folder: PathBuf::new(),
            outbox: None,
            tasks: Mutex::new(None),
        }
    }

    /// Begins to work off what was asked for, and goes on.
    pub(crate) fn begin(&self, accounts: &Arc<Accounts>) -> Working<'_> {
        let (looks_up, sends) = self.tasks.lock().take().unwrap();
        let (stop, stopped) = oneshot::channel();
        let accounts = Arc::clone(accounts);
        let task = tokio::spawn(async move {
            let (no_more, drained) = oneshot::channel();
            let desk = async {
                looks_up.run(accounts, async { drop(stopped.await) }).await;
                let _ = no_more.send(());
            };
            let outbox = sends.run(async {
                drop(drained.await);
                Instant::now() + PATIENCE
            });
            tokio::join!(desk, outbox);
        });
        Working {
            mails: self,
            stop,
            task,
        }
    }

    fn arrived(&self) -> Vec<Arrived> {
        let mut files: Vec<_> = std::fs::read_dir(&self.folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        files.iter().map(|file| read(file)).collect()
    }
}

impl Working<'_> {
    /// Waits until this many mails have arrived in all; answers the last one.
    pub(crate) async fn mail(&self, number: u64) -> Arrived {
        let outbox = self.mails.outbox.as_ref().unwrap();
        let arrives = async {
            while outbox.stats().sent < number {
                yield_now().await;
            }
        };
        timeout(PATIENCE, arrives).await.unwrap();
        self.mails.arrived().pop().unwrap()
    }

    /// Works off everything that was asked for and ends; answers all mails that arrived.
    pub(crate) async fn end(self) -> Vec<Arrived> {
        drop(self.stop);
        self.task.await.unwrap();
        self.mails.arrived()
    }
}

fn read(file: &Path) -> Arrived {
    let mail = std::fs::read_to_string(file).unwrap();
    // Quoted-printable: long lines are folded, and an equals sign is written as its code.
    let mail = mail.replace("=\r\n", "").replace("=3D", "=");
    let to = mail
        .lines()
        .find_map(|line| line.strip_prefix("To: "))
        .unwrap();
    let (_, after) = mail.split_once("#token=").unwrap();
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    Arrived {
        to: to.to_owned(),
        token: after.chars().take_while(is_part).collect(),
    }
}
