/// Follows the frames of a WebSocket (RFC 6455 §5.2), to know where one ends and another may begin.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The bytes of a frame's header that have come, as many as `seen`.
    header: [u8; 10],
    seen: usize,
    payload_left: u64,
}

impl Frames {
    /// Follows the next bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload_left == 0 || self.seen < self.header_length() {
                let Some((&byte, rest)) = bytes.split_first() else {
                    return;
                };
                self.header_byte(byte);
                bytes = rest;
            } else {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let step = length.min(self.payload_left);
                self.payload_left -= step;
                let step = usize::try_from(step).unwrap_or(bytes.len());
                bytes = bytes.get(step..).unwrap_or_default();
                self.end_if_done();
            }
        }
    }

    /// Whether the last byte was the last of a frame.
    pub(super) const fn is_between(&self) -> bool {
        self.seen == 0
    }

    fn header_byte(&mut self, byte: u8) {
        // The mask is four bytes beyond the length; nothing needs its value.
        if let Some(slot) = self.header.get_mut(self.seen) {
            *slot = byte;
        }
        self.seen += 1;
        if self.seen >= 2 && self.seen == self.header_length() {
            self.payload_left = self.payload_length();
            self.end_if_done();
        }
    }

    fn end_if_done(&mut self) {
        if self.payload_left == 0 {
            self.seen = 0;
        }
    }

    /// Bytes of the header as far as it is known: two until the second has come.
    const fn header_length(&self) -> usize {
        if self.seen < 2 {
            return 2;
        }
        let [_, second, ..] = self.header;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        mask + match second & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    const fn payload_length(&self) -> u64 {
        let [_, second, a, b, c, d, e, f, g, h] = self.header;
        match second & 0x7f {
            126 => u16::from_be_bytes([a, b]) as u64,
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => short as u64,
        }
    }
}

/// A Close frame of a server with status 1008, "policy violation" (RFC 6455 §7.4.1).
pub(super) const CLOSE_1008: [u8; 4] = [0x88, 0x02, 0x03, 0xf0];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(payload: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut bytes = vec![0x82];
        match payload {
            0..=125 => bytes.push(mask | u8::try_from(payload).unwrap()),
            126..=65535 => {
                bytes.push(mask | 126);
                bytes.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend(u64::try_from(payload).unwrap().to_be_bytes());
            }
        }
        bytes.extend(vec![7; payload + if is_masked { 4 } else { 0 }]);
        bytes
    }

    proptest! {
        #[test]
        fn a_boundary_is_where_a_frame_has_ended_and_nowhere_else(
            frames in prop::collection::vec((prop_oneof![0_usize..300, 65_530_usize..65_540], any::<bool>()), 1..6),
            step in 1_usize..5000,
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for (payload, is_masked) in frames {
                bytes.extend(frame(payload, is_masked));
                ends.push(bytes.len());
            }
            let mut followed = Frames::default();
            let mut at = 0;
            for chunk in bytes.chunks(step) {
                prop_assert_eq!(followed.is_between(), ends.contains(&at));
                followed.follow(chunk);
                at += chunk.len();
            }
            prop_assert!(followed.is_between());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            Frames::default().follow(&bytes);
        }
    }
}
