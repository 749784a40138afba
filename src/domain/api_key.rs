use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Digest;

/// An API key: `dk_` and 48 hexadecimal digits, which are 20 random bytes and a 4-byte checksum over them.
///
/// The checksum keeps no secret. It lets junk be refused without asking the store.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

/// A text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// Not `dk_` and 48 lower-case hexadecimal digits.
    #[error("an API key is dk_ and 48 hexadecimal digits")]
    Form,
    /// The checksum does not fit: mistyped, cut off or made up.
    #[error("the API key's checksum is wrong")]
    Checksum,
}

impl ApiKey {
    /// What every API key begins with.
    pub const PREFIX: &str = "dk_";
    /// How many characters of a key are shown in lists, so that its owner knows it again.
    pub const SHOWN_CHARS: usize = 11;
    const RANDOM_BYTES: usize = 20;
    const HEX_DIGITS: usize = 48;

    /// The key over these random bytes.
    #[must_use]
    pub fn from_random(random: &[u8; Self::RANDOM_BYTES]) -> Self {
        let checksum = checksum(random);
        let mut text = Zeroizing::new(String::with_capacity(Self::PREFIX.len() + Self::HEX_DIGITS));
        text.push_str(Self::PREFIX);
        for byte in random.iter().chain(&checksum) {
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }

    /// Reads a key and checks its checksum. Only lower case is a key: one key, one spelling.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError`] says which of the two is wrong; neither needed the store.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let digits = text.strip_prefix(Self::PREFIX).ok_or(ApiKeyError::Form)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != Self::HEX_DIGITS || !digits.bytes().all(is_digit) {
            return Err(ApiKeyError::Form);
        }
        let mut bytes = Zeroizing::new([0; Self::HEX_DIGITS / 2]);
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ApiKeyError::Form)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ApiKeyError::Form)?;
        }
        let (random, sum) = bytes.split_at(Self::RANDOM_BYTES);
        if !bool::from(checksum(random).ct_eq(sum)) {
            return Err(ApiKeyError::Checksum);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The key itself. Every use is a place where it could leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its first characters, which are shown in lists.
    #[must_use]
    pub fn shown_prefix(&self) -> &str {
        self.0.get(..Self::SHOWN_CHARS).unwrap_or_default()
    }

    /// What the store keeps of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[self.0.as_bytes()])
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

fn checksum(random: &[u8]) -> [u8; 4] {
    let digest = Digest::of(&[random]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_key_we_make_reads_back(random: [u8; 20]) {
            let key = ApiKey::from_random(&random);
            prop_assert_eq!(key.expose().len(), 51);
            let read = ApiKey::parse(key.expose()).unwrap();
            prop_assert_eq!(read.expose(), key.expose());
        }

        #[test]
        fn one_changed_digit_is_noticed(random: [u8; 20], at in 3_usize..51, digit in "[0-9a-f]") {
            let key = ApiKey::from_random(&random);
            let mut text = key.expose().to_owned();
            prop_assume!(text[at..=at] != digit);
            text.replace_range(at..=at, &digit);
            prop_assert_eq!(ApiKey::parse(&text).unwrap_err(), ApiKeyError::Checksum);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = ApiKey::parse(&text);
        }
    }

    #[test]
    fn only_one_spelling_is_a_key() {
        let key = ApiKey::from_random(&[0xab; 20]);
        let upper = key.expose().to_uppercase();
        let spaced = format!("{} ", key.expose());
        for text in ["", "dk_", "dk_12", &upper, &spaced] {
            assert_eq!(
                ApiKey::parse(text).unwrap_err(),
                ApiKeyError::Form,
                "{text}"
            );
        }
    }
}
