use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Bytes that are written with one system call: the client's data, and what frames it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) front: Vec<u8>,
    pub(super) data: Bytes,
    pub(super) tail: &'static [u8],
    written: usize,
}

impl Batch {
    /// A batch of `front` alone.
    pub(super) fn of(front: Vec<u8>) -> Self {
        Self {
            front,
            ..Self::default()
        }
    }

    /// Writes what is not written yet, and flushes it.
    pub(super) fn poll_write<To>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut To,
    ) -> Poll<io::Result<()>>
    where
        To: AsyncWrite + Unpin,
    {
        while !self.is_written() {
            let written = ready!(self.poll_write_some(cx, to))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        Pin::new(to).poll_flush(cx)
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.front.clear();
        self.data = Bytes::new();
        self.tail = b"";
        self.written = 0;
    }

    /// It is to be written once more.
    pub(super) const fn rewind(&mut self) {
        self.written = 0;
    }

    /// Whether nothing of it is written.
    pub(super) const fn is_untouched(&self) -> bool {
        self.written == 0
    }

    /// Whether all of it is written.
    pub(super) const fn is_written(&self) -> bool {
        self.written == self.front.len() + self.data.len() + self.tail.len()
    }

    fn poll_write_some<To>(&self, cx: &mut Context<'_>, to: &mut To) -> Poll<io::Result<usize>>
    where
        To: AsyncWrite + Unpin,
    {
        let to = Pin::new(to);
        let front = self.front.get(self.written..).unwrap_or_default();
        if self.data.is_empty() && self.tail.is_empty() {
            return to.poll_write(cx, front);
        }
        let behind = self.written.saturating_sub(self.front.len());
        let data = self.data.get(behind..).unwrap_or_default();
        let behind = behind.saturating_sub(self.data.len());
        let tail = self.tail.get(behind..).unwrap_or_default();
        to.poll_write_vectored(cx, &[front, data, tail].map(IoSlice::new))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    /// Takes a few bytes at a time.
    struct Narrow {
        taken: Vec<u8>,
        steps: Vec<usize>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let step = match self.steps.pop() {
                Some(0) => return Poll::Pending,
                step => step.unwrap_or(bytes.len()).min(bytes.len()),
            };
            self.taken.extend(&bytes[..step]);
            Poll::Ready(Ok(step))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            self.poll_write(cx, &bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn every_byte_is_written_once_and_in_order(
            front in prop::collection::vec(any::<u8>(), 0..40),
            data in prop::collection::vec(any::<u8>(), 0..40),
            tail in prop::sample::select(vec![&b""[..], b"\r\n", b"\r\n0\r\n\r\n"]),
            steps in prop::collection::vec(0_usize..9, 0..60),
        ) {
            let whole = [&front, &data[..], tail].concat();
            let mut batch = Batch::of(front);
            batch.data = data.into();
            batch.tail = tail;
            let mut to = Narrow { taken: Vec::new(), steps };
            let mut cx = Context::from_waker(Waker::noop());
            while batch.poll_write(&mut cx, &mut to).is_pending() {
                prop_assert!(!batch.is_written());
            }
            prop_assert!(batch.is_written());
            prop_assert_eq!(to.taken, whole);
        }
    }

    #[test]
    fn a_writer_that_takes_nothing_has_failed() {
        let mut batch = Batch::of(b"a".to_vec());
        let mut cx = Context::from_waker(Waker::noop());
        let mut full = io::Cursor::new(Box::<[u8]>::default());
        let polled = batch.poll_write(&mut cx, &mut full);
        assert!(matches!(polled, Poll::Ready(Err(_))), "{polled:?}");
    }
}
