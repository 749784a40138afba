use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::line::Line;

/// A client's TCP connection beneath TLS.
///
/// It is the last place where a byte can be held back: what belongs to an exchange that was cut is not
/// written, and the connection ends with a reset then.
#[derive(Debug)]
pub(super) struct Socket {
    tcp: TcpStream,
    line: Rc<Line>,
}

impl Socket {
    pub(super) const fn new(tcp: TcpStream, line: Rc<Line>) -> Self {
        Self { tcp, line }
    }

    fn poll_written(
        &self,
        cx: &Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                let bytes = result.as_ref().copied().unwrap_or_default();
                self.line.write_moved(bytes);
                Poll::Ready(result)
            }
            Poll::Pending => match self.line.poll_write_late(cx) {
                Poll::Ready(()) => {
                    self.line.must_reset.set(true);
                    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn refuse_cut(&self) -> io::Result<()> {
        if self.line.is_cut() {
            self.line.must_reset.set(true);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.refuse_cut()?;
        let written = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.poll_written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // One record, most often: the kernel takes it for less than a list.
        if let [only] = bufs {
            return self.poll_write(cx, only);
        }
        self.refuse_cut()?;
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.flushed();
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.refuse_cut()?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.must_reset.get() {
            // Closing with linger zero resets the connection and drops what the kernel still holds.
            // Where that fails the close says less than it should, and gives no more bytes.
            let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
        }
    }
}
