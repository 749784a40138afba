use std::time::Duration;

use tokio::net::TcpListener;

use crate::log::LOG;
use crate::server::SmtpServer;
use crate::world::{Post, TOKEN, plain, quick, reset_mail};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_mail_that_was_deferred_is_sent_again() {
    let mut server = SmtpServer::start(&["--fail-first", "2"]).await;
    let mut post = Post::start(&plain(server.port));

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    server.wait_for("deferred").await;
    server.wait_for("deferred").await;
    server.wait_for("message").await;
    post.stop(SOON).await;
    let stats = post.outbox.stats();
    assert_eq!((stats.sent, stats.failed, stats.given_up), (1, 2, 0));
}

#[tokio::test]
async fn a_mail_that_was_refused_is_given_up_at_once() {
    let mut server = SmtpServer::start(&["--reject"]).await;
    let mut post = Post::start(&plain(server.port));

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    server.wait_for("rejected").await;
    server.wait_for("closed").await;
    post.stop(SOON).await;
    let stats = post.outbox.stats();
    assert_eq!((stats.sent, stats.failed, stats.given_up), (0, 1, 1));
}

#[tokio::test]
async fn a_mail_that_is_always_deferred_is_given_up_after_its_tries() {
    let mut server = SmtpServer::start(&["--fail-first", "1000"]).await;
    let mut post = Post::start(&plain(server.port));

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    for _ in 0..quick().tries {
        server.wait_for("deferred").await;
    }
    server.wait_for("closed").await;
    post.stop(SOON).await;
    let stats = post.outbox.stats();
    assert_eq!((stats.failed, stats.given_up, stats.queued), (5, 1, 0));
}

#[tokio::test]
async fn a_mail_outlives_a_server_that_is_down_for_a_while() {
    let broken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = broken.local_addr().unwrap().port();
    let mut pace = quick();
    pace.tries = 1000;
    pace.first_pause = Duration::from_micros(1);
    let post = Post::start_with(&plain(port), pace);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();
    let (connection, _) = broken.accept().await.unwrap();
    drop((connection, broken));

    let mut server = SmtpServer::start(&["--port", &port.to_string()]).await;
    server.wait_for("message").await;
    assert!(post.outbox.stats().failed >= 1);
}

#[tokio::test]
async fn no_mail_arrives_with_a_link_that_has_expired() {
    let mut server = SmtpServer::start(&["--fail-first", "1000"]).await;
    let mut pace = quick();
    pace.first_pause = Duration::from_secs(3600);
    let mut post = Post::start_with(&plain(server.port), pace);
    let mut mail = reset_mail("ada@example.com");
    mail.valid_for = Duration::from_secs(60);

    post.outbox.queue(mail.into()).unwrap();

    server.wait_for("deferred").await;
    server.wait_for("closed").await;
    post.stop(SOON).await;
    let stats = post.outbox.stats();
    assert_eq!((stats.failed, stats.given_up), (1, 1));
}

#[tokio::test]
async fn a_mail_whose_time_is_over_is_not_offered_to_the_server() {
    let server = SmtpServer::start(&[]).await;
    let mut post = Post::start(&plain(server.port));
    let mut mail = reset_mail("ada@example.com");
    mail.valid_for = Duration::ZERO;

    post.outbox.queue(mail.into()).unwrap();
    post.stop(SOON).await;

    let stats = post.outbox.stats();
    assert_eq!((stats.sent, stats.given_up), (0, 1));
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_no_more_than_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut pace = quick();
    pace.connect_timeout = Duration::from_millis(20);
    let port = silent.local_addr().unwrap().port();
    let mut post = Post::start_with(&plain(port), pace);

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();
    post.stop(SOON).await;

    assert_eq!(post.outbox.stats().given_up, 1);
}

#[tokio::test]
async fn a_log_line_names_neither_receiver_nor_token_nor_what_the_server_said() {
    let mut server = SmtpServer::start(&["--fail-first", "1"]).await;
    let mut rejecting = SmtpServer::start(&["--reject"]).await;
    let mut post = Post::start(&plain(server.port));
    let mut refused = Post::start(&plain(rejecting.port));

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();
    refused
        .outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();
    server.wait_for("message").await;
    rejecting.wait_for("rejected").await;
    post.stop(SOON).await;
    refused.stop(SOON).await;

    let log = LOG.text();
    for part in [
        "mail delayed",
        "smtp.code=451 smtp.status=\"4.3.0\"",
        "mail sent",
        "mail given up",
        "smtp.code=550 smtp.status=\"5.1.1\"",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    for secret in [TOKEN, "ada@", "example.com", "Reset your", "nobody here"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
