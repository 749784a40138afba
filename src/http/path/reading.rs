use crate::http::octet::hex_digit;

/// The bytes of a path as the most generous backend reads them.
pub(super) struct Reading<'a> {
    rest: &'a [u8],
    in_parameters: bool,
}

impl<'a> Reading<'a> {
    pub(super) const fn of(path: &'a str) -> Self {
        Self {
            rest: path.as_bytes(),
            in_parameters: false,
        }
    }

    /// How many bytes of the path are not read yet.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next byte, parameters included.
    pub(super) fn next_decoded(&mut self) -> Option<u8> {
        let (byte, rest) = match self.rest {
            [b'%', high, low, rest @ ..] => (hex_digit(*high)? << 4 | hex_digit(*low)?, rest),
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.rest = rest;
        Some(byte)
    }
}

impl Iterator for Reading<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = self.next_decoded()?;
            match byte {
                b'/' => self.in_parameters = false,
                b';' => self.in_parameters = true,
                _ => {}
            }
            if !self.in_parameters {
                return Some(byte);
            }
        }
    }
}
