use std::io;
use std::time::Duration;

use rustix::process::{Signal as Kind, getpid, kill_process};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Keeps the signals that come before the node listens for them. By itself the system would end the process,
/// and leave its folder behind.
#[derive(Debug)]
pub(super) struct Early {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

/// For what has come already.
const LOOK: Duration = Duration::from_millis(5);

impl Early {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(entered);
        Ok(Self {
            runtime,
            terminate,
            interrupt,
        })
    }

    /// Gives the node, which listens by now, what has come before.
    pub(super) fn pass_on(&mut self) {
        if self.has_come() {
            // To oneself it does not fail.
            let _ = kill_process(getpid(), Kind::TERM);
        }
    }

    fn has_come(&mut self) -> bool {
        let (terminate, interrupt) = (&mut self.terminate, &mut self.interrupt);
        self.runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            }
        })
    }
}
