//! The client behind trusted proxies, and what the upstream is told of it.

mod element;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;

use self::element::{Element, host_value, read_elements, scheme};
use super::header::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, is_disguise, reads_as};
use super::octet::trim;
use crate::config::Scheme;
use crate::domain::AddressText;

/// Who sent a request, as far as the peer of the connection may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client's address; IPv4 is never written as IPv6.
    pub address: IpAddr,
    /// Whether the request came from a trusted proxy that does not contradict itself: its forwarding
    /// headers and its request id count.
    pub is_from_trusted: bool,
    /// What the client spoke to the outermost trusted proxy, where that says so.
    pub proto: Option<Scheme>,
    /// The host the client asked for, where a trusted proxy says so.
    pub host: Option<HeaderValue>,
}

/// The connection a request came over: what we know ourselves.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// What is spoken beneath HTTP.
    pub scheme: Scheme,
    /// The version of HTTP.
    pub version: Version,
    /// The host the request asks for, from its target, `:authority` or `Host`.
    pub host: Option<&'a HeaderValue>,
}

/// Finds the client of a request from `peer`.
///
/// From an untrusted peer the headers say nothing. From a trusted one `X-Forwarded-For` and `Forwarded`
/// are walked from the right, over trusted addresses only: the first other one is the client; what
/// cannot be read ends the walk. A proxy that writes one of the two headers passes on the other as the
/// client forged it, so where both are there and name different clients, neither counts, and the peer
/// itself is the client.
#[must_use]
pub fn client(peer: IpAddr, trusted: &[IpNet], headers: &HeaderMap) -> Client {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return Client::direct(peer);
    }
    let by_list = walk_list(peer, trusted, headers);
    let by_elements = walk_elements(peer, trusted, headers);
    let (address, element) = match (by_list, by_elements) {
        (Some(by_list), Some((address, _))) if by_list != address => return Client::direct(peer),
        (_, Some((address, element))) => (address, element),
        (by_list, None) => (by_list.unwrap_or(peer), Element::default()),
    };
    let proto = last(headers, X_FORWARDED_PROTO).and_then(scheme);
    let host = last(headers, X_FORWARDED_HOST).and_then(host_value);
    Client {
        address,
        is_from_trusted: true,
        proto: agreed(proto, element.proto),
        host: agreed(host, element.host),
    }
}

/// Writes what the upstream is told of the client: `X-Forwarded-For`, `-Proto`, `-Host`, `Forwarded` and
/// `Via`.
///
/// What a trusted proxy said in `headers` is continued. None of these headers is passed on as it came.
pub fn write(lines: &mut Vec<u8>, headers: &HeaderMap, client: &Client, hop: &Hop<'_>) {
    let peer = hop.peer.to_canonical();
    let told = Told {
        headers,
        client,
        peer,
        address: AddressText::of(peer),
        scheme: client.proto.unwrap_or(hop.scheme),
        host: client.host.as_ref().or(hop.host),
    };
    lines.extend_from_slice(b"x-forwarded-for: ");
    told.write_addresses(lines);
    lines.extend_from_slice(b"\r\nx-forwarded-proto: ");
    lines.extend_from_slice(word(told.scheme));
    if let Some(host) = told.host {
        lines.extend_from_slice(b"\r\nx-forwarded-host: ");
        lines.extend_from_slice(host.as_bytes());
    }
    lines.extend_from_slice(b"\r\nforwarded: ");
    told.write_elements(lines);
    lines.extend_from_slice(b"\r\nvia: ");
    told.write_so_far(lines, VIA);
    lines.extend_from_slice(received_by(hop.version));
    lines.extend_from_slice(b"\r\n");
}

impl Client {
    /// The peer itself, of which nothing else is known.
    #[must_use]
    pub fn direct(peer: IpAddr) -> Self {
        Self {
            address: peer.to_canonical(),
            is_from_trusted: false,
            proto: None,
            host: None,
        }
    }
}

/// Whether a client's header that says where the request came from stays behind: what we say ourselves,
/// what an untrusted peer said, and other spellings, whoever sent them; but for the route's exceptions
/// `keep`.
pub(super) fn is_replaced(name: &HeaderName, is_from_trusted: bool, keep: &[HeaderName]) -> bool {
    let bytes = name.as_str().as_bytes();
    if !reads_as_forwarding(bytes) {
        return false;
    }
    let is_forged = !is_from_trusted || bytes.iter().any(|byte| is_disguise(*byte));
    OURS.contains(&bytes) || (is_forged && !keep.contains(name))
}

/// The headers that [`write`] writes.
const OURS: [&[u8]; 5] = [
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"forwarded",
    b"via",
];

/// Whether a header says where a request came from, in any spelling.
pub(super) fn reads_as_forwarding(name: &[u8]) -> bool {
    match name.first() {
        Some(b'x') => {
            reads_as(name, b"x-real-ip")
                || name
                    .get(..b"x-forwarded-".len())
                    .is_some_and(|start| reads_as(start, b"x-forwarded-"))
        }
        Some(b'f') => name == b"forwarded",
        Some(b't') => reads_as(name, b"true-client-ip"),
        Some(b'v') => name == b"via",
        _ => false,
    }
}

/// Whether the word of `address` counts; an IPv4 address must not be written as IPv6.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The client by `X-Forwarded-For`, where it is there.
fn walk_list(peer: IpAddr, trusted: &[IpNet], headers: &HeaderMap) -> Option<IpAddr> {
    let values = headers.get_all(X_FORWARDED_FOR);
    values.iter().next()?;
    let nodes = values
        .iter()
        .rev()
        .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer;
    for node in nodes {
        match address(trim(node)) {
            Some(address) => client = address,
            None => break,
        }
        if !is_trusted(client, trusted) {
            break;
        }
    }
    Some(client)
}

/// The client by `Forwarded`, where it is there, and the element that names it.
fn walk_elements(
    peer: IpAddr,
    trusted: &[IpNet],
    headers: &HeaderMap,
) -> Option<(IpAddr, Element)> {
    let values = headers.get_all(FORWARDED);
    values.iter().next()?;
    let mut found = (peer, Element::default());
    'walk: for value in values.iter().rev() {
        let Some(elements) = read_elements(value.as_bytes()) else {
            break;
        };
        for element in elements.into_iter().rev() {
            let Some(address) = element.address else {
                break 'walk;
            };
            found = (address, element);
            if !is_trusted(address, trusted) {
                break 'walk;
            }
        }
    }
    Some(found)
}

/// An address with or without port, IPv6 with or without brackets.
fn address(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node).ok()?;
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
        .or_else(bare)
        .map(|address: IpAddr| address.to_canonical())
}

/// The last element under `name`: the only one that the trusted peer surely wrote.
fn last(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let value = headers.get_all(name).iter().next_back()?;
    value
        .as_bytes()
        .rsplit(|byte| *byte == b',')
        .next()
        .map(trim)
}

/// What both say, or the one that speaks; nothing when they contradict each other.
fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => (one == other).then_some(one),
        (one, other) => one.or(other),
    }
}

/// What is told of a client.
struct Told<'a> {
    headers: &'a HeaderMap,
    client: &'a Client,
    peer: IpAddr,
    /// The peer's.
    address: AddressText,
    scheme: Scheme,
    host: Option<&'a HeaderValue>,
}

impl Told<'_> {
    /// `X-Forwarded-For`: the list so far, and the peer.
    fn write_addresses(&self, lines: &mut Vec<u8>) {
        let is_continued = self.write_so_far(lines, X_FORWARDED_FOR);
        if !is_continued && self.client.address != self.peer {
            lines.extend_from_slice(AddressText::of(self.client.address).as_bytes());
            lines.extend_from_slice(SEPARATOR);
        }
        lines.extend_from_slice(self.address.as_bytes());
    }

    /// `Forwarded` (RFC 7239): the elements so far, and one for the peer. The client's own element says
    /// for which host and how it asked.
    fn write_elements(&self, lines: &mut Vec<u8>) {
        let is_continued = self.write_so_far(lines, FORWARDED);
        let is_peer = self.client.address == self.peer;
        if !is_continued && !is_peer {
            let client = self.client.address;
            push_for(lines, client, &AddressText::of(client));
            push_asked(lines, self.scheme, self.host);
            lines.extend_from_slice(SEPARATOR);
        }
        push_for(lines, self.peer, &self.address);
        if !is_continued && is_peer {
            push_asked(lines, self.scheme, self.host);
        }
    }

    /// What a trusted proxy said under `name`, in one line with a separator behind it; whether it said
    /// anything.
    fn write_so_far(&self, lines: &mut Vec<u8>, name: HeaderName) -> bool {
        if !self.client.is_from_trusted {
            return false;
        }
        let mut has_said = false;
        let values = self.headers.get_all(name).into_iter();
        for text in values.flat_map(HeaderValue::to_str) {
            if !text.is_empty() {
                lines.extend_from_slice(text.as_bytes());
                lines.extend_from_slice(SEPARATOR);
                has_said = true;
            }
        }
        has_said
    }
}

const SEPARATOR: &[u8] = b", ";

/// RFC 7239 §6: IPv6 in brackets, and so in quotes.
fn push_for(lines: &mut Vec<u8>, address: IpAddr, text: &AddressText) {
    let (open, close): (&[u8], &[u8]) = match address {
        IpAddr::V4(_) => (b"for=", b""),
        IpAddr::V6(_) => (b"for=\"[", b"]\""),
    };
    lines.extend_from_slice(open);
    lines.extend_from_slice(text.as_bytes());
    lines.extend_from_slice(close);
}

fn push_asked(lines: &mut Vec<u8>, scheme: Scheme, host: Option<&HeaderValue>) {
    if let Some(host) = host.and_then(|host| host.to_str().ok()) {
        lines.extend_from_slice(b";host=\"");
        push_quoted(lines, host.as_bytes());
        lines.push(b'"');
    }
    lines.extend_from_slice(b";proto=");
    lines.extend_from_slice(word(scheme));
}

fn push_quoted(lines: &mut Vec<u8>, text: &[u8]) {
    // A host has nothing to escape, but what came from a proxy may.
    if memchr::memchr2(b'"', b'\\', text).is_none() {
        return lines.extend_from_slice(text);
    }
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            lines.push(b'\\');
        }
        lines.push(byte);
    }
}

/// RFC 9110 §7.6.3. A pseudonym, not the node's name: who reads it need not know our hosts.
const fn received_by(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"1.0 dariet",
        Version::HTTP_2 => b"2 dariet",
        _ => b"1.1 dariet",
    }
}

const fn word(scheme: Scheme) -> &'static [u8] {
    match scheme {
        Scheme::Https => b"https",
        Scheme::Http => b"http",
    }
}
