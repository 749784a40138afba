use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;

use super::Operations;
use crate::api::{Api, ApiBody, ApiContext, CallerSource, owns};
use crate::http::{RequestId, problem};

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

const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    pub async fn serve(self, api: Arc<Api>, operations: Operations) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (api, operations) = (Arc::clone(&api), operations.clone());
            let service = service_fn(move |request| {
                let (api, operations) = (Arc::clone(&api), operations.clone());
                async move { Ok::<_, Infallible>(answer(request, &api, &operations).await) }
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

async fn answer(
    request: Request<Incoming>,
    api: &Api,
    operations: &Operations,
) -> Response<AdminBody> {
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
    let answered = operations.answer(request, request_id.as_str()).await;
    answered
        .unwrap_or_else(|error| problem(&error, request_id.as_str()).map(Full::new))
        .map(Either::Right)
}
