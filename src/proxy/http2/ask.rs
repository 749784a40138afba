use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::message;
use super::session::builder;
use crate::config::{Scheme, UpstreamHttp2};
use crate::proxy::AnswerError;

/// Asks a server over a connection of its own; the status of its answer. `head` is the question's, as
/// HTTP/1.1 has it.
///
/// # Errors
///
/// [`AnswerError`], when there is no answer.
pub(in crate::proxy) async fn ask<Io>(
    io: Io,
    head: &[u8],
    scheme: Scheme,
    bounds: &UpstreamHttp2,
) -> Result<u16, AnswerError>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let request = message::request(head, scheme)?;
    let (mut sender, connection) = builder(bounds).handshake::<_, Bytes>(io).await?;
    let (answer, _) = sender.send_request(request, true)?;
    let (mut connection, mut answer) = (pin!(connection), pin!(answer));
    let answer = poll_fn(|cx| {
        // The connection goes on as long as it is driven, and its end ends the answer.
        let end = connection.as_mut().poll(cx);
        match answer.as_mut().poll(cx) {
            Poll::Pending if end.is_ready() => Poll::Ready(Err(AnswerError::Closed)),
            polled => polled.map_err(AnswerError::from),
        }
    });
    Ok(answer.await?.status().as_u16())
}
