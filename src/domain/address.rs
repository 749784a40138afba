use std::fmt::{self, Write};
use std::net::IpAddr;

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
