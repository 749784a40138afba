use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// How long, and for how many bytes, what a client still sends is read after the last answer: closing
/// at once would reset the connection and take the answer from it (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_STEP: usize = 1024;

/// Says that nothing more comes, and gives the client time to take what did.
pub(super) async fn close<Io>(io: &mut Io)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let linger = async {
        io.shutdown().await?;
        let mut bytes = [0; LINGER_STEP];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match io.read(&mut bytes).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // Whatever becomes of it, the connection is over.
    let _ = tokio::time::timeout(LINGER, linger).await;
}

/// A connection that can still be closed in good order after a library that never gives it back, and
/// that takes nothing while TLS has something waiting: what was handed to TLS cannot be taken back.
#[derive(Debug)]
pub(super) struct Kept<Io>(Rc<RefCell<Io>>);

impl<Io> Kept<Io> {
    pub(super) fn new(io: Io) -> Self {
        Self(Rc::new(RefCell::new(io)))
    }

    /// The same connection once more. Nobody polls both at the same time.
    pub(super) fn again(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Kept<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Kept<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.0.borrow_mut();
        ready!(Pin::new(&mut *io).poll_flush(cx))?;
        Pin::new(&mut *io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.0.borrow_mut();
        ready!(Pin::new(&mut *io).poll_flush(cx))?;
        Pin::new(&mut *io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}
