use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use dariet_gateway::config::{Config, Environment};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a configuration, and all that a gateway makes there.
pub struct House {
    folder: TempDir,
    port: u16,
}

/// A node that runs. It is killed when this is dropped.
pub struct Node(Child);

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// What is waited for comes at once, or never.
const PATIENCE: Duration = Duration::from_secs(60);

impl House {
    /// A gateway with free ports and nothing in its store.
    pub fn new() -> Self {
        let house = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
        };
        house.configure("");
        house
    }

    /// Writes the configuration anew, with `more` at its end.
    pub fn configure(&self, more: &str) {
        let (port, admin) = (self.port, free_port());
        let text = format!(
            "[server]\nlisten = [\"127.0.0.1:{port}\"]\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
             [store]\nurl = \"embedded:data/gateway.db\"\n{more}"
        );
        fs::write(self.config(), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("gateway.toml")
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// What the configuration means.
    pub fn settings(&self) -> Config {
        Config::read(&self.config(), &Environment::new()).unwrap()
    }

    /// The program with these arguments and this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gateway();
        command
            .current_dir(self.folder.path())
            .arg("--config")
            .arg(self.config())
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments), "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        Ran::of(&mut self.command(arguments), input)
    }

    /// What a command that succeeds answers a program.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Runs a node, and waits until it says that it takes requests.
    pub fn start(&self) -> Node {
        let place = self.path("notify");
        let told = UnixDatagram::bind(&place).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.command(&["serve"]);
        command
            .env("NOTIFY_SOCKET", &place)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let node = Node(command.spawn().unwrap());
        let mut message = [0; 64];
        let length = told.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1");
        fs::remove_file(place).unwrap();
        node
    }

    /// What curl prints when it logs in.
    pub fn log_in(&self, email: &str, password: &str) -> Value {
        let body = serde_json::json!({ "email": email, "password": password });
        let url = self.url("/api/auth/login");
        curl(&[
            &url,
            "-H",
            "content-type: application/json",
            "-d",
            &body.to_string(),
        ])
    }

    /// What curl prints when it asks for `path` with a token or key.
    pub fn ask(&self, path: &str, credential: &str) -> Value {
        let authorization = format!("authorization: Bearer {credential}");
        curl(&[&self.url(path), "-H", &authorization])
    }

    /// Creates a user of this name with a password that was made; answers it.
    pub fn user(&self, name: &str, role: &str) -> String {
        let email = format!("{name}@example.com");
        let create = ["user", "create", &email, "--name", name, "--role", role];
        self.run(&create).ok()
    }
}

impl Node {
    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Option<i32> {
        signal(&self.0, Signal::TERM);
        self.0.wait().unwrap().code()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ran {
    pub fn of(command: &mut Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that reads nothing may have ended before.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap().into()
    }

    /// What it printed, without the line end; it must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out.trim_end_matches('\n').to_owned()
    }

    /// What it said to be wrong; it must have ended with `code` and no result.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(
            (self.code, self.out.as_str()),
            (Some(code), ""),
            "{}",
            self.err
        );
        self.err
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program, which must find nothing in the environment of whoever tests.
pub fn gateway() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dariet-gateway"));
    command
        .env_remove("DARIET_CONFIG")
        .env_remove("NOTIFY_SOCKET");
    command
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// What curl gets as JSON. The certificate is the gateway's own.
pub fn curl(arguments: &[&str]) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["-sSk", "--noproxy", "*"]).args(arguments);
    serde_json::from_str(&Ran::of(&mut curl, "").ok()).unwrap()
}

/// The files and folders below a folder.
pub fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
