use proptest::prelude::*;

use super::*;

const PEER: &str = "10.0.0.1";

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "fd00::/8"]
        .map(|net| net.parse().unwrap())
        .to_vec()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn address_of(peer: &str, lines: &[(&str, &str)]) -> String {
    client(ip(peer), &trusted(), &headers(lines))
        .address
        .to_string()
}

/// What the upstream is told.
fn told(peer: &str, lines: &[(&str, &str)]) -> HeaderMap {
    let headers = headers(lines);
    let client = client(ip(peer), &trusted(), &headers);
    let host = HeaderValue::from_static("example.com:8443");
    let hop = Hop {
        peer: ip(peer),
        scheme: Scheme::Https,
        version: Version::HTTP_11,
        host: Some(&host),
    };
    written(&headers, &client, &hop)
}

fn written(headers: &HeaderMap, client: &Client, hop: &Hop<'_>) -> HeaderMap {
    let mut lines = Vec::new();
    write(&mut lines, headers, client, hop);
    parsed(lines)
}

/// The headers in lines of a head.
fn parsed(mut lines: Vec<u8>) -> HeaderMap {
    lines.extend(b"\r\n");
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let parsed = httparse::parse_headers(&lines, &mut fields).unwrap();
    let (length, fields) = parsed.unwrap();
    assert_eq!(length, lines.len());
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(field.value).unwrap());
    }
    headers
}

fn replaced(name: &str, is_from_trusted: bool) -> bool {
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
    is_replaced(&name, is_from_trusted, &[])
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{name}");
    values[0].to_str().unwrap()
}

#[test]
fn an_untrusted_peer_is_the_client_whatever_it_says() {
    let lines = [
        ("x-forwarded-for", "192.0.2.9"),
        ("forwarded", "for=192.0.2.9;proto=http"),
    ];
    let client = client(ip("203.0.113.7"), &trusted(), &headers(&lines));
    assert_eq!(client, Client::direct(ip("203.0.113.7")));
    assert_eq!(address_of("::ffff:203.0.113.7", &lines), "203.0.113.7");
}

#[test]
fn the_client_is_found_from_the_right_over_trusted_addresses() {
    for (list, address) in [
        ("192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1, 10.1.1.1 ,10.2.2.2", "192.0.2.1"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711, fd00::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, unknown", PEER),
        ("192.0.2.1, unknown, 10.2.2.2", "10.2.2.2"),
        ("192.0.2.1,", PEER),
        ("", PEER),
    ] {
        assert_eq!(
            address_of(PEER, &[("x-forwarded-for", list)]),
            address,
            "{list}"
        );
    }
    let lines = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "192.0.2.1, 10.1.1.1"),
    ];
    assert_eq!(address_of(PEER, &lines), "192.0.2.1");
}

#[test]
fn forwarded_is_read_as_its_grammar_has_it() {
    for (line, address) in [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=192.0.2.1;Proto=HTTPS;by=10.0.0.1", "192.0.2.1"),
        (
            "for=6.6.6.6, for=\"192.0.2.1:80\" ; proto=http ,for=10.1.1.1",
            "192.0.2.1",
        ),
        ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("for=[2001:db8::1]", "2001:db8::1"),
        ("for=unknown, for=192.0.2.1", "192.0.2.1"),
        ("for=192.0.2.1, for=_hidden", PEER),
        ("for=192.0.2.1, proto=https", PEER),
        ("for=\"6.6.6.6, for=192.0.2.1", PEER),
        ("for=6.6.6.6;x=\", for=192.0.2.1", PEER),
        ("for=6.6.6.6;x=\", for=\"[2001:db8::1]\"", PEER),
        ("for=\"192.0.2.1\\\"\"", PEER),
        ("for=192.0.2.1;for=6.6.6.6", PEER),
        ("for=192.0.2.1;", PEER),
        ("for 192.0.2.1", PEER),
        ("", PEER),
    ] {
        assert_eq!(address_of(PEER, &[("forwarded", line)]), address, "{line}");
    }
}

#[test]
fn headers_that_contradict_each_other_count_for_nothing() {
    let agreeing = [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
    ];
    assert_eq!(address_of(PEER, &agreeing), "192.0.2.1");

    let lines = [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=6.6.6.6;host=evil"),
    ];
    let client = client(ip(PEER), &trusted(), &headers(&lines));
    assert_eq!(client, Client::direct(ip(PEER)));
    let told = told(PEER, &lines);
    assert_eq!(value(&told, "x-forwarded-for"), PEER);
    assert!(!value(&told, "forwarded").contains("6.6.6.6"));
}

#[test]
fn scheme_and_host_come_from_the_trusted_proxy() {
    let by_list = headers(&[
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "http, HTTPS"),
        ("x-forwarded-host", "evil.example, shop.example:443"),
    ]);
    let found = client(ip(PEER), &trusted(), &by_list);
    assert_eq!(found.proto, Some(Scheme::Https));
    assert_eq!(found.host.unwrap(), "shop.example:443");

    let by_elements = headers(&[("forwarded", "for=192.0.2.1;host=\"a.example:1\";proto=http")]);
    let found = client(ip(PEER), &trusted(), &by_elements);
    assert_eq!(found.proto, Some(Scheme::Http));
    assert_eq!(found.host.unwrap(), "a.example:1");

    let contradicting = headers(&[
        ("forwarded", "for=192.0.2.1;proto=http"),
        ("x-forwarded-proto", "https"),
    ]);
    assert_eq!(client(ip(PEER), &trusted(), &contradicting).proto, None);

    let odd = headers(&[("x-forwarded-host", "a/b"), ("x-forwarded-proto", "gopher")]);
    let found = client(ip(PEER), &trusted(), &odd);
    assert_eq!((found.proto, found.host), (None, None));
}

#[test]
fn an_untrusted_peers_words_are_replaced_by_what_we_know() {
    let lines = [
        ("forwarded", "for=6.6.6.6"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil"),
        ("via", "1.1 evil"),
    ];
    let told = told("2001:db8::7", &lines);
    assert_eq!(value(&told, "x-forwarded-for"), "2001:db8::7");
    assert_eq!(value(&told, "x-forwarded-proto"), "https");
    assert_eq!(value(&told, "x-forwarded-host"), "example.com:8443");
    assert_eq!(
        value(&told, "forwarded"),
        "for=\"[2001:db8::7]\";host=\"example.com:8443\";proto=https"
    );
    assert_eq!(value(&told, "via"), "1.1 dariet");
    assert_eq!(told.len(), 5);

    for name in [
        "x-real-ip",
        "x_real_ip",
        "true-client-ip",
        "forwarded",
        "x-forwarded-for",
        "X_Forwarded_For",
        "x-forwarded.proto",
        "x-forwarded-prefix",
        "via",
    ] {
        assert!(replaced(name, false), "{name}");
    }
    assert!(!replaced("accept", false));
}

#[test]
fn a_trusted_proxys_words_are_continued() {
    let told = told(
        PEER,
        &[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "shop.example"),
            ("via", "1.1 edge"),
        ],
    );
    assert_eq!(
        value(&told, "x-forwarded-for"),
        "6.6.6.6, 192.0.2.1, 10.0.0.1"
    );
    assert_eq!(value(&told, "x-forwarded-proto"), "http");
    assert_eq!(value(&told, "x-forwarded-host"), "shop.example");
    assert_eq!(
        value(&told, "forwarded"),
        "for=192.0.2.1;host=\"shop.example\";proto=http, for=10.0.0.1"
    );
    assert_eq!(value(&told, "via"), "1.1 edge, 1.1 dariet");

    assert!(!replaced("x-real-ip", true));
    assert!(!replaced("x-forwarded-prefix", true));
    assert!(replaced("x_real_ip", true));
    assert!(replaced("x-forwarded-for", true));
}

#[test]
fn the_two_lists_tell_the_same_whichever_came_in() {
    let told = told(PEER, &[("forwarded", "for=192.0.2.1;proto=https")]);
    assert_eq!(
        value(&told, "forwarded"),
        "for=192.0.2.1;proto=https, for=10.0.0.1"
    );
    assert_eq!(value(&told, "x-forwarded-for"), "192.0.2.1, 10.0.0.1");
}

#[test]
fn a_route_keeps_its_exceptions_but_for_what_we_say_ourselves() {
    let keep = [HeaderName::from_static("x-real-ip"), X_FORWARDED_FOR];
    assert!(!is_replaced(&keep[0], false, &keep));
    assert!(is_replaced(&keep[1], false, &keep));
}

#[test]
fn a_client_without_a_host_is_told_without_one() {
    let headers = headers(&[("x-forwarded-host", "evil")]);
    let client = Client::direct(ip("203.0.113.7"));
    let hop = Hop {
        peer: ip("203.0.113.7"),
        scheme: Scheme::Http,
        version: Version::HTTP_2,
        host: None,
    };

    let told = written(&headers, &client, &hop);

    assert_eq!(value(&told, "forwarded"), "for=203.0.113.7;proto=http");
    assert_eq!(value(&told, "via"), "2 dariet");
    assert!(!told.contains_key("x-forwarded-host"));
}

#[test]
fn a_host_cannot_end_its_quotes() {
    let headers = HeaderMap::new();
    let client = Client {
        host: Some(HeaderValue::from_static("a\"b\\c")),
        ..Client::direct(ip(PEER))
    };
    let hop = Hop {
        peer: ip(PEER),
        scheme: Scheme::Http,
        version: Version::HTTP_10,
        host: None,
    };
    let told = written(&headers, &client, &hop);
    assert_eq!(
        value(&told, "forwarded"),
        r#"for=10.0.0.1;host="a\"b\\c";proto=http"#
    );
}

proptest! {
    #[test]
    fn no_header_panics(list in "[ -~]*", line in "[ -~]*") {
        let lines = [("x-forwarded-for", list.as_str()), ("forwarded", line.as_str())];
        told(PEER, &lines);
    }

    /// What a client writes left of what the trusted proxy appends never becomes the client's address.
    #[test]
    fn a_forged_beginning_never_names_the_client(forged in "(for=|6\\.6\\.6\\.6|[\",;= \\\\]|x)*") {
        let lists = [
            ("x-forwarded-for", format!("{forged},192.0.2.1")),
            ("forwarded", format!("{forged},for=192.0.2.1")),
            ("forwarded", format!("{forged},for=\"[2001:db8::1]\"")),
        ];
        for (name, list) in lists {
            let address = address_of(PEER, &[(name, &list)]);
            prop_assert!(["192.0.2.1", "2001:db8::1", PEER].contains(&address.as_str()), "{}: {}", list, address);
        }
    }
}
