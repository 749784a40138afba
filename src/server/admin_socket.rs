use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;

use crate::api::{Api, ApiBody, ApiContext, CallerSource, owns};
use crate::http::{ApiError, Code, RequestId, problem};

/// The Unix socket over which the command line speaks to a running node, as the operator.
///
/// Only the gateway's own user can connect to it (0600). It is removed when dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AdminSocketError {
    /// Another node answers on it.
    #[error(
        "another gateway answers on {path:?}; stop it, or set `[admin] socket` to another path"
    )]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The system does not allow it.
    #[error("the admin socket {path:?} cannot be made; set `[admin] socket` to a path that can")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Takes a backup of the store into a file; answers why it could not.
pub type Backup = Arc<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;

const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const MAX_BACKUP_BODY: usize = 8192;

impl AdminSocket {
    /// Makes the socket. One that a killed node left behind is replaced.
    ///
    /// Must be called within a runtime.
    ///
    /// # Errors
    ///
    /// [`AdminSocketError`]
    pub fn bind(path: &Path) -> Result<Self, AdminSocketError> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(AdminSocketError::InUse {
                path: path.to_owned(),
            });
        }
        let make = || -> io::Result<UnixListener> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            remove_socket(path)?;
            // Made under a name that nobody connects to, so that it is never open to others.
            let fresh = path.with_extension("sock-new");
            remove_socket(&fresh)?;
            let listener = UnixListener::bind(&fresh)?;
            fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
            fs::rename(&fresh, path)?;
            Ok(listener)
        };
        let listener = make().map_err(|source| AdminSocketError::Refused {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers on the socket for as long as the node runs.
    pub async fn serve(self, api: Arc<Api>, backup: Backup) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (api, backup) = (Arc::clone(&api), Arc::clone(&backup));
            let service = service_fn(move |request| {
                let (api, backup) = (Arc::clone(&api), Arc::clone(&backup));
                async move { Ok::<_, Infallible>(answer(request, &api, &backup).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // A socket that stays behind is replaced by the next node.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what a killed node left, and nothing else.
fn remove_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is no socket is there",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

type AdminBody = Either<ApiBody, Full<Bytes>>;

async fn answer(request: Request<Incoming>, api: &Api, backup: &Backup) -> Response<AdminBody> {
    let request_id = RequestId::new();
    if owns(request.uri().path()) {
        let context = ApiContext {
            request_id: request_id.as_str(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            caller: CallerSource::Operator,
        };
        let answered = api.answer(request, &context).await;
        return answered.response.map(Either::Left);
    }
    let answered = match (request.method(), request.uri().path()) {
        (&Method::POST, "/store/backup") => take_backup(request, backup).await,
        _ => Err(Code::NotFound.into()),
    };
    match answered {
        Ok(()) => {
            let mut response = Response::new(Either::Right(Full::default()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(error) => {
            problem(&error, request_id.as_str()).map(|body| Either::Right(Full::new(body)))
        }
    }
}

#[derive(serde::Deserialize)]
struct BackupTo {
    to: PathBuf,
}

async fn take_backup(request: Request<Incoming>, backup: &Backup) -> Result<(), ApiError> {
    let body = http_body_util::Limited::new(request.into_body(), MAX_BACKUP_BODY);
    let body = body.collect().await.map_err(|_| Code::MalformedJson)?;
    let to: BackupTo = serde_json::from_slice(&body.to_bytes()).map_err(|_| Code::MalformedJson)?;
    let backup = Arc::clone(backup);
    let (done, taken) = tokio::sync::oneshot::channel();
    // Copying a store takes as long as its file is large: on a thread of its own, once.
    let thread = std::thread::Builder::new().name("store-backup".to_owned());
    let started = thread.spawn(move || done.send(backup(&to.to)));
    started.map_err(|_| Code::Overloaded)?;
    match taken.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(ApiError::new(Code::StoreUnavailable).detail(why)),
        Err(_) => Err(Code::Internal.into()),
    }
}
