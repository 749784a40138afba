use std::cell::RefCell;

/// Buffers for the heads of requests, the last used on top: it is in the processor's cache, and a head
/// needs an allocation only where more requests than ever are on their way.
#[derive(Debug, Default)]
pub(super) struct Buffers(RefCell<Vec<Vec<u8>>>);

/// More would only hold what a peak once needed.
const MAX_BUFFERS: usize = 64;
/// Room for the usual head.
const USUAL: usize = 1024;
/// A buffer that has grown beyond is let go.
const MAX_CAPACITY: usize = 16 * 1024;

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        let buffer = self.0.borrow_mut().pop();
        buffer.unwrap_or_else(|| Vec::with_capacity(USUAL))
    }

    /// Keeps a buffer for the next head.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.0.borrow_mut();
        if buffers.len() < MAX_BUFFERS && buffer.capacity() <= MAX_CAPACITY {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}
