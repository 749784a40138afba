//! What the embedded store promises beyond the contract.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dariet_gateway::domain::Role;
use dariet_gateway::store::{
    BackupError, Embedded, Existing, OpenError, RestoreError, Store, restore,
};
use futures_util::FutureExt as _;

use crate::suite::contract;
use crate::support::{
    Made, admin, at, change, given, given_keys, key, recorded, reset, session, viewer, wait,
};

contract!(&|| -> Made {
    // The file is opened already: its folder may go as soon as the store is made.
    let home = tempfile::tempdir().unwrap();
    Embedded::open(&home.path().join("store.db")).unwrap()
});

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_use_makes_a_private_folder_and_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("new/data/store.db");

    let store = Embedded::open(&path).unwrap();

    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&home.path().join("new/data")), 0o700);
    assert_eq!(mode(&home.path().join("new")), 0o700);
    assert!(store.file_bytes().unwrap() > 0);
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1);
}

#[test]
fn opening_again_keeps_everything() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.db");
    let (ada, mut bob) = (admin("ada"), viewer("bob"));
    bob.reset = Some(reset());
    let (kept, revoked) = (key(&bob, "kept"), key(&bob, "revoked"));
    let ended = session(&bob, at(3600));

    let store = Embedded::open(&path).unwrap();
    let id = store.id();
    let made: Made = store;
    wait(async {
        given(&made, &[&ada, &bob]).await;
        given_keys(&made, &[&kept, &revoked]).await;
        recorded(made.revoke_key(revoked.id, at(1))).await;
        recorded(made.revoke_session(ended)).await;
        made.note_used(vec![(kept.id, at(2))]).await.unwrap();
    });
    drop(made);

    let store = Embedded::open(&path).unwrap();
    assert_eq!(store.id(), id);
    wait(async {
        assert_eq!(store.users(None, 9).await.unwrap(), [ada, bob.clone()]);
        let keys = store.keys_of(bob.id).await.unwrap();
        assert_eq!(keys, std::slice::from_ref(&kept));
        let tombstone = store.key(revoked.id).await.unwrap().unwrap();
        assert_eq!(tombstone.revoked_at, Some(at(1)));
        assert!(store.session(ended.id, bob.id).await.unwrap().is_revoked);
        assert_eq!(store.last_used(&[kept.id]).await.unwrap(), [Some(at(2))]);
        let holder = store.user_by_reset(bob.reset.unwrap().digest).await;
        assert_eq!(holder.unwrap(), Some(bob));
    });
}

#[test]
fn a_second_open_is_told_to_use_the_admin_socket() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.db");
    let store = Embedded::open(&path).unwrap();

    let second = Embedded::open(&path).unwrap_err();

    assert!(matches!(second, OpenError::InUse { .. }), "{second:?}");
    let message = second.to_string();
    assert!(message.contains("admin socket"), "{message}");
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    drop(store);
    Embedded::open(&path).unwrap();
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let (text, empty) = (home.path().join("notes.txt"), home.path().join("empty"));
    std::fs::write(&text, "users: ada, bob\n".repeat(1000)).unwrap();
    std::fs::write(&empty, "").unwrap();
    let foreign = home.path().join("foreign.redb");
    drop(redb::Database::create(&foreign).unwrap());

    for path in [&text, &empty] {
        let error = Embedded::open(path).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }
    let error = Embedded::open(&foreign).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    let error = Embedded::open(home.path()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert_eq!(std::fs::read(&text).unwrap().len(), 16_000);
    assert!(std::fs::read(&empty).unwrap().is_empty());
}

#[test]
fn a_store_of_a_newer_gateway_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.db");
    drop(Embedded::open(&path).unwrap());
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let file = redb::Database::open(&path).unwrap();
    let newer = file.begin_write().unwrap();
    let format = 7_u64.to_le_bytes();
    newer
        .open_table(meta)
        .unwrap()
        .insert("format", format.as_slice())
        .unwrap();
    newer.commit().unwrap();
    drop(file);

    let error = Embedded::open(&path).unwrap_err();

    assert!(
        matches!(error, OpenError::Newer { found: 7, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn a_caller_who_goes_away_does_not_cancel_the_change() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.db");
    let store = Embedded::open(&path).unwrap();
    let (ada, bob) = (admin("ada"), viewer("bob"));

    // Polled once, then dropped; and one that was never polled.
    let _ = store.create_user(ada.clone()).now_or_never();
    drop(store.create_user(bob.clone()));
    drop(store);

    let store = Embedded::open(&path).unwrap();
    assert_eq!(wait(store.users(None, 9)).unwrap(), [ada]);
}

#[test]
fn refusals_do_not_undo_what_is_written_with_them() {
    let home = tempfile::tempdir().unwrap();
    let store = Embedded::open(&home.path().join("store.db")).unwrap();
    let users: Vec<_> = (0..300)
        .map(|n| viewer(&format!("user{}", n % 100)))
        .collect();

    let answers = wait(futures_util::future::join_all(
        users.iter().map(|user| store.create_user(user.clone())),
    ));

    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(won, 100);
    assert_eq!(wait(store.users(None, 999)).unwrap(), users[..100]);
}

#[test]
fn a_backup_while_writing_is_one_moment_of_the_store() {
    let home = tempfile::tempdir().unwrap();
    let store: Arc<Embedded> = Embedded::open(&home.path().join("store.db")).unwrap();
    wait(given(
        &(Arc::clone(&store) as Made),
        &[&admin("ada"), &admin("bob")],
    ));
    let stop = AtomicBool::new(false);
    let backups: Vec<_> = (0..8)
        .map(|n| home.path().join(format!("backup{n}.db")))
        .collect();

    std::thread::scope(|scope| {
        // Each user is made before their key: no moment has a key without its owner.
        let writer = scope.spawn(|| {
            let mut made = 0;
            while !stop.load(Ordering::Acquire) {
                let user = viewer(&format!("user{made}"));
                wait(async {
                    recorded(store.create_user(user.clone())).await;
                    recorded(store.create_key(key(&user, "k"), None, 1)).await;
                });
                made += 1;
            }
        });
        for backup in &backups {
            store.backup(backup).unwrap();
        }
        stop.store(true, Ordering::Release);
        writer.join().unwrap();
    });

    for backup in &backups {
        assert_eq!(mode(backup), 0o600);
        let copy = Embedded::open(backup).unwrap();
        let users = wait(copy.users(None, usize::MAX)).unwrap();
        let keys = |user| wait(copy.keys_of(user)).unwrap().len();
        let keyless = users[2..].iter().filter(|user| keys(user.id) == 0).count();
        assert!(keyless <= 1, "{keyless} of {}", users.len());
    }
}

#[test]
fn a_backup_overwrites_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = Embedded::open(&home.path().join("store.db")).unwrap();
    let precious = home.path().join("precious");
    std::fs::write(&precious, "mine").unwrap();

    let error = store.backup(&precious).unwrap_err();

    assert!(matches!(error, BackupError::Exists { .. }), "{error:?}");
    assert_eq!(std::fs::read(&precious).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
}

#[test]
fn a_restored_store_is_another_and_ends_every_session() {
    let home = tempfile::tempdir().unwrap();
    let at_home = |name: &str| home.path().join(name);
    let (mut ada, mut bob) = (admin("ada"), viewer("bob"));
    (ada.epoch, bob.reset) = (4, Some(reset()));
    let mut keys = ["live", "revoked", "expired"].map(|name| key(&bob, name));
    keys[2].expires_at = Some(at(50));
    let store = Embedded::open(&at_home("store.db")).unwrap();
    let id = store.id();
    let made: Made = store.clone();
    wait(given(&made, &[&ada, &bob]));
    wait(given_keys(&made, &[&keys[0], &keys[1], &keys[2]]));
    wait(recorded(made.revoke_key(keys[1].id, at(1))));
    store.backup(&at_home("backup.db")).unwrap();
    // After the backup: sessions of a newer epoch, and a key that ought to stay dead.
    wait(change(&made, ada.id, |ada| ada.epoch = 5)).unwrap();
    wait(recorded(made.revoke_key(keys[0].id, at(2))));
    drop((made, store));

    let (from, to) = (at_home("backup.db"), at_home("store.db"));
    let kept = restore(&from, &to, Existing::Keep, at(100)).unwrap_err();
    let report = restore(&from, &to, Existing::Replace, at(100)).unwrap();

    assert!(matches!(kept, RestoreError::Exists { .. }), "{kept:?}");
    assert_eq!(report.users, 2);
    let names: Vec<_> = report.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["live"]);
    assert_eq!(report.keys[0].owner, bob.email);
    assert_eq!(mode(&to), 0o600);
    let store = Embedded::open(&to).unwrap();
    assert_ne!(store.id(), id);
    let users = wait(store.users(None, 9)).unwrap();
    assert!(
        users
            .iter()
            .all(|user| user.epoch > 5 && user.reset.is_none())
    );
    assert!(users.iter().all(|user| user.version == 1));
    let holder = wait(store.user_by_reset(bob.reset.unwrap().digest)).unwrap();
    assert_eq!(holder, None);
    let key = wait(store.owned_key(keys[0].digest)).unwrap().unwrap();
    assert_eq!(key.key, keys[0]);
    let mut demoted = users[0].clone();
    demoted.role = Role::Viewer;
    wait(store.update_user(demoted)).unwrap_err();
    drop(store);

    // Sessions begun after one restore do not outlive the next.
    restore(&from, &to, Existing::Replace, at(101)).unwrap();
    let again = wait(Embedded::open(&to).unwrap().users(None, 9)).unwrap();
    assert!(again[0].epoch > users[0].epoch);
}

#[test]
fn a_running_store_is_neither_restored_from_nor_over() {
    let home = tempfile::tempdir().unwrap();
    let at_home = |name: &str| home.path().join(name);
    let store = Embedded::open(&at_home("store.db")).unwrap();
    store.backup(&at_home("backup.db")).unwrap();

    let from = restore(
        &at_home("store.db"),
        &at_home("new.db"),
        Existing::Keep,
        at(0),
    );
    let over = restore(
        &at_home("backup.db"),
        &at_home("store.db"),
        Existing::Replace,
        at(0),
    );
    let missing = restore(&at_home("none"), &at_home("new.db"), Existing::Keep, at(0));

    assert!(matches!(from, Err(RestoreError::Live { .. })), "{from:?}");
    let in_use = OpenError::InUse {
        path: at_home("store.db"),
    };
    let over = over.unwrap_err();
    assert!(matches!(&over, RestoreError::Store(it) if it.to_string() == in_use.to_string()));
    assert!(
        matches!(missing, Err(RestoreError::Backup(_))),
        "{missing:?}"
    );
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
}

#[test]
fn a_damaged_backup_replaces_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (from, to) = (home.path().join("backup.db"), home.path().join("store.db"));
    let store = Embedded::open(&to).unwrap();
    wait(given(&(store.clone() as Made), &[&admin("ada")]));
    store.backup(&from).unwrap();
    drop(store);
    let backup = std::fs::read(&from).unwrap();
    std::fs::write(&from, &backup[..backup.len() / 2]).unwrap();

    let error = restore(&from, &to, Existing::Replace, at(0)).unwrap_err();

    assert!(matches!(error, RestoreError::Backup(_)), "{error:?}");
    let store = Embedded::open(&to).unwrap();
    assert_eq!(wait(store.users(None, 9)).unwrap().len(), 1);
}
