use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::http::{ApiError, Code};

/// What the command line can ask of the node itself, beside the gateway's own endpoints.
#[derive(Clone)]
pub struct Operations {
    /// Takes a backup of the store.
    pub backup: Backup,
    /// Reads the configuration again.
    pub reload: Reload,
}

/// Takes a backup of the store into a file; answers why it could not.
pub type Backup = Arc<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;

/// Does what is asked of the configuration; the text is the request's id.
pub type Reload = Arc<dyn Fn(Ask, String) -> Telling + Send + Sync>;

/// What comes of it, in time.
pub type Telling = Pin<Box<dyn Future<Output = Told> + Send>>;

/// What is asked of the configuration.
#[derive(Debug)]
pub enum Ask {
    /// The node's own file is to be read again and applied.
    Apply,
    /// What would change if the file was this one.
    Compare(PathBuf),
}

/// What came of it, for the command line.
#[derive(Debug)]
pub struct Told {
    /// Whether it was refused.
    pub is_refused: bool,
    /// What there is to say.
    pub json: serde_json::Value,
}

const MAX_BODY: usize = 8192;

impl Operations {
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        request_id: &str,
    ) -> Result<Response<Full<Bytes>>, ApiError> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/store/backup") => self.take_backup(request).await,
            (&Method::POST, "/config/reload") => Ok(self.tell(Ask::Apply, request_id).await),
            (&Method::POST, "/config/diff") => {
                let file: DiffOf = read(request).await?;
                Ok(self.tell(Ask::Compare(file.of), request_id).await)
            }
            _ => Err(Code::NotFound.into()),
        }
    }

    async fn tell(&self, ask: Ask, request_id: &str) -> Response<Full<Bytes>> {
        let told = (self.reload)(ask, request_id.to_owned()).await;
        let status = if told.is_refused {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        };
        answer(status, told.json.to_string())
    }

    async fn take_backup(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, ApiError> {
        let to: BackupTo = read(request).await?;
        let backup = Arc::clone(&self.backup);
        let (done, taken) = tokio::sync::oneshot::channel();
        // Copying a store takes as long as its file is large: on a thread of its own, once.
        let thread = std::thread::Builder::new().name("store-backup".to_owned());
        let started = thread.spawn(move || done.send(backup(&to.to)));
        started.map_err(|_| Code::Overloaded)?;
        match taken.await {
            Ok(Ok(())) => Ok(answer(StatusCode::NO_CONTENT, String::new())),
            Ok(Err(why)) => Err(ApiError::new(Code::StoreUnavailable).detail(why)),
            Err(_) => Err(Code::Internal.into()),
        }
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

#[derive(serde::Deserialize)]
struct BackupTo {
    to: PathBuf,
}

#[derive(serde::Deserialize)]
struct DiffOf {
    of: PathBuf,
}

async fn read<Body: DeserializeOwned>(request: Request<Incoming>) -> Result<Body, ApiError> {
    let body = http_body_util::Limited::new(request.into_body(), MAX_BODY);
    let body = body.collect().await.map_err(|_| Code::MalformedJson)?;
    Ok(serde_json::from_slice(&body.to_bytes()).map_err(|_| Code::MalformedJson)?)
}

fn answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}
