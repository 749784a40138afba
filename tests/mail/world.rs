use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dariet_gateway::config::{Mail, MailTransport, Smtp, SmtpCredentials, SmtpSecurity};
use dariet_gateway::domain::{Email, ManualClock, Password, ResetToken, Timestamp, UserName};
use dariet_gateway::mail::{Outbox, OutboxTask, Pace, ResetLink, ResetMail, StartError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::log::LOG;

/// The secret that must be seen nowhere but in the mail.
pub const TOKEN: &str = "s3cret-token";

/// An outbox whose task runs.
pub struct Post {
    pub outbox: Outbox,
    shutdown: Option<oneshot::Sender<Instant>>,
    task: JoinHandle<()>,
}

impl Post {
    pub fn start(config: &Mail) -> Self {
        Self::start_with(config, quick())
    }

    pub fn start_with(config: &Mail, pace: Pace) -> Self {
        let (outbox, task) = outbox(config, pace).unwrap();
        let (shutdown, told) = oneshot::channel();
        let task = tokio::spawn(task.run(async { told.await.unwrap() }));
        Self {
            outbox,
            shutdown: Some(shutdown),
            task,
        }
    }

    /// Tells the task to end within `time`, and waits until it has.
    pub async fn stop(&mut self, time: Duration) {
        let shutdown = self.shutdown.take().unwrap();
        shutdown.send(Instant::now() + time).unwrap();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn outbox(config: &Mail, pace: Pace) -> Result<(Outbox, OutboxTask), StartError> {
    LazyLock::force(&LOG);
    let now = Timestamp::parse("2026-03-18T10:00:00").unwrap();
    Outbox::start(config, pace, Arc::new(ManualClock::at(now)))
}

/// Retries within milliseconds; what must come to an end does so soon.
pub fn quick() -> Pace {
    Pace {
        first_pause: Duration::from_millis(5),
        connect_timeout: Duration::from_secs(5),
        send_timeout: Duration::from_secs(5),
        ..Pace::default()
    }
}

pub fn mail_to(transport: MailTransport) -> Mail {
    Mail {
        transport,
        from: "Größe & Söhne <no-reply@example.com>".to_owned(),
        reset_link: "https://gateway.example.com/api/auth/reset-password".to_owned(),
        reset_lifetime: Duration::from_secs(3600),
        queue: 100,
    }
}

pub fn smtp(port: u16, security: SmtpSecurity) -> Smtp {
    Smtp {
        host: "localhost".to_owned(),
        port,
        security,
        credentials: None,
        ca: None,
    }
}

pub fn plain(port: u16) -> Mail {
    mail_to(MailTransport::Smtp(smtp(port, SmtpSecurity::Insecure)))
}

pub fn account(user: &str, password: &str) -> SmtpCredentials {
    SmtpCredentials {
        user: user.to_owned(),
        password: Password::new(password.to_owned()),
    }
}

pub fn reset_mail(to: &str) -> ResetMail {
    let token = ResetToken::new(TOKEN.to_owned());
    ResetMail {
        to: Email::parse(to).unwrap(),
        name: UserName::parse("Jürgen Müßig").unwrap(),
        link: ResetLink::new(
            "https://gateway.example.com/api/auth/reset-password",
            &token,
        ),
        valid_for: Duration::from_secs(3600),
    }
}

/// A certificate for localhost, and the authority that signed it.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    pub fn make() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "Test authority");
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(made.path("ca.pem"), authority.pem()).unwrap();
        std::fs::write(made.path("server.pem"), server.pem()).unwrap();
        std::fs::write(made.path("server.key"), key.serialize_pem()).unwrap();
        made
    }

    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's arguments to use it.
    pub fn arguments(&self, tls: &str) -> Vec<String> {
        let path = |name| self.path(name).display().to_string();
        vec![
            "--tls".to_owned(),
            tls.to_owned(),
            "--certificate".to_owned(),
            path("server.pem"),
            "--key".to_owned(),
            path("server.key"),
        ]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
