use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::Signal;

use crate::world::{Ran, gateway, signal};

/// A demo that runs. It is killed when this is dropped.
struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
    printed: String,
}

impl Demo {
    /// Starts it on free ports, and reads all that it prints at first.
    fn start(folder: &Path) -> Self {
        let mut command = gateway();
        command.arg("demo").arg("--folder").arg(folder);
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut demo = Self {
            child,
            out,
            printed: String::new(),
        };
        while !demo.printed.contains("Ctrl-C ends the demo") {
            assert!(
                demo.out.read_line(&mut demo.printed).unwrap() > 0,
                "it ended"
            );
        }
        demo
    }

    /// The lines that are to be pasted.
    fn lines(&self) -> &str {
        let (_, lines) = self.printed.split_once("all at once:\n").unwrap();
        let (lines, _) = lines.split_once("Each request").unwrap();
        lines
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_printed_lines_do_what_they_say() {
    let home = tempfile::tempdir().unwrap();
    // A folder that bash would take for several words.
    let mut demo = Demo::start(&home.path().join("it's a demo"));

    let mut bash = Command::new("bash");
    bash.env("no_proxy", "127.0.0.1").env_remove("HOME");
    let ran = Ran::of(&mut bash, demo.lines());

    let parts = [
        "\"code\":\"credential_missing\"",
        "\"x-auth-method\": \"session\"",
        "\"x-auth-user-email\": \"admin@example.com\"",
        "\"x-auth-method\": \"api_key\"",
        "data: event 1",
        "data: event 3",
        "revoked: HTTP 204",
        "the stream was cut: exit code 92 of its curl",
        "\"code\":\"key_revoked\"",
    ];
    let mut rest = ran.out.as_str();
    for part in parts {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| {
            unreachable!("{part} is missing or out of order: {} {}", ran.out, ran.err)
        });
        rest = after;
    }
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(ran.err.contains("curl: (92) HTTP/2 stream"), "{}", ran.err);

    signal(&demo.child, Signal::INT);
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_printed_password_is_the_administrators_and_the_files_are_their_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("demo");
    let demo = Demo::start(&folder);

    let password = demo
        .printed
        .lines()
        .find_map(|line| line.strip_prefix("  password "));
    assert!(demo.lines().contains(password.unwrap().trim()));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&folder), 0);
    for name in ["gateway.toml", "gateway.crt", "gateway.key", "gateway.db"] {
        assert_eq!(mode(&folder.join(name)), 0, "{name}");
    }
    let list = ["user", "list", "--json", "--config"];
    let mut list_users = gateway();
    list_users.args(list).arg(folder.join("gateway.toml"));
    assert!(
        Ran::of(&mut list_users, "")
            .ok()
            .contains("admin@example.com")
    );
}

#[test]
fn a_folder_of_its_own_is_gone_at_the_end_and_one_that_was_named_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let named = home.path().join("demo");
    let temporary = home.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let made = || fs::read_dir(&temporary).unwrap().count();

    for end in [Signal::INT, Signal::TERM] {
        let mut command = gateway();
        command.arg("demo").env("TMPDIR", &temporary);
        let mut demo = Demo::run(command);
        assert_eq!(made(), 1);
        assert!(demo.printed.contains("it is removed at the end"));

        signal(&demo.child, end);

        assert_eq!(demo.child.wait().unwrap().code(), Some(0));
        assert_eq!(made(), 0, "after {end:?}");
    }

    let mut demo = Demo::start(&named);
    signal(&demo.child, Signal::INT);
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    assert!(named.join("gateway.toml").exists());
}

#[test]
fn a_configuration_is_not_silently_ignored() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = gateway();
    demo.args(["demo", "--listen", "127.0.0.1:0", "--config", "mine.toml"]);

    let said = Ran::of(demo.current_dir(&home), "").failed(2);

    assert!(said.contains("serve --config FILE"), "{said}");
}

#[test]
fn a_port_in_use_is_told_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let mut demo = gateway();
    demo.args(["demo", "--listen", &address, "--folder", "demo"]);

    let said = Ran::of(demo.current_dir(&home), "").failed(1);

    assert!(
        said.contains(&format!("cannot listen on {address}")),
        "{said}"
    );
    assert!(said.contains("--listen 127.0.0.1:9443"), "{said}");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("gateway.toml"), "mine").unwrap();
    let mut demo = gateway();
    demo.args(["demo", "--listen", "127.0.0.1:0", "--folder"]);
    let said = Ran::of(demo.arg(home.path()), "").failed(1);
    assert!(said.contains("is not empty"), "{said}");
    let kept = fs::read_to_string(home.path().join("gateway.toml"));
    assert_eq!(kept.unwrap(), "mine");
}

#[test]
fn a_demo_that_is_ended_in_its_first_moments_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let mut child = gateway()
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let is_there = || fs::read_dir(home.path()).unwrap().next().is_some();
    while !is_there() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }

    signal(&child, Signal::TERM);

    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!is_there());
}
