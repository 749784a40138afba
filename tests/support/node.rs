//! A running gateway process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::lines::Lines;

/// A gateway process. It ends when this is dropped.
pub struct Node {
    child: Child,
    /// What it writes to standard error: life cycle, faults, audit.
    pub log: Lines,
    /// What it writes to standard output: one line a request.
    pub access: Lines,
}

impl Node {
    /// Starts `serve`; it may not be ready yet.
    pub fn spawn(config: &Path) -> Self {
        Self::run(command(config))
    }

    /// The same with a binary that was told more than where its configuration is.
    pub fn run(mut command: Command) -> Self {
        let mut child = command
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let access = Lines::of(child.stdout.take().unwrap());
        Self { child, log, access }
    }

    /// Waits until it takes connections; it may not be ready yet.
    pub async fn serving(&self) {
        let is_serving = |line: &serde_json::Value| line["message"] == "serving";
        self.log.wait_for("the node to serve", is_serving).await;
    }

    /// Where it listens for `scheme`: `https`, `http` or `admin`. Call it when the node is ready.
    pub fn address(&self, scheme: &str) -> Option<SocketAddr> {
        let lines = self.log.json();
        let line = lines
            .iter()
            .find(|line| line["message"] == "listening" && line["scheme"] == scheme)?;
        Some(line["address"].as_str().unwrap().parse().unwrap())
    }

    /// Where its clients' listeners are, in the order of the configuration.
    pub fn listeners(&self) -> Vec<SocketAddr> {
        let lines = self.log.json();
        let listening = lines.iter().filter(|line| line["message"] == "listening");
        let clients = listening.filter(|line| line["scheme"] != "admin");
        clients
            .map(|line| line["address"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub async fn exited(&mut self) -> ExitStatus {
        self.log.ended().await;
        self.access.ended().await;
        self.child.wait().unwrap()
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exited().await
    }

    /// Ends it without warning, as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has a program go by a clock that is so much ahead, such as `-60s`.
pub fn set_clock(command: &mut Command, ahead: &str) {
    command
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
        .env("FAKETIME", ahead)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// The binary, told where its configuration is.
pub fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dariet-gateway"));
    command.arg("--config").arg(config);
    command
}
