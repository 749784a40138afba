//! Names of headers that the `http` crate has no constant for, their lists, and their disguises.

use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use super::octet::trim;

/// An API key of ours, or somebody else's.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The request's name in everybody's logs.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The addresses the request came through, oldest first.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `http` or `https`, as the client spoke it.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The client's address, as some proxies say it.
pub const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The client's address, as some content networks say it.
pub const TRUE_CLIENT_IP: HeaderName = HeaderName::from_static("true-client-ip");
/// How safe a change is: `replicated`, `primary` or `local`.
pub const DARIET_DURABILITY: HeaderName = HeaderName::from_static("dariet-durability");

/// Writes one line of a head. Neither a name nor a value can hold the end of a line.
pub fn write_field(lines: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    lines.extend_from_slice(name.as_str().as_bytes());
    lines.extend_from_slice(b": ");
    lines.extend_from_slice(value.as_bytes());
    lines.extend_from_slice(b"\r\n");
}

/// The elements of all lists under `name`, without the spaces around them (RFC 9110 §5.6.1).
pub fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(elements_of)
}

/// The elements of one list.
pub fn elements_of(list: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list.as_bytes());
    let split = std::iter::from_fn(move || {
        let list = rest?;
        // A token is long, and stands in no list.
        let (element, behind) = match memchr(b',', list).and_then(|at| list.split_at_checked(at)) {
            Some((element, behind)) => (element, behind.get(1..)),
            None => (list, None),
        };
        rest = behind;
        Some(element)
    });
    split.map(trim).filter(|element| !element.is_empty())
}

/// Whether a list under `name` holds `element`, in any case.
#[must_use]
pub fn lists(headers: &HeaderMap, name: HeaderName, element: &str) -> bool {
    elements(headers, name).any(|found| found.eq_ignore_ascii_case(element.as_bytes()))
}

/// Removes every header whose name `is_removed`. Allocates only when there is one, and looks at each
/// name once however many there are.
pub(super) fn remove_all(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    let removed: Vec<_> = headers
        .keys()
        .filter(|name| is_removed(name))
        .cloned()
        .collect();
    for name in removed {
        headers.remove(name);
    }
}

/// Whether `name` is `canonical` to a backend that reads other signs as `-`, as CGI and its heirs do: most
/// `_`, PHP `.` too, and lighttpd every sign that a name can hold.
///
/// Both in lower case, `canonical` with `-` only.
pub(super) fn reads_as(name: &[u8], canonical: &[u8]) -> bool {
    name.len() == canonical.len()
        && name
            .iter()
            .zip(canonical)
            .all(|(&byte, &wanted)| byte == wanted || (wanted == b'-' && is_disguise(byte)))
}

/// Whether `byte` passes for a `-`.
pub(super) const fn is_disguise(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'-'
}
