//! Which requests a route takes: its host and its path, in the one form that requests are brought into.

use std::net::Ipv6Addr;

use super::routes::HostPattern;
use super::text::Text;

/// What the gateway answers itself, on every host, by whole segments.
const OWN: [&str; 3] = ["/api/auth", "/api/api-keys", "/.well-known/jwks.json"];

/// Reads the path of a route: one in normal form, without a slash at its end, that is not the gateway's.
pub(super) fn path(text: &Text<'_>) -> Option<String> {
    let prefix = prefix(text)?;
    if let Some(own) = OWN.into_iter().find(|own| is_below(&prefix, own)) {
        text.wrong_unquoted(
            format!("is the gateway's own: it answers {own} and all below it itself"),
            "write another path",
        );
        return None;
    }
    Some(prefix)
}

/// Reads the beginning of a path: in normal form, without a slash at its end.
pub(super) fn prefix(text: &Text<'_>) -> Option<String> {
    let written = text.as_str();
    if !written.starts_with('/') {
        text.wrong_unquoted(
            "does not begin with a slash",
            format!("write \"/{written}\""),
        );
        return None;
    }
    if let Some(mark) = written
        .chars()
        .find(|c| matches!(c, '?' | '#' | ';' | '\\' | '*'))
    {
        text.wrong_unquoted(
            format!("holds \"{mark}\""),
            "write the beginning of a path; it stands for itself and all below it",
        );
        return None;
    }
    let normal = match normal(written) {
        Ok(normal) => normal,
        Err(reason) => {
            text.wrong_unquoted(
                reason,
                "write the path as the upstream knows it, without it",
            );
            return None;
        }
    };
    let prefix = normal.trim_end_matches('/');
    if prefix != written.strip_suffix('/').unwrap_or(written) {
        let prefix = if prefix.is_empty() { "/" } else { prefix };
        text.wrong_unquoted("is not in normal form", format!("write \"{prefix}\""));
        return None;
    }
    Some(prefix.to_owned())
}

/// Reads a host of a route: a name or an address without a port, or `*.` and a name.
pub(super) fn host(text: &Text<'_>) -> Option<HostPattern> {
    let written = text.as_str();
    match written.strip_prefix("*.") {
        Some(rest) => name(text, rest).map(HostPattern::Below),
        None => name(text, written).map(HostPattern::Name),
    }
}

fn name(text: &Text<'_>, written: &str) -> Option<String> {
    const WAY_OUT: &str = "write a name alone, such as \"app.example.com\"";
    if written.contains('*') {
        text.wrong(
            "holds \"*\" where it stands for nothing",
            "write \"*.example.com\" for all names below one, or remove it for every host",
        );
        return None;
    }
    let address = written
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        return Some(format!("[{address}]"));
    }
    if let Some((name, port)) = written.split_once(':')
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        text.wrong(
            "has a port; a route takes every port",
            format!("write \"{name}\""),
        );
        return None;
    }
    let name = idna::domain_to_ascii_strict(written.strip_suffix('.').unwrap_or(written)).ok();
    let name = name.filter(|name| !name.is_empty());
    if name.is_none() {
        text.wrong("is not the name of a host", WAY_OUT);
    }
    name
}

/// Whether `path` is `prefix` or below it, by whole segments.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path with `//`, `/./` and `..` resolved and one spelling for every character.
fn normal(path: &str) -> Result<String, &'static str> {
    let spelled = spelled(path)?;
    let mut segments: Vec<&str> = Vec::new();
    for segment in spelled.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or("leaves the root with \"..\"")?;
            }
            _ => segments.push(segment),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

/// Percent-encoding in capitals, only where a character needs it. Requests are compared decoded, so
/// that `/%40me` and `/@me` would be the same rule twice.
fn spelled(path: &str) -> Result<String, &'static str> {
    let mut spelled = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if first.is_ascii_control() {
            return Err("holds a control character");
        }
        if *first != b'%' {
            push(&mut spelled, *first);
            continue;
        }
        let byte = behind.get(..2).and_then(hex);
        let byte = byte.ok_or("holds \"%\" that no two hex digits follow")?;
        rest = behind.get(2..).unwrap_or_default();
        match byte {
            b'/' => return Err("holds an encoded slash"),
            b'\\' => return Err("holds an encoded backslash"),
            b';' => return Err("holds an encoded semicolon"),
            _ if byte.is_ascii_control() => return Err("holds an encoded control character"),
            b'%' if rest.get(..2).and_then(hex).is_some() => return Err("is encoded twice"),
            _ => push(&mut spelled, byte),
        }
    }
    Ok(spelled)
}

fn push(spelled: &mut String, byte: u8) {
    if is_plain(byte) {
        spelled.push(char::from(byte));
    } else {
        spelled.push_str(&format!("%{byte:02X}"));
    }
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| all)
}

/// What stands for itself in a path (RFC 3986 §3.3), but `*` and `;`, which routes do not have.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_normal_form() {
        for (path, form) in [
            ("/", "/"),
            ("/reports/", "/reports"),
            ("//a/./b//c/../d", "/a/b/d"),
            ("/%7eada/%c3%a9", "/~ada/%C3%A9"),
            ("/a b/é", "/a%20b/%C3%A9"),
            ("/%40me/%2A", "/@me/%2A"),
        ] {
            assert_eq!(normal(path).as_deref(), Ok(form), "{path}");
        }
    }

    #[test]
    fn a_path_that_reads_in_two_ways_has_none() {
        for path in [
            "/..",
            "/a/%2e%2e/..",
            "/%2f",
            "/%5C",
            "/%00",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/%2541",
            "/%0a",
            "/\n",
            "/%3b",
        ] {
            assert!(normal(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(path in "/[a-z./%0-9A-F é~ ]{0,30}") {
            if let Ok(form) = normal(&path) {
                prop_assert_eq!(normal(&form), Ok(form.clone()));
            }
        }
    }
}
