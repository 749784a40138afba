//! Programs in Python: a service behind the gateway, or a client before it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::support::within;

/// A service that another program is, until it is dropped.
pub struct Served {
    process: Child,
    pub address: SocketAddr,
}

impl Served {
    /// Starts `script`, which prints its port.
    pub fn by(script: &str) -> Self {
        let mut process = python(script, &["serve"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut told = BufReader::new(process.stdout.take().unwrap());
        told.read_line(&mut port).unwrap();
        Self {
            process,
            address: ([127, 0, 0, 1], port.trim().parse().unwrap()).into(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the client in `script` came to, as it prints that.
pub async fn call(script: &str, arguments: &[&str]) -> Value {
    let mut call = python(script, &["call"]);
    call.args(arguments);
    let (done, ran) = oneshot::channel();
    // The test may be over.
    std::thread::spawn(move || drop(done.send(call.output())));
    let ran = within("the client", ran).await.unwrap().unwrap();

    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn python(script: &str, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/test-venv/bin/python");
    assert!(python.exists(), "{python:?} is missing; run tests/setup");
    let mut command = Command::new(python);
    command
        .arg(root.join("tests/gateway").join(script))
        .args(arguments);
    command
}
