use std::fmt::Write;
use std::net::IpAddr;

/// Where a request comes from, as far as it cannot be changed at will: an IPv4 address, or the first
/// 64 bits of an IPv6 address, of which one customer has as many as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The whole address.
    V4([u8; 4]),
    /// The first half of it.
    V6([u8; 8]),
}

impl Network {
    /// The network of a client.
    #[must_use]
    pub fn of(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// Its bytes, from the left.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

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
