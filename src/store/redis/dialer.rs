use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::fault::Fault;
use super::tls::{RedisSetupError, client_config};
use super::trouble::Trouble;
use crate::config::{RedisAddress, RedisHost, RedisLogin, RedisStore};

/// Makes connections to the servers of one store.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: Option<TlsConnector>,
    login: RedisConnectionInfo,
    /// How long one connection may take until it can be used.
    patience: Duration,
}

/// What moves the bytes of a connection while it is polled.
type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Dialer {
    /// A dialer that says who we are, on the database of the store.
    pub(super) fn new(store: &RedisStore, patience: Duration) -> Result<Self, RedisSetupError> {
        let tls = store.tls.as_ref().map(client_config).transpose()?;
        Ok(Self {
            tls: tls.map(TlsConnector::from),
            login: login(store.login.as_ref()).set_db(store.database.into()),
            patience,
        })
    }

    /// How long an answer may take.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// The same for Sentinels, who have accounts of their own and no databases.
    pub(super) fn for_sentinels(&self, account: Option<&RedisLogin>) -> Self {
        Self {
            login: login(account),
            ..self.clone()
        }
    }

    /// Connects to a server. What goes wrong with the connection is told to `trouble`.
    pub(super) async fn dial(
        &self,
        address: &RedisAddress,
        trouble: &Arc<Trouble>,
    ) -> Result<Connection, Fault> {
        let dialled = tokio::time::timeout(self.patience, self.greeted(address)).await;
        let Ok(dialled) = dialled else {
            let doubt = if self.tls.is_some() {
                "; does it speak TLS, as [store] url says?"
            } else {
                ""
            };
            return Err(Fault::Unasked(format!(
                "redis at {address} does not answer{doubt}"
            )));
        };
        let (pipe, driver) = dialled.map_err(|fault| fault.at(address))?;
        let watched = Arc::clone(trouble);
        let address = address.to_string();
        let driver = tokio::spawn(async move {
            driver.await;
            watched.report(format!("redis at {address} closed the connection"));
        });
        Ok(Connection::new(
            pipe,
            driver.abort_handle(),
            Arc::clone(trouble),
        ))
    }

    /// Connects to a server to hear what it publishes.
    pub(super) async fn listen(&self, address: &RedisAddress) -> Result<PubSub, Fault> {
        let dialled = async {
            let wire = self.wire(address).await?;
            PubSub::new(&self.login, wire).await.map_err(Fault::from)
        };
        match tokio::time::timeout(self.patience, dialled).await {
            Ok(dialled) => dialled,
            Err(_) => Err(Fault::Silent(None)),
        }
    }

    async fn greeted(
        &self,
        address: &RedisAddress,
    ) -> Result<(MultiplexedConnection, Driver), Fault> {
        let wire = self.wire(address).await?;
        // The time-outs are ours: some calls may wait longer than others.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let made = MultiplexedConnection::new_with_config(&self.login, wire, config).await;
        let (pipe, driver) = made.map_err(Fault::from)?;
        Ok((pipe, Box::pin(driver)))
    }

    async fn wire(&self, address: &RedisAddress) -> Result<Box<dyn Wire>, Fault> {
        let RedisHost { host, port } = match address {
            RedisAddress::Socket(path) => {
                let socket = UnixStream::connect(path).await.map_err(unreachable)?;
                return Ok(Box::new(socket));
            }
            RedisAddress::Host(host) => host,
        };
        let socket = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(unreachable)?;
        // Every call is small and waits for its answer.
        socket.set_nodelay(true).map_err(unreachable)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(socket));
        };
        let name = ServerName::try_from(host.clone())
            .map_err(|error| Fault::Unasked(error.to_string()))?;
        let secured = tls.connect(name, socket).await.map_err(unreachable)?;
        Ok(Box::new(secured))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer(..)")
    }
}

fn login(account: Option<&RedisLogin>) -> RedisConnectionInfo {
    let login = RedisConnectionInfo::default().set_skip_set_lib_name();
    let Some(account) = account else {
        return login;
    };
    let login = login.set_password(account.password.expose());
    match &account.user {
        Some(user) => login.set_username(user),
        None => login,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreachable(error: io::Error) -> Fault {
    Fault::Unasked(error.to_string())
}
