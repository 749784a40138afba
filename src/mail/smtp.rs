use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::time::timeout;

use super::Pace;
use super::error::{Failure, StartError};
use super::letter::Letter;
use crate::config::{Smtp, SmtpCredentials, SmtpSecurity};

/// An SMTP server that takes our mails.
///
/// It uses lettre's connections and not its transport: lettre's own pool takes a connection back in
/// the middle of a command when a time-out drops the attempt, so that the next mail would read
/// replies to the one before; and its clean-up runs in tasks that nobody owns.
#[derive(Debug)]
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<SmtpCredentials>,
    connect_timeout: Duration,
    send_timeout: Duration,
}

enum Security {
    Implicit(TlsParameters),
    StartTls(TlsParameters),
    Insecure,
}

/// A connection that was let in and takes mails, one after another. Dropping it closes it.
pub(super) struct Session(AsyncSmtpConnection);

impl Server {
    pub(super) fn new(config: &Smtp, pace: &Pace) -> Result<Self, StartError> {
        let security = match config.security {
            SmtpSecurity::Implicit => Security::Implicit(tls(config)?),
            SmtpSecurity::StartTls => Security::StartTls(tls(config)?),
            SmtpSecurity::Insecure => Security::Insecure,
        };
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            security,
            credentials: config.credentials.clone(),
            connect_timeout: pace.connect_timeout,
            send_timeout: pace.send_timeout,
        })
    }

    /// Sends `letter` on `kept`, or on a new connection where there is none or it has gone stale.
    ///
    /// Dropping this future closes the connection; the server may have taken the mail.
    pub(super) async fn send(
        &self,
        kept: Option<Session>,
        letter: &Letter,
    ) -> Result<Session, Failure> {
        if let Some(session) = kept {
            match self.send_on(session, letter).await {
                Err(failure) if failure.is_stale() => {}
                outcome => return outcome,
            }
        }
        let session = timeout(self.connect_timeout, self.connect())
            .await
            .map_err(|_| Failure::Timeout)??;
        self.send_on(session, letter).await
    }

    async fn send_on(&self, mut session: Session, letter: &Letter) -> Result<Session, Failure> {
        timeout(
            self.send_timeout,
            session.0.send(&letter.envelope, &letter.bytes),
        )
        .await
        .map_err(|_| Failure::Timeout)?
        .map_err(Failure::sending)?;
        Ok(session)
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let hello = ClientId::default();
        let wrapper = match &self.security {
            Security::Implicit(tls) => Some(tls.clone()),
            Security::StartTls(_) | Security::Insecure => None,
        };
        let server = (self.host.as_str(), self.port);
        let time = Some(self.connect_timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, time, &hello, wrapper, None)
                .await
                .map_err(Failure::connecting)?;
        if let Security::StartTls(tls) = &self.security {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(Failure::NoStartTls);
            }
            let upgraded = connection.starttls(tls.clone(), &hello).await;
            upgraded.map_err(Failure::connecting)?;
        }
        if let Some(account) = &self.credentials {
            let credentials =
                Credentials::new(account.user.clone(), account.password.expose().to_owned());
            let let_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            let_in.map_err(Failure::authenticating)?;
        }
        Ok(Session(connection))
    }
}

impl Session {
    /// Says goodbye. A server that does not answer is left without.
    pub(super) async fn quit(mut self) {
        const GOODBYE: Duration = Duration::from_secs(5);
        // The mail was taken before; how the connection ends changes nothing.
        let _ = timeout(GOODBYE, self.0.quit()).await;
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Implicit(_) => "Implicit",
            Self::StartTls(_) => "StartTls",
            Self::Insecure => "Insecure",
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

fn tls(config: &Smtp) -> Result<TlsParameters, StartError> {
    let host = &config.host;
    if ServerName::try_from(host.as_str()).is_err() {
        return Err(StartError::Host { host: host.clone() });
    }
    let builder = TlsParameters::builder(host.clone());
    let builder = match &config.ca {
        Some(path) => builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(authority(path)?),
        None => builder.certificate_store(CertificateStore::WebpkiRoots),
    };
    builder.build().map_err(|source| StartError::Tls {
        host: host.clone(),
        source,
    })
}

fn authority(path: &Path) -> Result<Certificate, StartError> {
    let pem = fs::read(path).map_err(|source| StartError::CaUnreadable {
        path: path.to_owned(),
        source,
    })?;
    let empty = || StartError::CaEmpty {
        path: path.to_owned(),
    };
    // lettre takes a file without any certificate for a store that trusts nobody.
    CertificateDer::from_pem_slice(&pem).map_err(|_| empty())?;
    Certificate::from_pem(&pem).map_err(|_| empty())
}
