//! A WebSocket library as the service and as the client.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::setup::Setup;
use crate::support::{certificates, within};

/// A service that another program is.
struct Echo {
    process: Child,
    address: SocketAddr,
}

impl Echo {
    fn start() -> Self {
        let mut process = python(&["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        let mut told = BufReader::new(process.stdout.take().unwrap());
        told.read_line(&mut port).unwrap();
        Self {
            process,
            address: ([127, 0, 0, 1], port.trim().parse().unwrap()).into(),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python(arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/test-venv/bin/python");
    assert!(python.exists(), "{python:?} is missing; run tests/setup");
    let mut command = Command::new(python);
    command
        .arg(root.join("tests/gateway/peers/websocket_echo.py"))
        .args(arguments);
    command
}

#[tokio::test]
async fn a_real_client_and_a_real_service_understand_each_other() {
    let echo = Echo::start();
    let world = Setup::before(echo.address).start().await;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.crt");
    std::fs::write(&authority, certificates::authority()).unwrap();
    let mut call = python(&["call", &world.https().port().to_string()]);
    call.arg(&authority).arg(&world.administrator().token);

    let (done, ran) = oneshot::channel();
    // The test may be over.
    std::thread::spawn(move || drop(done.send(call.output())));
    let ran = within("the client", ran).await.unwrap().unwrap();

    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let expected = json!({
        "protocol": "chat",
        "compressed": ["permessage-deflate"],
        "text": "grüß dich",
        "binary": true,
        "long": true,
        "in pieces": true,
        "pieces": "abc",
        "role": "admin",
        "ping of the service": "pong",
        "ping of the client": true,
        "closed": [4001, "as you like"],
        "protocol of a browser": "chat",
        "nobody": 401,
    });
    assert_eq!(told, expected);
}
