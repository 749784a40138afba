//! Credentials in headers: what is found is one, and what is passed on holds none of ours.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use dariet_gateway::config::{Config, Environment};
use dariet_gateway::http::{IdentityHeaders, Passing, read_credential};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use libfuzzer_sys::fuzz_target;

/// The headers under their usual names.
static IDENTITY: LazyLock<IdentityHeaders> = LazyLock::new(|| {
    let text = "[sessions]\nissuer = \"http://localhost\"\n";
    let config = Config::parse(
        text,
        "gateway.toml",
        Path::new("/nonexistent"),
        &Environment::new(),
    );
    IdentityHeaders::new(&config.expect("a configuration").identity_headers)
});

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else {
        return;
    };
    let is_websocket = first & 1 == 1;
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some((&kind, value)) = line.split_first() else {
            continue;
        };
        let name = match kind % 6 {
            0 => HeaderName::from_static("authorization"),
            1 => HeaderName::from_static("x-api-key"),
            2 => HeaderName::from_static("sec-websocket-protocol"),
            3 => HeaderName::from_static("connection"),
            4 => HeaderName::from_static("x-auth-user-id"),
            _ => HeaderName::from_static("x_auth.user_id"),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    // Whatever was found, nothing of ours may be passed on.
    let _ = read_credential(&headers, is_websocket);
    let passing = Passing {
        rules: None,
        identity: &IDENTITY,
        keep: &[],
        is_from_trusted: first & 2 != 0,
        passes_credential: false,
        version: if first & 4 == 0 {
            Version::HTTP_11
        } else {
            Version::HTTP_2
        },
    };
    let mut lines = Vec::new();
    passing.write(&mut lines, &headers);
    let passed = read_lines(&lines);
    assert!(matches!(read_credential(&passed, true), Ok(None) | Err(_)));
    for value in passed.get_all("authorization") {
        assert!(
            !value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"bearer ")
        );
    }
    for value in passed.get_all("x-api-key") {
        assert!(!value.as_bytes().starts_with(b"dk_"));
    }
    for value in passed.get_all("sec-websocket-protocol") {
        let mut offered = value.as_bytes().split(|byte| *byte == b',');
        assert!(!offered.any(|one| one.trim_ascii().starts_with(b"dariet.bearer.")));
    }
    let folded = |name: &HeaderName| name.as_str().replace(['_', '.'], "-");
    assert!(!passed.keys().any(|name| folded(name) == "x-auth-user-id"));
    assert!(!passed.contains_key("connection"));
});

/// The lines as an upstream reads them.
fn read_lines(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut rest = lines;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let line = &rest[..end];
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
        let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
        let name = HeaderName::from_bytes(&line[..colon]).expect("a name");
        headers.append(
            name,
            HeaderValue::from_bytes(&line[colon + 2..]).expect("a value"),
        );
        rest = &rest[end + 2..];
    }
    assert!(rest.is_empty());
    headers
}
