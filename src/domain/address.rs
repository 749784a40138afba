use std::fmt::{self, Write};
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

/// An address as text, without an allocation.
///
/// Each request writes several, and the general machinery of formatting takes ten times as long for
/// IPv4.
#[derive(Debug, Clone, Copy)]
pub struct AddressText {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

/// The longest is an IPv6 address that ends in an IPv4 one.
const MAX_BYTES: usize = 45;

impl AddressText {
    /// An address as its `Display` writes it.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let mut text = Self {
            bytes: [0; MAX_BYTES],
            length: 0,
        };
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        text.push(b'.');
                    }
                    text.push_octet(octet);
                }
            }
            IpAddr::V6(address) => {
                // There is room for every address.
                let _ = write!(text, "{address}");
            }
        }
        text
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn push_octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            self.push(b'0' + octet / 10 % 10);
        }
        self.push(b'0' + octet % 10);
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }
}

impl Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_reads_as_usual(address: IpAddr) {
            let text = AddressText::of(address);
            prop_assert_eq!(text.as_str(), address.to_string());
        }
    }

    #[test]
    fn the_longest_address_fits() {
        let longest = "::ffff:255.255.255.255".parse().unwrap();
        assert_eq!(AddressText::of(longest).as_str(), longest.to_string());
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap();
        assert_eq!(AddressText::of(longest).as_str(), longest.to_string());
    }
}
