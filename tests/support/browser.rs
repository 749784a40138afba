//! Drives a headless Chromium through chromedriver (W3C WebDriver: JSON over HTTP).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser of its own, with nothing in its profile. It ends when this is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts it. What a test looks for may take twenty seconds to appear.
    pub fn start() -> Self {
        let (driver, port) = start_driver();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let mut arguments = vec![profile.as_str()];
        arguments.extend(ARGUMENTS);
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "timeouts": {"implicit": 20_000},
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = browser.call("POST", "/session", &capabilities);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    pub fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url}));
    }

    pub fn url(&self) -> String {
        let url = self.command("GET", "/url", &Value::Null);
        url.as_str().unwrap().to_owned()
    }

    /// Clicks on the first element of this CSS selector.
    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.command("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into the first element of this CSS selector, in place of what is there.
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.command("POST", &format!("/element/{element}/clear"), &json!({}));
        let keys = json!({"text": text});
        self.command("POST", &format!("/element/{element}/value"), &keys);
    }

    /// The text that a person sees in the first element of this CSS selector.
    pub fn text(&self, selector: &str) -> String {
        let element = self.find(selector);
        let text = self.command("GET", &format!("/element/{element}/text"), &Value::Null);
        text.as_str().unwrap().to_owned()
    }

    /// What JavaScript returns.
    pub fn run(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// What the page's console holds since the last call, refused loads included.
    pub fn console(&self) -> Vec<Value> {
        let log = self.command("POST", "/se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().clone()
    }

    /// Sends a command of the browser's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) {
        let body = json!({"cmd": command, "params": parameters});
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// Keeps what is seen now as a PNG file.
    pub fn screenshot(&self, file: &Path) {
        let png = self.command("GET", "/screenshot", &Value::Null);
        let png = base64::engine::general_purpose::STANDARD.decode(png.as_str().unwrap());
        std::fs::write(file, png.unwrap()).unwrap();
    }

    /// Waits until there is an element of this CSS selector.
    pub fn find(&self, selector: &str) -> String {
        let query = json!({"using": "css selector", "value": selector});
        let element = self.command("POST", "/element", &query);
        let id = element.as_object().unwrap().values().next().unwrap();
        id.as_str().unwrap().to_owned()
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = request(self.port, method, path, body).unwrap();
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Only the driver can end the browser's processes, all of them.
        let path = format!("/session/{}", self.session);
        let _ = request(self.port, "DELETE", &path, &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
];

fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("chromedriver is missing; run tests/setup");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        })
        .expect("chromedriver did not start; try tests/setup");
    // Its later lines have to go somewhere.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, port)
}

fn request(port: u16, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    while reader.read_line(&mut answer)? > 2 {
        let line = answer.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        answer.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
