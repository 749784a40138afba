//! The PROXY protocol's header: the same client, however the bytes come, and never a byte of what follows.

#![no_main]

use dariet_gateway::server::fuzzing::{MAX_PROXY_HEADER, read_proxy_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = read_proxy_header(data);
    match &whole {
        // Not refused yet, and never without end.
        Ok(None) => assert!(data.len() < MAX_PROXY_HEADER),
        Ok(Some((_, length))) => {
            assert!((8..=MAX_PROXY_HEADER.min(data.len())).contains(length));
            // What follows changes nothing, and it is needed to the last byte.
            assert_eq!(read_proxy_header(&data[..*length]), whole);
            assert_eq!(read_proxy_header(&data[..length - 1]), Ok(None));
        }
        Err(_) => {}
    }
    // What was read once stays so with every byte more.
    let mut settled = None;
    for end in 0..=data.len().min(MAX_PROXY_HEADER + 1) {
        let now = read_proxy_header(&data[..end]);
        match &settled {
            Some(before) => assert_eq!(&now, before),
            None if now != Ok(None) => settled = Some(now),
            None => {}
        }
    }
});
