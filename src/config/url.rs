use std::net::{IpAddr, Ipv6Addr};

/// The parts of a URL that a configuration may hold. Nothing is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Url<'t> {
    pub(super) scheme: &'t str,
    pub(super) user: Option<&'t str>,
    /// Whether there is a password; it is not kept.
    pub(super) has_password: bool,
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub(super) host: &'t str,
    pub(super) port: Option<u16>,
    /// With the slash it begins with, or empty.
    pub(super) path: &'t str,
    pub(super) query: Option<&'t str>,
    pub(super) fragment: Option<&'t str>,
}

impl<'t> Url<'t> {
    /// Takes `scheme://user@host:port/path?query#fragment` apart; `None` when it is no such thing.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let (rest, fragment) = split_off(rest, '#');
        let (rest, query) = split_off(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, server) = match authority.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, authority),
        };
        let (user, password) = user.map_or((None, None), |user| {
            let (user, password) = split_off(user, ':');
            (Some(user), password)
        });
        let (host, port) = host_and_port(server)?;
        Some(Self {
            scheme,
            user,
            has_password: password.is_some(),
            host,
            port,
            path,
            query,
            fragment,
        })
    }

    /// Whether the host is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Whether there is neither a path nor anything behind it.
    pub(super) const fn is_bare(&self) -> bool {
        matches!(self.path.as_bytes(), b"" | b"/")
            && self.query.is_none()
            && self.fragment.is_none()
    }
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

fn host_and_port(server: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = server.strip_prefix('[') {
        let (host, behind) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        match behind {
            "" => (host, None),
            _ => (host, Some(behind.strip_prefix(':')?)),
        }
    } else {
        let (host, port) = split_off(server, ':');
        (is_name(host).then_some(host)?, port)
    };
    match port {
        None => Some((host, None)),
        Some(port) if port.starts_with(|c: char| c.is_ascii_digit()) => {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            Some((host, Some(port)))
        }
        Some(_) => None,
    }
}

/// Whether this can be the name or IPv4 address of a host. Underscores are no letters of host names,
/// but container networks use them.
fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host
            .strip_suffix('.')
            .unwrap_or(host)
            .split('.')
            .all(|label| {
                (1..=63).contains(&label.len())
                    && label
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_comes_apart() {
        let url = Url::parse("smtps://ada%40x:pw@mail.example.com:465/a/b?c=d#e").unwrap();
        assert_eq!(
            url,
            Url {
                scheme: "smtps",
                user: Some("ada%40x"),
                has_password: true,
                host: "mail.example.com",
                port: Some(465),
                path: "/a/b",
                query: Some("c=d"),
                fragment: Some("e"),
            }
        );
        assert_eq!(Url::parse("http://[::1]:80").unwrap().host, "::1");
        assert_eq!(Url::parse("http://my_service").unwrap().port, None);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "example.com",
            "http:/x",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:+80",
            "http://a b",
            "http://[::1",
            "http://[a]:80",
            "http://a..b",
            "http://a:80x",
            "http://a\n",
        ] {
            assert_eq!(Url::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        let loopback = |text| Url::parse(text).unwrap().is_loopback();
        assert!(
            loopback("smtp://localhost")
                && loopback("smtp://127.0.0.5")
                && loopback("smtp://[::1]")
        );
        assert!(!loopback("smtp://localhost.example.com") && !loopback("smtp://10.0.0.1"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(http://)?[\\[\\]:@/?#a-z0-9.\u{e9}]{0,40}") {
            let _ = Url::parse(&text);
        }
    }
}
