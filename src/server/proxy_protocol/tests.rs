use proptest::prelude::*;

use super::*;

fn whole(client: Option<&str>, length: usize) -> Result<Header, Malformed> {
    let client = client.map(|client| client.parse().unwrap());
    Ok(Header::Whole { client, length })
}

/// A header of version 2.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 7, 0xdc, 0x04, 0x01, 0xbb];

fn v6() -> Vec<u8> {
    let source = Ipv6Addr::from_str("2001:db8::1").unwrap().octets();
    [&source[..], &[0; 16], &[0x00, 0x50, 0x01, 0xbb]].concat()
}

#[test]
fn a_line_names_the_client() {
    for (line, client) in [
        (
            "PROXY TCP4 192.0.2.1 10.0.0.7 56324 443\r\n",
            Some("192.0.2.1:56324"),
        ),
        (
            "PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n",
            Some("255.255.255.255:0"),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::1 80 443\r\n",
            Some("[2001:db8::1]:80"),
        ),
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 80 443\r\n",
            Some("[::ffff:192.0.2.1]:80"),
        ),
        ("PROXY UNKNOWN\r\n", None),
        (
            "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
            None,
        ),
    ] {
        assert_eq!(parse(line.as_bytes()), whole(client, line.len()), "{line}");
        let more = [line.as_bytes(), b"\r\nGET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&more), whole(client, line.len()), "{line} and more");
    }
}

#[test]
fn a_line_that_is_not_as_it_must_be_is_refused() {
    for line in [
        "PROXY TCP4 192.0.2.1 10.0.0.7 56324 443\n",
        "PROXY TCP4  192.0.2.1 10.0.0.7 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 56324 443 \r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 56324\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 56324 443 1\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 +80 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 080 443\r\n",
        "PROXY TCP4 192.0.2.01 10.0.0.7 80 443\r\n",
        "PROXY TCP4 2001:db8::1 ::1 80 443\r\n",
        "PROXY TCP6 192.0.2.1 10.0.0.7 80 443\r\n",
        "PROXY TCP4\t192.0.2.1 10.0.0.7 80 443\r\n",
        "PROXY UDP4 192.0.2.1 10.0.0.7 80 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN \u{1b}[0m\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.7 56324 443\r\r\n",
    ] {
        assert_eq!(parse(line.as_bytes()), Err(Malformed::Line), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}", "x".repeat(100));
    assert_eq!(parse(long.as_bytes()), Err(Malformed::TooLong));
}

#[test]
fn a_binary_header_names_the_client_and_its_extensions_are_skipped() {
    let extended = [&V4[..], &[0x04, 0, 2, 1, 2, 0x20, 0, 0]].concat();
    for (header, client) in [
        (v2(0x21, 0x11, &V4), Some("192.0.2.1:56324")),
        (v2(0x21, 0x21, &v6()), Some("[2001:db8::1]:80")),
        (v2(0x21, 0x11, &extended), Some("192.0.2.1:56324")),
        (v2(0x21, 0x12, &V4), None),
        (v2(0x21, 0x31, &[b'/'; 216]), None),
        (v2(0x21, 0x00, &[]), None),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, &V4), None),
        (v2(0x20, 0x11, b"whatever it says"), None),
    ] {
        assert_eq!(parse(&header), whole(client, header.len()), "{header:x?}");
        let more = [&header[..], b"GET / HTTP/1.1"].concat();
        assert_eq!(parse(&more), whole(client, header.len()), "{header:x?}");
    }
}

#[test]
fn a_binary_header_that_is_not_as_it_must_be_is_refused() {
    for header in [
        v2(0x11, 0x11, &V4),
        v2(0x22, 0x11, &V4),
        v2(0x31, 0x11, &V4),
        v2(0x21, 0x13, &V4),
        v2(0x21, 0x41, &V4),
        v2(0x21, 0x11, &V4[..11]),
        v2(0x21, 0x21, &V4),
        v2(0x21, 0x11, &[&V4[..], &[4]].concat()),
        v2(0x21, 0x11, &[&V4[..], &[4, 0]].concat()),
        v2(0x21, 0x11, &[&V4[..], &[4, 0, 2, 1]].concat()),
        v2(0x21, 0x11, &[&V4[..], &[4, 255, 255, 1]].concat()),
    ] {
        assert_eq!(parse(&header), Err(Malformed::Binary), "{header:x?}");
    }
    let long = v2(0x21, 0x11, &[0; MAX_BYTES]);
    assert_eq!(parse(&long[..FIXED]), Err(Malformed::TooLong));
}

#[test]
fn what_is_something_else_is_refused_at_its_first_byte() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        &[0x16, 3, 1],
        b"PROXy",
        b"\r\n\r\n\0\r\nQUIt",
        b"\r\n\r\nX",
        b" PROXY",
        b"proxy TCP4",
    ] {
        assert_eq!(parse(bytes), Err(Malformed::Signature), "{bytes:?}");
    }
    assert_eq!(parse(b""), Ok(Header::Partial));
}

fn headers() -> impl Strategy<Value = Vec<u8>> {
    let line = "PROXY (TCP4|TCP6|UNKNOWN|X)( [0-9:.a-f]{0,9}){0,5}\r?\n";
    let binary = (
        prop_oneof![Just(0x20_u8), Just(0x21), any::<u8>()],
        prop_oneof![Just(0x11_u8), Just(0x21), Just(0), any::<u8>()],
        proptest::collection::vec(any::<u8>(), 0..300),
    );
    prop_oneof![
        proptest::string::string_regex(line)
            .unwrap()
            .prop_map(String::into_bytes),
        binary.prop_map(|(command, family, rest)| v2(command, family, &rest)),
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| {
            format!("PROXY TCP4 {} 10.0.0.7 {port} 443\r\n", Ipv4Addr::from(ip)).into_bytes()
        }),
        proptest::collection::vec(any::<u8>(), 0..50),
    ]
}

proptest! {
    /// What is said of the bytes once it is known is said of them at every later length, and what is
    /// whole has taken everything before it: so no split of the bytes gives another result, and not one
    /// byte of the client's is taken.
    #[test]
    fn every_split_of_the_bytes_gives_the_same_result(header in headers(), more in any::<[u8; 8]>()) {
        let bytes = [&header[..], &more].concat();
        let mut known = None;
        for end in 0..=bytes.len() {
            let said = parse(&bytes[..end]);
            if let Some(known) = known {
                prop_assert_eq!(said, known);
            } else if said != Ok(Header::Partial) {
                known = Some(said);
            }
            if let (Ok(Header::Whole { length, .. }), true) = (said, end > 0) {
                prop_assert!(length <= end);
                prop_assert_eq!(parse(&bytes[..length - 1]), Ok(Header::Partial));
            }
        }
    }
}
