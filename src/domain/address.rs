use std::fmt::Write;
use std::net::IpAddr;

/// Writes an address as its `Display` does. Each request writes several, and the general machinery of
/// formatting takes ten times as long for IPv4.
pub fn push_address(text: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    text.push('.');
                }
                push_octet(text, octet);
            }
        }
        IpAddr::V6(address) => {
            // Writing to a String cannot fail.
            let _ = write!(text, "{address}");
        }
    }
}

fn push_octet(text: &mut String, octet: u8) {
    let digit = |value: u8| char::from(b'0' + value % 10);
    if octet >= 100 {
        text.push(digit(octet / 100));
    }
    if octet >= 10 {
        text.push(digit(octet / 10));
    }
    text.push(digit(octet));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_reads_as_usual(address: IpAddr) {
            let mut text = String::new();
            push_address(&mut text, address);
            prop_assert_eq!(text, address.to_string());
        }
    }
}
