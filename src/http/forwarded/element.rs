//! The elements of `Forwarded` (RFC 7239 §4).

use std::net::IpAddr;

use http::HeaderValue;

use super::address;
use crate::config::Scheme;
use crate::http::octet::{is_host, is_token, trim};

/// What a proxy says of who connected to it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// `for`; nothing when it is missing, unknown or obfuscated.
    pub(super) address: Option<IpAddr>,
    /// `proto`
    pub(super) proto: Option<Scheme>,
    /// `host`
    pub(super) host: Option<HeaderValue>,
}

/// Reads a whole line, or nothing of it.
///
/// A client could leave a quote open, so that what the trusted proxy appends becomes part of a string:
/// then the line does not fit the grammar to its end, and nothing in it can be believed. A backslash
/// has no place in an address, a scheme or a host.
pub(super) fn read_elements(mut line: &[u8]) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut element = Element::default();
    loop {
        let (name, value, rest) = read_pair(trim(line))?;
        set(&mut element, name, value)?;
        match trim(rest) {
            [b';', rest @ ..] => line = rest,
            [b',', rest @ ..] => {
                elements.push(std::mem::take(&mut element));
                line = rest;
            }
            [] => {
                elements.push(element);
                return Some(elements);
            }
            _ => return None,
        }
    }
}

/// `http` or `https`, in any case.
pub(super) fn scheme(word: &[u8]) -> Option<Scheme> {
    match word {
        _ if word.eq_ignore_ascii_case(b"https") => Some(Scheme::Https),
        _ if word.eq_ignore_ascii_case(b"http") => Some(Scheme::Http),
        _ => None,
    }
}

/// A host that can be passed on.
pub(super) fn host_value(host: &[u8]) -> Option<HeaderValue> {
    (!host.is_empty() && is_host(host))
        .then(|| HeaderValue::from_bytes(host).ok())
        .flatten()
}

type Pair<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// `name=value` and what follows it; the value without its quotes.
fn read_pair(text: &[u8]) -> Option<Pair<'_>> {
    let (name, rest) = split_while(text, is_token);
    let rest = rest.strip_prefix(b"=")?;
    if name.is_empty() {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let end = memchr::memchr2(b'"', b'\\', quoted)?;
        let (value, rest) = quoted.split_at_checked(end)?;
        return Some((name, value, rest.strip_prefix(b"\"")?));
    }
    // Ports and IPv6 need quotes, but some proxies forget them, and nothing else can be meant.
    let (value, rest) = split_while(rest, |byte| is_token(byte) || is_host(&[byte]));
    (!value.is_empty()).then_some((name, value, rest))
}

fn split_while(text: &[u8], is_part: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is_part(*byte));
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, &[]))
}

/// Takes a pair; nothing when the element says it twice (RFC 7239 §4).
fn set(element: &mut Element, name: &[u8], value: &[u8]) -> Option<()> {
    let is_first = if name.eq_ignore_ascii_case(b"for") {
        std::mem::replace(&mut element.address, address(value)).is_none()
    } else if name.eq_ignore_ascii_case(b"proto") {
        std::mem::replace(&mut element.proto, scheme(value)).is_none()
    } else if name.eq_ignore_ascii_case(b"host") {
        std::mem::replace(&mut element.host, host_value(value)).is_none()
    } else {
        true
    };
    is_first.then_some(())
}
