use std::time::Duration;

use dariet_gateway::config::{Mail, MailTransport, SmtpCredentials, SmtpSecurity};
use dariet_gateway::mail::StartError;

use crate::server::SmtpServer;
use crate::world::{Certificates, Post, account, mail_to, outbox, quick, reset_mail, smtp};

const SOON: Duration = Duration::from_secs(20);
const ACCOUNT: [&str; 4] = ["--user", "mailer", "--password", "geheim ü"];

/// A server with a certificate, and a configuration that fits but for what the test changes.
async fn secured(tls: &str, more: &[&str]) -> (SmtpServer, Certificates) {
    let certificates = Certificates::make();
    let arguments = certificates.arguments(tls);
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.extend(more);
    (SmtpServer::start(&arguments).await, certificates)
}

fn config(
    server: &SmtpServer,
    security: SmtpSecurity,
    certificates: &Certificates,
    credentials: Option<SmtpCredentials>,
) -> Mail {
    let mut smtp = smtp(server.port, security);
    smtp.ca = Some(certificates.ca());
    smtp.credentials = credentials;
    mail_to(MailTransport::Smtp(smtp))
}

#[tokio::test]
async fn starttls_secures_the_connection_before_account_and_mail() {
    let (mut server, certificates) = secured("starttls", &ACCOUNT).await;
    let credentials = Some(account("mailer", "geheim ü"));
    let config = config(&server, SmtpSecurity::StartTls, &certificates, credentials);
    let post = Post::start(&config);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    let names = server.names_until("message").await;
    assert_eq!(names, ["connected", "tls", "auth", "mail", "message"]);
}

#[tokio::test]
async fn implicit_tls_secures_the_connection_from_the_first_byte() {
    let (mut server, certificates) = secured("implicit", &ACCOUNT).await;
    let credentials = Some(account("mailer", "geheim ü"));
    let config = config(&server, SmtpSecurity::Implicit, &certificates, credentials);
    let post = Post::start(&config);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    let names = server.names_until("message").await;
    assert_eq!(names, ["tls", "auth", "mail", "message"]);
}

#[tokio::test]
async fn a_server_that_knows_only_auth_login_is_logged_in_to() {
    let more = [&ACCOUNT[..], &["--only-login"]].concat();
    let (mut server, certificates) = secured("implicit", &more).await;
    let credentials = Some(account("mailer", "geheim ü"));
    let config = config(&server, SmtpSecurity::Implicit, &certificates, credentials);
    let post = Post::start(&config);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    let auth = server.wait_for("auth").await;
    assert_eq!(
        (&auth["mechanism"], &auth["success"]),
        (&"LOGIN".into(), &true.into())
    );
    server.wait_for("message").await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_the_mail_given_up() {
    let (mut server, certificates) = secured("starttls", &ACCOUNT).await;
    let credentials = Some(account("mailer", "wrong"));
    let config = config(&server, SmtpSecurity::StartTls, &certificates, credentials);
    let mut post = Post::start(&config);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    assert_eq!(server.wait_for("auth").await["success"], false);
    assert!(
        !server
            .names_until("closed")
            .await
            .contains(&"mail".to_owned())
    );
    post.stop(SOON).await;
    let stats = post.outbox.stats();
    assert_eq!((stats.sent, stats.failed, stats.given_up), (0, 1, 1));
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing_in_plain() {
    let certificates = Certificates::make();
    let mut server = SmtpServer::start(&ACCOUNT).await;
    let credentials = Some(account("mailer", "geheim ü"));
    let config = config(&server, SmtpSecurity::StartTls, &certificates, credentials);
    let mut post = Post::start(&config);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    assert_eq!(server.names_until("closed").await, ["connected", "closed"]);
    post.stop(SOON).await;
    assert_eq!(post.outbox.stats().given_up, 1);
}

#[tokio::test]
async fn a_server_with_a_certificate_of_another_authority_gets_nothing() {
    for (tls, security) in [
        ("starttls", SmtpSecurity::StartTls),
        ("implicit", SmtpSecurity::Implicit),
    ] {
        let (mut server, _) = secured(tls, &[]).await;
        let others = Certificates::make();
        let mut pace = quick();
        pace.tries = 1;
        let config = config(&server, security, &others, None);
        let mut post = Post::start_with(&config, pace);

        post.outbox
            .queue(reset_mail("ada@example.com").into())
            .unwrap();
        post.stop(SOON).await;

        let stats = post.outbox.stats();
        assert_eq!((stats.sent, stats.given_up), (0, 1), "{tls}");
        if tls == "starttls" {
            assert_eq!(server.names_until("closed").await, ["connected", "closed"]);
        }
    }
}

#[tokio::test]
async fn a_server_of_another_name_gets_nothing() {
    let (mut server, certificates) = secured("starttls", &[]).await;
    let mut smtp = smtp(server.port, SmtpSecurity::StartTls);
    smtp.ca = Some(certificates.ca());
    smtp.host = "127.0.0.1".to_owned();
    let mut post = Post::start(&mail_to(MailTransport::Smtp(smtp)));

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();
    assert_eq!(server.names_until("closed").await, ["connected", "closed"]);

    post.stop(SOON).await;
    assert_eq!(post.outbox.stats().sent, 0);
}

#[tokio::test]
async fn an_authority_that_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    let with_ca = |ca| {
        let mut smtp = smtp(1, SmtpSecurity::Implicit);
        smtp.ca = Some(ca);
        outbox(&mail_to(MailTransport::Smtp(smtp)), quick()).err()
    };

    let missing = with_ca(folder.path().join("missing.pem"));
    assert!(
        matches!(missing, Some(StartError::CaUnreadable { .. })),
        "{missing:?}"
    );
    let empty = with_ca(empty);
    assert!(
        matches!(empty, Some(StartError::CaEmpty { .. })),
        "{empty:?}"
    );
}
