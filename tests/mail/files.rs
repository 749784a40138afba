use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use dariet_gateway::config::MailTransport;
use dariet_gateway::mail::StartError;

use crate::world::{Post, TOKEN, mail_to, outbox, quick, reset_mail};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn each_mail_is_a_file_for_its_owner_alone_in_the_order_of_time() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new/mails");
    let mut post = Post::start(&mail_to(MailTransport::Files(folder.clone())));

    for name in ["ada", "bob", "cleo"] {
        let mail = reset_mail(&format!("{name}@example.com"));
        post.outbox.queue(mail.into()).unwrap();
    }
    post.stop(SOON).await;

    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    for (name, to) in names.iter().zip(["ada", "bob", "cleo"]) {
        assert!(name.starts_with("2026-03-18T10-00-00-"), "{name}");
        assert!(name.ends_with(".eml"), "{name}");
        let path = folder.join(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("<{to}@example.com>\r\n")), "{text}");
        assert!(text.contains(TOKEN), "{text}");
    }
    let mode = fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(post.outbox.stats().sent, 3);
}

#[tokio::test]
async fn a_folder_that_was_removed_is_made_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mails");
    let mut post = Post::start(&mail_to(MailTransport::Files(folder.clone())));
    fs::remove_dir(&folder).unwrap();

    post.outbox
        .queue(reset_mail("ada@example.com").into())
        .unwrap();
    post.stop(SOON).await;

    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_told_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();

    let error = outbox(&mail_to(MailTransport::Files(file.join("mails"))), quick()).unwrap_err();

    assert!(matches!(error, StartError::Folder { .. }), "{error}");
}
