use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// What is to be written next, together where it can be: bytes of our own, a piece of the answer's body
/// as it came, and what frames its end.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// How many of `bytes` were written.
    written: usize,
    data: Bytes,
    tail: &'static [u8],
}

/// Most heads fit; the room for them is taken at once.
const USUAL_BYTES: usize = 768;

impl Outgoing {
    pub(super) const fn is_empty(&self) -> bool {
        self.written == self.bytes.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Our own bytes, to add to. Nothing may stand behind them yet.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(USUAL_BYTES);
        }
        &mut self.bytes
    }

    /// Puts a piece of a body, and what ends it, behind them.
    pub(super) fn put(&mut self, data: Bytes, tail: &'static [u8]) {
        self.data = data;
        self.tail = tail;
    }

    pub(super) fn slices(&self) -> [IoSlice<'_>; 3] {
        let bytes = self.bytes.get(self.written..).unwrap_or_default();
        [bytes, &self.data, self.tail].map(IoSlice::new)
    }

    /// So many bytes were written.
    pub(super) fn advance(&mut self, mut count: usize) {
        let own = count.min(self.bytes.len() - self.written);
        self.written += own;
        count -= own;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
        let data = count.min(self.data.len());
        self.data.advance(data);
        self.tail = self.tail.get(count - data..).unwrap_or_default();
        if self.data.is_empty() {
            // What was written must not be kept until the next piece.
            self.data = Bytes::new();
        }
    }

    /// Gives its room back.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}
