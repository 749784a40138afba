//! The first bytes of a connection that a load balancer passes on: whose it is, in the PROXY protocol of
//! HAProxy, version 1 or 2.
//!
//! Nothing here waits or reads: the bytes so far go in, and the same bytes give the same result however
//! they came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// More has to come; all of these belong to it.
    Partial,
    /// It is there.
    Whole {
        /// Whose the connection is; the load balancer's own where nothing is said of anybody else.
        client: Option<SocketAddr>,
        /// How many bytes it has; what follows is the client's.
        length: usize,
    },
}

/// The bytes are not the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// They begin in no way that it knows.
    #[error("the connection does not begin with the PROXY protocol")]
    Signature,
    /// The line of version 1 is not as it must be.
    #[error("the line of the PROXY protocol cannot be read")]
    Line,
    /// A field of version 2 has a value that there is not.
    #[error("the header of the PROXY protocol cannot be read")]
    Binary,
    /// It has more bytes than anybody needs.
    #[error("the header of the PROXY protocol is too long")]
    TooLong,
}

/// The most bytes of a header. Those of version 1 have 107; extensions of version 2 may hold a
/// certificate.
pub(super) const MAX_BYTES: usize = 4096;

const MAX_LINE: usize = 107;
const WORD: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;

/// Reads the header that `bytes` begin with.
pub(super) fn parse(bytes: &[u8]) -> Result<Header, Malformed> {
    if begins(bytes, SIGNATURE) {
        return binary(bytes);
    }
    if begins(bytes, WORD) {
        return line(bytes);
    }
    Err(Malformed::Signature)
}

/// Whether `bytes` may go on to be `start` and more.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted)
}

/// Version 1: `PROXY TCP4 192.0.2.1 10.0.0.7 56324 443`, ended by CR and LF.
fn line(bytes: &[u8]) -> Result<Header, Malformed> {
    let start = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = start.iter().position(|&byte| byte == b'\n') else {
        return match start.len() {
            MAX_LINE => Err(Malformed::TooLong),
            _ => Ok(Header::Partial),
        };
    };
    let line = start.get(WORD.len()..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").ok_or(Malformed::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed::Line)?;
    let is_clean = line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let client = match line.split_once(' ') {
        _ if !is_clean => return Err(Malformed::Line),
        // What stands behind it is to be ignored.
        Some(("UNKNOWN", _)) => None,
        None if line == "UNKNOWN" => None,
        Some(("TCP4", addresses)) => Some(ends::<Ipv4Addr>(addresses)?),
        Some(("TCP6", addresses)) => Some(ends::<Ipv6Addr>(addresses)?),
        _ => return Err(Malformed::Line),
    };
    Ok(Header::Whole {
        client,
        length: end + 1,
    })
}

/// Both addresses and both ports, of which the client's count; one space between two.
fn ends<Ip: FromStr + Into<IpAddr>>(text: &str) -> Result<SocketAddr, Malformed> {
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or(Malformed::Line);
    let source: Ip = word()?.parse().map_err(|_| Malformed::Line)?;
    let _: Ip = word()?.parse().map_err(|_| Malformed::Line)?;
    let port = port(word()?)?;
    self::port(word()?)?;
    match words.next() {
        Some(_) => Err(Malformed::Line),
        None => Ok(SocketAddr::new(source.into(), port)),
    }
}

/// Digits alone, and no zero before others.
fn port(word: &str) -> Result<u16, Malformed> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = word == "0" || !word.starts_with('0');
    let port = word.parse().ok().filter(|_| is_plain && is_short);
    port.ok_or(Malformed::Line)
}

/// Version 2: a fixed head, the addresses, and extensions that are skipped.
fn binary(bytes: &[u8]) -> Result<Header, Malformed> {
    // Each field is judged as soon as it is there.
    let is_proxied = match bytes.get(12) {
        None => return Ok(Header::Partial),
        Some(0x20) => false,
        Some(0x21) => true,
        Some(_) => return Err(Malformed::Binary),
    };
    let address_bytes = match bytes.get(13) {
        None => return Ok(Header::Partial),
        // Nothing is said of the client.
        Some(0x00) => 0,
        // TCP and UDP over IPv4 and IPv6.
        Some(0x11 | 0x12) => 12,
        Some(0x21 | 0x22) => 36,
        // Unix sockets.
        Some(0x31 | 0x32) => 216,
        Some(_) => return Err(Malformed::Binary),
    };
    let Some(&[high, low]) = bytes.get(14..FIXED) else {
        return Ok(Header::Partial);
    };
    let behind = usize::from(u16::from_be_bytes([high, low]));
    if is_proxied && behind < address_bytes {
        return Err(Malformed::Binary);
    }
    let length = FIXED + behind;
    if length > MAX_BYTES {
        return Err(Malformed::TooLong);
    }
    let Some(rest) = bytes.get(FIXED..length) else {
        return Ok(Header::Partial);
    };
    if !is_proxied {
        // A health check of the load balancer itself; whatever else it says is to be ignored.
        return Ok(Header::Whole {
            client: None,
            length,
        });
    }
    let (addresses, extensions) = rest.split_at_checked(address_bytes).unwrap_or_default();
    check_extensions(extensions)?;
    let client = match bytes.get(13) {
        Some(0x11) => tcp::<4>(addresses).map(|(ip, port)| SocketAddr::new(ip.into(), port)),
        Some(0x21) => tcp::<16>(addresses).map(|(ip, port)| SocketAddr::new(ip.into(), port)),
        // Neither has an address that a TCP connection could come from.
        _ => None,
    };
    Ok(Header::Whole { client, length })
}

/// The source of two addresses and two ports.
fn tcp<const BYTES: usize>(addresses: &[u8]) -> Option<([u8; BYTES], u16)> {
    let (source, rest) = addresses.split_first_chunk::<BYTES>()?;
    let (_, ports) = rest.split_first_chunk::<BYTES>()?;
    let (port, _) = ports.split_first_chunk::<2>()?;
    Some((*source, u16::from_be_bytes(*port)))
}

/// Each a kind, a length and so many bytes, up to the end of the header.
fn check_extensions(mut extensions: &[u8]) -> Result<(), Malformed> {
    while let Some((&[_, high, low], rest)) = extensions.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        extensions = rest.get(length..).ok_or(Malformed::Binary)?;
    }
    if extensions.is_empty() {
        Ok(())
    } else {
        Err(Malformed::Binary)
    }
}

#[cfg(test)]
mod tests;
