//! API keys: only what the gateway could have made is one.

#![no_main]

use dariet_gateway::domain::ApiKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = ApiKey::parse(text)
    {
        assert_eq!(key.expose(), text);
        assert_eq!(text.len(), 51);
    }
    // A key that was made is read, and none that differs from it in one byte.
    let (Some(random), Some(&[at, to])) = (data.first_chunk::<20>(), data.get(20..22)) else {
        return;
    };
    let key = ApiKey::from_random(random);
    ApiKey::parse(key.expose()).expect("a key that was made is one");
    let mut bytes = key.expose().as_bytes().to_vec();
    let at = usize::from(at) % bytes.len();
    if bytes[at] != to {
        bytes[at] = to;
        let is_key = std::str::from_utf8(&bytes).is_ok_and(|text| ApiKey::parse(text).is_ok());
        assert!(!is_key, "{}", String::from_utf8_lossy(&bytes));
    }
});
