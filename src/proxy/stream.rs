use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::upstreams::Target;
use crate::config::{Protocol, Scheme};

/// What a connection to a server is made of.
#[derive(Debug)]
pub(super) enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// TLS over TCP. Boxed: it is twenty times as large.
    Tls(Box<TlsStream<TcpStream>>),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Which versions of HTTP a server is offered that may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
    /// Both, HTTP/2 first.
    Either,
}

/// A server that vanished without a word is found out after about four minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);

impl Stream {
    /// Connects.
    ///
    /// # Errors
    ///
    /// As the system says, or when the server is not who it should be.
    pub(super) async fn connect(target: &Target, offer: Offer) -> io::Result<Self> {
        match target {
            Target::Tcp(address) => Ok(Self::Tcp(tcp(address).await?)),
            Target::Tls(address, server) => {
                let tcp = tcp(address).await?;
                let stream = Box::pin(server.connect(tcp, offer)).await?;
                Ok(Self::Tls(Box::new(stream)))
            }
            Target::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
        }
    }

    /// Whether HTTP/2 is spoken over it.
    ///
    /// # Errors
    ///
    /// When it should be, and the server has not chosen it.
    pub(super) fn has_chosen_http2(&self, protocol: Protocol) -> io::Result<bool> {
        let is_chosen = match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP2),
            Self::Tcp(_) | Self::Unix(_) => false,
        };
        match protocol {
            Protocol::Http1 => Ok(false),
            Protocol::H2c => Ok(true),
            Protocol::Auto => Ok(is_chosen),
            Protocol::H2 if is_chosen => Ok(true),
            Protocol::H2 => Err(io::Error::other("the server does not choose HTTP/2")),
        }
    }

    /// What is spoken beneath HTTP.
    pub(super) const fn scheme(&self) -> Scheme {
        match self {
            Self::Tls(_) => Scheme::Https,
            Self::Tcp(_) | Self::Unix(_) => Scheme::Http,
        }
    }
}

impl Offer {
    /// What a server of an upstream is offered.
    pub(super) const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http1 => Self::Http1,
            Protocol::H2 | Protocol::H2c => Self::Http2,
            Protocol::Auto => Self::Either,
        }
    }
}

/// Whether a connection failed for want of something of our own, which says nothing of the server: file
/// descriptors, memory. An address that none of ours can reach, such as IPv6 where that is off, is no use to
/// us whatever the server does, and counts.
pub(super) fn is_spent(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    number.is_some_and(|number| SPENT.contains(&number))
}

const SPENT: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];

/// What ALPN calls it (RFC 9113 §3.2).
pub(super) const HTTP2: &[u8] = b"h2";

async fn tcp(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    Ok(stream)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
