//! The threads that serve requests, one single-threaded runtime a core, and the runtime for everything else.
//!
//! A worker shares nothing on the path of a request but atomics: its connections, its upstream
//! connections and its buffers stay on its own thread. Control work (mail, sweeps, the admin
//! listener) has a runtime of its own, so that it never waits behind requests.

mod rest;

use std::io;
use std::pin::pin;
use std::task::Context;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions, Runtime};

pub use rest::InFlight;

/// Starts worker `index` on a thread of its own and runs what `main` makes there to its end.
///
/// `main` runs on the new thread; what it makes need not be `Send`, and may `spawn_local`.
///
/// # Errors
///
/// When the system has no more threads or file descriptors.
pub fn spawn_worker<Main, Work>(index: usize, main: Main) -> io::Result<JoinHandle<io::Result<()>>>
where
    Main: FnOnce() -> Work + Send + 'static,
    Work: Future<Output = io::Result<()>>,
{
    std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .on_thread_park(rest::before_waiting)
                .build_local(LocalOptions::default())?;
            runtime.block_on(main())
        })
}

/// Wakes the task that is polled now once the others have had their turn, and the runtime has looked at
/// what came meanwhile. The task must be pending then.
pub fn yield_turn(cx: &mut Context<'_>) {
    // Its first poll hands the waker over; nothing is lost with the rest of it.
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

/// The runtime for control work: one thread.
///
/// # Errors
///
/// When the system has no more threads or file descriptors.
pub fn control() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
}
