use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use super::CliError;
use super::operator::Answer;

/// The admin socket of the running node.
#[derive(Debug)]
pub(super) struct NodeSocket {
    path: PathBuf,
    runtime: Runtime,
    patience: Duration,
}

/// How long a node may take for anything but a backup.
const PATIENCE: Duration = Duration::from_secs(60);

impl NodeSocket {
    pub(super) fn new(path: PathBuf) -> Result<Self, CliError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::Socket {
            path: path.clone(),
            source: error.into(),
        })?;
        Ok(Self {
            path,
            runtime,
            patience: PATIENCE,
        })
    }

    /// The same, with other patience.
    pub(super) fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a request, and waits for all of its answer.
    pub(super) fn call(&self, request: Request<Full<Bytes>>) -> Result<Answer, CliError> {
        let answer = async { tokio::time::timeout(self.patience, self.exchange(request)).await };
        let answer = self.runtime.block_on(answer);
        let answer = answer.map_err(|_| CliError::TooSlow {
            path: self.path.clone(),
        })?;
        answer.map_err(|source| CliError::Socket {
            path: self.path.clone(),
            source,
        })
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let stream = UnixStream::connect(&self.path).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, or tells its error to the one who waits for the answer.
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok((status, body))
    }
}
