//! Who the client is: never an address that only an untrusted peer named.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use dariet_gateway::http::forwarded;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((&kind, value)) = line.split_first() else {
            continue;
        };
        let name = match kind % 5 {
            0 => "x-forwarded-for",
            1 => "forwarded",
            2 => "x-forwarded-proto",
            3 => "x-forwarded-host",
            _ => "x-real-ip",
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a net")];
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let client = forwarded::client(stranger, &trusted, &headers);
    assert_eq!(client.address, stranger);
    assert!(client.host.is_none());
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    // What a trusted peer says may be anything, and must not panic.
    let _ = forwarded::client(proxy, &trusted, &headers);
});
