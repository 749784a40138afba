use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

/// A running `smtp_server.py`. It ends when this is dropped.
pub struct SmtpServer {
    process: Child,
    stdin: ChildStdin,
    events: mpsc::UnboundedReceiver<Value>,
    pub port: u16,
}

impl SmtpServer {
    /// Starts the server and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(python())
            .arg(root().join("tests/mail/smtp_server.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = process.stdout.take().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        std::thread::spawn(move || tell_events(stdout, &sender));
        let mut server = Self {
            process,
            stdin,
            events,
            port: 0,
        };
        let listening = server.wait_for("listening").await;
        server.port = listening["port"].as_u64().unwrap().try_into().unwrap();
        server
    }

    /// The next event, whatever it is.
    pub async fn event(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(20), self.events.recv())
            .await
            .expect("the SMTP server told nothing for 20 s")
            .expect("the SMTP server ended; see its stderr")
    }

    /// The next event of this name; those before it are passed over.
    pub async fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["event"] == name {
                return event;
            }
        }
    }

    /// The names of all events until `name`, that one included.
    pub async fn names_until(&mut self, name: &str) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let event = self.event().await;
            names.push(event["event"].as_str().unwrap().to_owned());
            if event["event"] == name {
                return names;
            }
        }
    }

    /// Lets the mail go on that `--hold` stopped.
    pub fn release(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn tell_events(stdout: ChildStdout, events: &mpsc::UnboundedSender<Value>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if events.send(serde_json::from_str(&line).unwrap()).is_err() {
            return;
        }
    }
}

fn python() -> PathBuf {
    let python = root().join("target/test-venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing; run tests/setup",
        python.display()
    );
    python
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
