use std::net::Ipv6Addr;

use http::{HeaderValue, Version, header, request};

use memchr::memchr;

use super::octet::is_host_name;
use super::{ApiError, Code};

/// The host that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(HeaderValue);

/// Why nobody can say which host a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It is no host, or a user stands before it.
    #[error("the host cannot be read; send a name and, where it is not the usual one, a port")]
    Form,
    /// `:authority` and `Host` name two hosts (RFC 9113 §8.3.1).
    #[error("`:authority` and `Host` name two different hosts; send one")]
    Two,
}

impl Host {
    /// The host that a request asks for: the target's in absolute form or `:authority`, else `Host`.
    ///
    /// # Errors
    ///
    /// [`HostError`]; the request must be refused.
    pub fn of(head: &request::Parts) -> Result<Option<Self>, HostError> {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let by_header = hosts.next();
        if hosts.next().is_some() {
            return Err(HostError::Two);
        }
        let Some(by_target) = head.uri.authority() else {
            return by_header.map(Self::parse).transpose();
        };
        // Over HTTP/1.1 the absolute form replaces `Host` (RFC 9112 §3.2.2).
        if head.version == Version::HTTP_2
            && let Some(by_header) = by_header
            && !by_header
                .as_bytes()
                .eq_ignore_ascii_case(by_target.as_str().as_bytes())
        {
            return Err(HostError::Two);
        }
        let value = HeaderValue::from_str(by_target.as_str()).map_err(|_| HostError::Form)?;
        Self::parse(&value).map(Some)
    }

    /// Its name, without the port. Letter case is the client's.
    #[must_use]
    pub fn name(&self) -> &str {
        let host = self.0.to_str().unwrap_or_default();
        match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => rooted(name),
            _ => rooted(host),
        }
    }

    /// Name and port, as the client sent them.
    #[must_use]
    pub fn into_value(self) -> HeaderValue {
        self.0
    }

    fn parse(value: &HeaderValue) -> Result<Self, HostError> {
        let port = behind_name(value.as_bytes()).ok_or(HostError::Form)?;
        if !is_port(port) {
            return Err(HostError::Form);
        }
        Ok(Self(value.clone()))
    }
}

/// What stands behind the name or the address that `text` begins with.
///
/// Narrower than RFC 3986 §3.2.2, as [`is_host_name`] is: a list or a path must not pass for a name.
fn behind_name(text: &[u8]) -> Option<&[u8]> {
    match text.strip_prefix(b"[") {
        Some(literal) => {
            let (address, rest) = literal.split_at_checked(memchr(b']', literal)?)?;
            let address = std::str::from_utf8(address).ok()?;
            address.parse::<Ipv6Addr>().ok()?;
            rest.get(1..)
        }
        None => {
            let (name, rest) = text.split_at_checked(memchr(b':', text).unwrap_or(text.len()))?;
            is_host_name(name).then_some(rest)
        }
    }
}

/// What may stand behind a name: nothing, or a colon and a port. A service may take anything else for
/// a part of the name.
fn is_port(text: &[u8]) -> bool {
    let Some(port) = text.strip_prefix(b":") else {
        return text.is_empty();
    };
    let digits = port.iter().try_fold(0_u16, |port, digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        port.checked_mul(10)?.checked_add(digit)
    });
    digits.is_some()
}

/// A dot at the end names the same host (RFC 1034 §3.1), and must not lead past its rules.
fn rooted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        Self::new(Code::MalformedRequest).detail(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn host(version: Version, target: &str, hosts: &[&str]) -> Result<Option<String>, HostError> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Ok(Host::of(&head)?.map(|host| host.name().to_owned()))
    }

    #[test]
    fn the_target_comes_before_the_header() {
        let found = host(Version::HTTP_11, "http://a.example/x", &["b.example"]);
        assert_eq!(found, Ok(Some("a.example".to_owned())));
        let found = host(Version::HTTP_2, "https://a.example/x", &["b.example"]);
        assert_eq!(found, Err(HostError::Two));
        let found = host(Version::HTTP_2, "https://A.example/x", &["a.example"]);
        assert_eq!(found, Ok(Some("A.example".to_owned())));
        assert_eq!(host(Version::HTTP_10, "/x", &[]), Ok(None));
    }

    #[test]
    fn a_port_is_no_part_of_the_name() {
        for (header, name) in [
            ("a:80", "a"),
            ("a.:80", "a"),
            ("a.", "a"),
            ("[::1]:8443", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            let found = host(Version::HTTP_11, "/", &[header]);
            assert_eq!(found, Ok(Some(name.to_owned())), "{header}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for header in [
            "u@a.example",
            "a b",
            "a/b",
            "a\\b",
            "a:http",
            "a:+80",
            "a:65536",
            "a:99999999999999999999",
            "",
            ":80",
            "a%41",
            "a,b",
            ".",
            "a..",
            "a..b",
            "[.]",
            "[:::]",
            "[]",
            "[::1",
            "[::1]x",
            "[::1]:80:80",
            "[a]b:1]",
            "::1",
            "a:80:80",
        ] {
            assert_eq!(
                host(Version::HTTP_11, "/", &[header]),
                Err(HostError::Form),
                "{header}"
            );
        }
        let two = host(Version::HTTP_11, "/", &["a.example", "a.example"]);
        assert_eq!(two, Err(HostError::Two));
    }
}
