use std::io;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Stream, Target};
use crate::config;

/// The question of a health check, as it is sent.
#[derive(Debug)]
pub(super) struct Question {
    bytes: Vec<u8>,
    timeout: Duration,
}

/// Why a server is not well.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwell {
    /// It gave no answer.
    #[error("the health check got no answer")]
    Silent(#[source] io::Error),
    /// It answered too late.
    #[error("the health check was not answered in time")]
    Late,
    /// It answered what is no HTTP.
    #[error("the health check was answered with what is no HTTP/1.1")]
    Garbage,
    /// Its answer says so.
    #[error("the health check was answered with status {0}")]
    Status(u16),
}

/// The most that is read for the first line of an answer.
const MAX_HEAD: usize = 16 * 1024;

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
        config: &config::HealthCheck,
    ) -> Result<(), Unwell> {
        let status = tokio::time::timeout(self.timeout, self.status(target)).await;
        let status = status.map_err(|_| Unwell::Late)??;
        if config.status.contains(&status) {
            return Ok(());
        }
        Err(Unwell::Status(status))
    }

    async fn status(&self, target: &Target) -> Result<u16, Unwell> {
        let mut stream = Stream::connect(target).await.map_err(Unwell::Silent)?;
        let sent = stream.write_all(&self.bytes).await;
        sent.map_err(Unwell::Silent)?;
        stream.flush().await.map_err(Unwell::Silent)?;
        let mut head = Vec::new();
        loop {
            let mut more = [0; 1024];
            let read = stream.read(&mut more).await.map_err(Unwell::Silent)?;
            if read == 0 {
                return Err(Unwell::Silent(io::ErrorKind::UnexpectedEof.into()));
            }
            head.extend_from_slice(more.get(..read).unwrap_or_default());
            if let Some(status) = status(&head)? {
                return Ok(status);
            }
            if head.len() > MAX_HEAD {
                return Err(Unwell::Garbage);
            }
        }
    }
}

/// The status of the first final answer, once its first line has come.
fn status(mut head: &[u8]) -> Result<Option<u16>, Unwell> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer.parse(head);
        match (answer.code, parsed) {
            (Some(100..=199), Ok(httparse::Status::Complete(length))) => {
                head = head.get(length..).unwrap_or_default();
            }
            (Some(100..=199) | None, Ok(httparse::Status::Partial)) => return Ok(None),
            (Some(status @ 200..), _) => return Ok(Some(status)),
            _ => return Err(Unwell::Garbage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_final_answer_counts() {
        let read = |text: &str| status(text.as_bytes());
        assert!(matches!(read("HTTP/1.1 204 No Content\r\n"), Ok(Some(204))));
        assert!(matches!(
            read("HTTP/1.0 503 x\r\nA: b\r\n\r\n"),
            Ok(Some(503))
        ));
        assert!(matches!(read("HTTP/1.1 20"), Ok(None)));
        assert!(matches!(read("HTTP/1.1 100 Continue\r\n\r\n"), Ok(None)));
        let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n";
        assert!(matches!(read(early), Ok(Some(200))));
        assert!(matches!(read("SSH-2.0-x\r\n"), Err(Unwell::Garbage)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = status(&bytes);
            let _ = status(&[b"HTTP/1.1 1", bytes.as_slice()].concat());
        }
    }
}
