use std::time::Duration;

use dariet_gateway::mail::{MailStats, QueueFull};

use crate::server::SmtpServer;
use crate::world::{Post, outbox, plain, quick, reset_mail};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn both_parts_arrive_as_they_were_written() {
    let mut server = SmtpServer::start(&[]).await;
    let mut post = Post::start(&plain(server.port));

    post.outbox
        .queue(reset_mail("ada@bücher.example").into())
        .unwrap();
    let message = server.wait_for("message").await;

    assert_eq!(message["sender"], "no-reply@example.com");
    assert_eq!(message["to"][0], "ada@xn--bcher-kva.example");
    let headers = &message["headers"];
    assert_eq!(headers["subject"], "Reset your password");
    assert_eq!(headers["from"], "Größe & Söhne <no-reply@example.com>");
    assert_eq!(headers["to"], "Jürgen Müßig <ada@xn--bcher-kva.example>");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    let types = ["multipart/alternative", "text/plain", "text/html"];
    assert_eq!(message["types"], serde_json::json!(types));
    for part in ["plain", "html"] {
        let text = message[part].as_str().unwrap();
        assert!(text.contains("Hello Jürgen Müßig,"), "{text}");
        let link = "https://gateway.example.com/api/auth/reset-password#token=s3cret-token";
        assert!(text.contains(link), "{text}");
    }
    post.stop(SOON).await;
    assert_eq!(
        post.outbox.stats(),
        MailStats {
            queued: 0,
            sent: 1,
            failed: 0,
            given_up: 0
        }
    );
}

#[tokio::test]
async fn a_mailbox_outside_ascii_goes_out_where_the_server_takes_it() {
    let mut server = SmtpServer::start(&[]).await;
    let post = Post::start(&plain(server.port));

    post.outbox
        .queue(reset_mail("jürgen@example.com").into())
        .unwrap();
    let message = server.wait_for("message").await;

    assert_eq!(message["to"][0], "jürgen@example.com");
}

#[tokio::test]
async fn one_slow_receiver_does_not_hold_up_the_others() {
    let mut server = SmtpServer::start(&["--hold", "slow@example.com"]).await;
    let post = Post::start(&plain(server.port));
    post.outbox
        .queue(reset_mail("slow@example.com").into())
        .unwrap();
    server.wait_for("holding").await;

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();

    assert_eq!(server.wait_for("message").await["to"][0], "ada@example.com");
    server.release();
    assert_eq!(
        server.wait_for("message").await["to"][0],
        "slow@example.com"
    );
}

#[tokio::test]
async fn mails_that_wait_share_a_connection() {
    let mut server = SmtpServer::start(&[]).await;
    let mut pace = quick();
    pace.in_flight = 1;
    let (outbox, task) = outbox(&plain(server.port), pace).unwrap();
    for _ in 0..3 {
        outbox.queue(reset_mail("ada@example.com").into()).unwrap();
    }

    let task = tokio::spawn(task.run(std::future::pending()));
    let names = server.names_until("closed").await;

    let count = |name| names.iter().filter(|other| *other == name).count();
    assert_eq!((count("connected"), count("message")), (1, 3), "{names:?}");
    task.abort();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_a_mail_that_left_makes_room() {
    let mut server = SmtpServer::start(&[]).await;
    let mut config = plain(server.port);
    config.queue = 2;
    let (outbox, task) = outbox(&config, quick()).unwrap();
    outbox.queue(reset_mail("ada@example.com").into()).unwrap();
    let place = outbox.reserve().unwrap();

    assert_eq!(outbox.stats().queued, 2);
    let refused = outbox.queue(reset_mail("ada@example.com").into());
    assert_eq!(refused, Err(QueueFull));

    place.fill(reset_mail("bob@example.com").into());
    let (stop, told) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(task.run(async { told.await.unwrap() }));
    server.wait_for("message").await;
    server.wait_for("message").await;
    stop.send(tokio::time::Instant::now() + SOON).unwrap();
    task.await.unwrap();
    assert_eq!((outbox.stats().queued, outbox.stats().sent), (0, 2));
}

#[tokio::test]
async fn a_place_that_is_not_used_is_free_again() {
    let server = SmtpServer::start(&[]).await;
    let mut config = plain(server.port);
    config.queue = 1;
    let (outbox, _task) = outbox(&config, quick()).unwrap();

    drop(outbox.reserve().unwrap());

    assert!(outbox.reserve().is_ok());
}

#[tokio::test]
async fn what_is_queued_is_sent_before_the_end() {
    let mut server = SmtpServer::start(&[]).await;
    let mut post = Post::start(&plain(server.port));
    for _ in 0..20 {
        post.outbox
            .queue(reset_mail("ada@example.com").into())
            .unwrap();
    }

    post.stop(SOON).await;

    for _ in 0..20 {
        server.wait_for("message").await;
    }
    assert_eq!(post.outbox.stats().sent, 20);
    let late = post.outbox.queue(reset_mail("ada@example.com").into());
    assert_eq!(late, Err(QueueFull));
}

#[tokio::test]
async fn the_end_waits_no_longer_than_it_was_told() {
    let mut server = SmtpServer::start(&["--hold", "slow@example.com"]).await;
    let mut post = Post::start(&plain(server.port));
    post.outbox
        .queue(reset_mail("slow@example.com").into())
        .unwrap();
    server.wait_for("holding").await;

    post.stop(Duration::ZERO).await;

    assert_eq!(post.outbox.stats().given_up, 1);
    server.wait_for("closed").await;
}
