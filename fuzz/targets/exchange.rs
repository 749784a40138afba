//! Whole exchanges over HTTP/1.1: a client sends any bytes through a real node, and an upstream that parses
//! strictly must never see a request that the gateway did not write.
//!
//! Each request at the upstream carries the mark that its route sets, which no client can know, and an id
//! of its own that never comes again; and no header of identity. What was written into the body of one request
//! and read as another would have no mark. Nobody waits for the request that a client has left, so none are
//! counted: it may arrive while the next input runs.

#![no_main]

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::Duration;

use dariet_gateway::config::{Config, Environment};
use dariet_gateway::node;
use libfuzzer_sys::fuzz_target;

static NODE: LazyLock<SocketAddr> = LazyLock::new(start_node);
/// What the route sets, and no input can hold but by a guess of 64 bits.
static MARK: LazyLock<String> = LazyLock::new(|| format!("{:016x}", RandomState::new().hash_one(0)));
static IDS: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A connection on which nothing comes for so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nX-Upstream: yes\r\nContent-Length: 2\r\n\r\nok";

fuzz_target!(|data: &[u8]| {
    let mut client = TcpStream::connect(*NODE).expect("the node takes connections");
    client.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    // The gateway may refuse before it has read everything.
    let _ = client.write_all(data);
    let _ = client.shutdown(Shutdown::Write);
    match client.read_to_end(&mut Vec::new()) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the connection hangs");
        }
        _ => {}
    }
});

fn start_node() -> SocketAddr {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = upstream.local_addr().expect("an address");
    std::thread::spawn(move || {
        for connection in upstream.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(&connection));
        }
    });
    let folder = tempfile::tempdir().expect("a folder").keep();
    let text = format!(
        "[server]\nlisten = [\"http://127.0.0.1:0\"]\nworkers = 1\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\
         [logging]\naccess = false\nlevel = \"off\"\n\
         [sessions]\nissuer = \"http://localhost\"\n\
         [upstreams.u]\nservers = [\"http://{address}\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"u\"\npublic = true\n\
         request_headers = {{ set = {{ X-Mark = \"{}\" }} }}\n",
        *MARK
    );
    let (told, started) = mpsc::channel();
    std::thread::spawn(move || {
        let config = Config::parse(
            &text,
            "gateway.toml",
            Path::new(&folder),
            &Environment::new(),
        );
        let config = config.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let ended = node::serve(&config, Path::new("gateway.toml"), |started| {
            told.send(started.listeners[0].0).expect("somebody waits");
        });
        panic!("the node ended: {ended:?}");
    });
    started.recv_timeout(PATIENCE).expect("the node starts")
}

/// Reads requests as strictly as RFC 9112 allows, and answers each.
fn serve(connection: &TcpStream) {
    let mut reader = BufReader::new(connection);
    while let Some(head) = head(&mut reader) {
        let mut lines = head.lines();
        let line = lines.next().expect("a request line");
        let words: Vec<_> = line.split(' ').collect();
        assert!(
            matches!(words[..], [_, target, "HTTP/1.1"] if target.starts_with('/') || target == "*"),
            "{line:?}"
        );
        let fields: Vec<_> = lines.map(field).collect();
        let all = |name: &str| -> Vec<&str> {
            let found = fields.iter().filter(|(other, _)| other == name);
            found.map(|(_, value)| *value).collect()
        };
        assert_eq!(all("host").len(), 1, "{head}");
        let ids = all("x-request-id");
        assert_eq!(ids.len(), 1, "{head}");
        assert!(
            IDS.lock().expect("a lock").insert(ids[0].to_owned()),
            "{head}"
        );
        assert_eq!(all("x-mark"), [MARK.as_str()], "{head}");
        assert!(!fields.iter().any(|(name, _)| is_identity(name)), "{head}");
        let is_whole = match (&all("transfer-encoding")[..], &all("content-length")[..]) {
            ([], []) => true,
            (["chunked"], []) => chunks(&mut reader),
            ([], [length]) => skip(&mut reader, length.parse().expect("a length")),
            _ => panic!("{head}"),
        };
        if !is_whole || (&*connection).write_all(ANSWER).is_err() {
            return;
        }
    }
}

fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            return (!head.is_empty()).then_some(head);
        }
        head.push_str(&line);
        head.push('\n');
    }
}

/// A line without its end, which must be CRLF. `None` where the connection ended.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = reader.read_until(b'\n', &mut bytes).ok()?;
    if read == 0 || bytes.last() != Some(&b'\n') {
        return None;
    }
    let line = bytes.strip_suffix(b"\r\n").expect("CRLF");
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    Some(line.iter().map(|&byte| char::from(byte)).collect())
}

fn field(line: &str) -> (String, &str) {
    let (name, value) = line.split_once(':').expect("a colon");
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    assert!(!name.is_empty() && name.bytes().all(is_token), "{line:?}");
    // Some backends read these as the same.
    (
        name.to_ascii_lowercase().replace(['_', '.'], "-"),
        value.trim(),
    )
}

/// Whether the header, in its folded spelling, is one of those that only the gateway says.
fn is_identity(name: &str) -> bool {
    let user = ["id", "email", "name", "role"];
    let user = name
        .strip_prefix("x-auth-user-")
        .is_some_and(|what| user.contains(&what));
    let certificate = ["subject", "issuer", "names", "fingerprint"];
    let of_certificate = name.strip_prefix("x-client-cert-");
    user || matches!(name, "x-auth-method" | "x-auth-key-id")
        || of_certificate.is_some_and(|what| certificate.contains(&what))
}

fn chunks(reader: &mut impl BufRead) -> bool {
    loop {
        let Some(size) = line(reader) else {
            return false;
        };
        let size = u64::from_str_radix(&size, 16).expect("a chunk's size");
        if size == 0 {
            return trailers(reader);
        }
        if !skip(reader, size) {
            return false;
        }
        match line(reader) {
            Some(end) => assert_eq!(end, ""),
            None => return false,
        }
    }
}

fn trailers(reader: &mut impl BufRead) -> bool {
    loop {
        match line(reader) {
            None => return false,
            Some(line) if line.is_empty() => return true,
            Some(line) => assert!(!is_identity(&field(&line).0)),
        }
    }
}

fn skip(reader: &mut impl BufRead, bytes: u64) -> bool {
    std::io::copy(&mut reader.take(bytes), &mut std::io::sink()).is_ok_and(|read| read == bytes)
}
