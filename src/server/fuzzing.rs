//! Doors for `fuzz/`; nobody else can build them.

use std::net::SocketAddr;

use super::proxy_protocol::{Header, MAX_BYTES, parse};

/// The most bytes of a header.
pub const MAX_PROXY_HEADER: usize = MAX_BYTES;

/// The client, where one is named, and the length.
pub type ProxyHeader = (Option<SocketAddr>, usize);

/// The client and the length of the PROXY protocol's header that `bytes` begin with; nothing when more
/// must come first.
///
/// # Errors
///
/// Why it is none.
pub fn read_proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, String> {
    match parse(bytes) {
        Ok(Header::Partial) => Ok(None),
        Ok(Header::Whole { client, length }) => Ok(Some((client, length))),
        Err(error) => Err(error.to_string()),
    }
}
