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
use super::identity::remove_all;
use super::octet::trim;
use crate::config::Scheme;
use crate::domain::push_address;

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

/// Tells the upstream of the client: `X-Forwarded-For`, `-Proto`, `-Host`, `Forwarded` and `Via`.
///
/// What an untrusted peer said is removed first, but for the route's exceptions `keep`; so are other
/// spellings of these names, whoever sent them. What a trusted proxy said is continued.
pub fn set(headers: &mut HeaderMap, client: &Client, hop: &Hop<'_>, keep: &[HeaderName]) {
    remove_all(headers, |name| {
        let bytes = name.as_str().as_bytes();
        let is_forged = !client.is_from_trusted || bytes.iter().any(|byte| is_disguise(*byte));
        is_forged && reads_as_forwarding(bytes) && !keep.contains(name)
    });
    let peer = hop.peer.to_canonical();
    let scheme = client.proto.unwrap_or(hop.scheme);
    let host = client.host.as_ref().or(hop.host);

    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(word(scheme)));
    match host {
        Some(host) => headers.insert(X_FORWARDED_HOST, host.clone()),
        None => headers.remove(X_FORWARDED_HOST),
    };
    // Both lists are read before either is written; one buffer serves all.
    let mut list = String::with_capacity(192);
    push_addresses(&mut list, headers, client, peer);
    let addresses = taken(&mut list);
    push_elements(&mut list, headers, client, (peer, scheme, host));
    insert(headers, X_FORWARDED_FOR, addresses);
    insert(headers, FORWARDED, taken(&mut list));
    set_via(headers, client, hop.version, &mut list);
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

/// `X-Forwarded-For`: the list so far, and the peer.
fn push_addresses(list: &mut String, headers: &HeaderMap, client: &Client, peer: IpAddr) {
    push_so_far(list, headers, X_FORWARDED_FOR, client);
    if list.is_empty() && client.address != peer {
        push_address(list, client.address);
    }
    separate(list);
    push_address(list, peer);
}

/// `Forwarded` (RFC 7239): the elements so far, and one for the peer. The client's own element says
/// for which host and how it asked.
fn push_elements(
    list: &mut String,
    headers: &HeaderMap,
    client: &Client,
    (peer, scheme, host): (IpAddr, Scheme, Option<&HeaderValue>),
) {
    push_so_far(list, headers, FORWARDED, client);
    let is_continued = !list.is_empty();
    if !is_continued {
        push_for(list, client.address);
        push_asked(list, scheme, host);
    }
    if is_continued || client.address != peer {
        separate(list);
        push_for(list, peer);
    }
}

/// What a trusted proxy said under `name`, in one line.
fn push_so_far(list: &mut String, headers: &HeaderMap, name: HeaderName, client: &Client) {
    if !client.is_from_trusted {
        return;
    }
    let texts = headers
        .get_all(name)
        .into_iter()
        .flat_map(HeaderValue::to_str);
    for text in texts.filter(|text| !text.is_empty()) {
        separate(list);
        list.push_str(text);
    }
}

fn separate(list: &mut String) {
    if !list.is_empty() {
        list.push_str(", ");
    }
}

/// RFC 7239 §6: IPv6 in brackets, and so in quotes.
fn push_for(list: &mut String, address: IpAddr) {
    let (open, close) = match address {
        IpAddr::V4(_) => ("for=", ""),
        IpAddr::V6(_) => ("for=\"[", "]\""),
    };
    list.push_str(open);
    push_address(list, address);
    list.push_str(close);
}

fn push_asked(list: &mut String, scheme: Scheme, host: Option<&HeaderValue>) {
    if let Some(host) = host.and_then(|host| host.to_str().ok()) {
        list.push_str(";host=\"");
        for c in host.chars() {
            if matches!(c, '"' | '\\') {
                list.push('\\');
            }
            list.push(c);
        }
        list.push('"');
    }
    list.push_str(";proto=");
    list.push_str(word(scheme));
}

/// RFC 9110 §7.6.3. A pseudonym, not the node's name: who reads it need not know our hosts.
fn set_via(headers: &mut HeaderMap, client: &Client, version: Version, list: &mut String) {
    let ours = match version {
        Version::HTTP_10 => "1.0 dariet",
        Version::HTTP_2 => "2 dariet",
        _ => "1.1 dariet",
    };
    if client.is_from_trusted && headers.contains_key(VIA) {
        push_so_far(list, headers, VIA, client);
        separate(list);
        list.push_str(ours);
        insert(headers, VIA, taken(list));
    } else {
        headers.insert(VIA, HeaderValue::from_static(ours));
    }
}

const fn word(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Https => "https",
        Scheme::Http => "http",
    }
}

/// The list as a value; the buffer is empty again.
fn taken(list: &mut String) -> Option<HeaderValue> {
    let value = HeaderValue::from_bytes(list.as_bytes()).ok();
    list.clear();
    value
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}
