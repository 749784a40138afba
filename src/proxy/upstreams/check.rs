use std::io;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::Target;
use crate::config;
use crate::proxy::AnswerError;
use crate::proxy::answer_head::{Head, HeadReader};
use crate::proxy::http2;
use crate::proxy::stream::{Offer, Stream, is_spent};

/// The question of a health check, as it is sent.
#[derive(Debug)]
pub(super) struct Question {
    bytes: Vec<u8>,
    timeout: Duration,
}

/// Why a server is not well.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwell {
    /// It took no connection, or not the question.
    #[error("the health check could not be asked")]
    Unasked(#[source] io::Error),
    /// It gave no answer, or one that would not be passed on either.
    #[error("the health check got no answer")]
    Unanswered(#[from] AnswerError),
    /// It answered too late.
    #[error("the health check was not answered in time")]
    Late,
    /// Its answer says so.
    #[error("the health check was answered with status {0}")]
    Status(u16),
}

impl Unwell {
    /// Whether the question could not be asked for want of something of our own: that says nothing of the
    /// server.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Unasked(error) if is_spent(error))
    }
}

impl Question {
    /// `host` is whom it asks for, unless the configuration says otherwise.
    pub(super) fn new(config: &config::HealthCheck, host: &HeaderValue) -> Self {
        let host = config.host.as_ref().unwrap_or(host);
        let mut bytes = format!("GET {} HTTP/1.1\r\nHost: ", config.path).into_bytes();
        bytes.extend_from_slice(host.as_bytes());
        bytes.extend_from_slice(
            b"\r\nUser-Agent: dariet-gateway (health check)\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        );
        Self {
            bytes,
            timeout: config.timeout,
        }
    }

    /// Asks over a connection of its own: what a kept one says of new ones is little.
    pub(super) async fn ask(
        &self,
        target: &Target,
        upstream: &config::Upstream,
        config: &config::HealthCheck,
    ) -> Result<(), Unwell> {
        let status = tokio::time::timeout(self.timeout, self.status(target, upstream)).await;
        let status = status.map_err(|_| Unwell::Late)??;
        if config.status.contains(&status) {
            return Ok(());
        }
        Err(Unwell::Status(status))
    }

    async fn status(&self, target: &Target, upstream: &config::Upstream) -> Result<u16, Unwell> {
        let stream = Stream::connect(target, Offer::of(upstream.protocol)).await;
        let mut stream = stream.map_err(Unwell::Unasked)?;
        let is_http2 = stream.has_chosen_http2(upstream.protocol);
        if is_http2.map_err(Unwell::Unasked)? {
            let scheme = stream.scheme();
            return Ok(http2::ask(stream, &self.bytes, scheme, &upstream.http2).await?);
        }
        let asked = stream.write_all(&self.bytes).await;
        asked.map_err(Unwell::Unasked)?;
        stream.flush().await.map_err(Unwell::Unasked)?;
        Ok(status(&mut stream).await?)
    }
}

/// The status of the first final answer, once its head has come; read as those are that are passed on.
async fn status(from: &mut (impl AsyncRead + Unpin)) -> Result<u16, AnswerError> {
    // Of interest where clients wait.
    let uncounted = AtomicU64::new(0);
    let mut reader = HeadReader::new(false, HeaderMap::new(), &uncounted);
    let mut input = BytesMut::new();
    loop {
        match reader.read(&mut input)? {
            Some(Head::Final(head)) => return Ok(head.status.as_u16()),
            Some(Head::Continue) => {}
            None if from.read_buf(&mut input).await? == 0 => return Err(AnswerError::Closed),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_final_answer_counts() {
        let read = async |text: &str| {
            status(&mut text.as_bytes())
                .await
                .map_err(|e| e.to_string())
        };
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n").await, Ok(204));
        assert_eq!(read("HTTP/1.0 503 x\r\nA: b\r\n\r\nrest").await, Ok(503));
        let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(read(early).await, Ok(200));
        let closed = Err(AnswerError::Closed.to_string());
        assert_eq!(read("HTTP/1.1 20").await, closed);
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\n").await, closed);
        let garbage = Err(AnswerError::StatusLine.to_string());
        assert_eq!(read("SSH-2.0-x\r\n").await, garbage);
    }
}
