use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

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
