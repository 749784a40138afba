//! Credentials in headers: what is found is one, and after removal none of ours is left.

#![no_main]

use dariet_gateway::http::{read_credential, remove_credentials};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

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
        let name = match kind % 4 {
            0 => HeaderName::from_static("authorization"),
            1 => HeaderName::from_static("x-api-key"),
            2 => HeaderName::from_static("sec-websocket-protocol"),
            _ => HeaderName::from_static("connection"),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    // Whatever was found, nothing of ours may be left.
    let _ = read_credential(&headers, is_websocket);
    let _ = remove_credentials(&mut headers);
    assert!(matches!(read_credential(&headers, is_websocket), Ok(None) | Err(_)));
    assert!(!headers.contains_key("x-api-key"));
    for value in headers.get_all("authorization") {
        assert!(!value.as_bytes().to_ascii_lowercase().starts_with(b"bearer "));
    }
});
