//! A full disk refuses changes with a reason, loses none that was answered, and heals by itself.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use dariet_gateway::store::{Embedded, OpenError, Store, StoreError, UserRecord};

use crate::support::{admin, recorded, viewer, wait};

/// Set for the copy of this test that has a small file system of its own, to where that is.
const PLACE: &str = "DARIET_TEST_SMALL_DISK";

/// The test runs itself again in a mount namespace of its own, which needs root or user namespaces;
/// the small file system is gone with it, however the test ends.
#[test]
fn a_full_disk_loses_no_answered_change_and_heals_when_there_is_room() {
    if let Ok(place) = std::env::var(PLACE) {
        return on_a_small_disk(Path::new(&place));
    }
    let home = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=512k tmpfs "$1" && exec "$2" --exact "$3" --nocapture"#;
    let test = "full_disk::a_full_disk_loses_no_answered_change_and_heals_when_there_is_room";
    let run = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        unshare
            .arg(home.path())
            .arg(std::env::current_exe().unwrap())
            .arg(test);
        unshare.env(PLACE, home.path()).output()
    };
    let is_possible = run(r#"mount -t tmpfs -o size=512k tmpfs "$1""#);
    if !is_possible.is_ok_and(|it| it.status.success()) {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: no small file system can be mounted here"
        );
        return;
    }

    let output = run(script).unwrap();

    assert!(output.status.success(), "{output:?}");
}

fn on_a_small_disk(home: &Path) {
    let path = home.join("store.db");
    let store = Embedded::open(&path).unwrap();
    let mut answered = vec![admin("ada")];
    recorded_now(&store, &answered[0]);

    let reason = fill(&store, &mut answered);

    assert!(reason.contains("full"), "{reason}");
    assert!(answered.len() > 50, "{}", answered.len());
    for _ in 0..3 {
        let refused = wait(store.create_user(viewer("one-more"))).unwrap_err();
        assert!(
            matches!(refused, StoreError::Unavailable { .. }),
            "{refused:?}"
        );
        assert_eq!(wait(store.users(None, usize::MAX)).unwrap(), answered);
    }
    let backup = store.backup(&home.join("backup.db"));
    assert!(backup.is_err());
    drop(store);

    // The file is whole, whatever else is on its disk; and with room everything works again.
    let store = Embedded::open(&path);
    if let Err(error) = &store {
        assert!(matches!(error, OpenError::DiskFull { .. }), "{error:?}");
    }
    drop(store);
    make_room(home);
    let store = Embedded::open(&path).unwrap();
    assert_eq!(wait(store.users(None, usize::MAX)).unwrap(), answered);
    heals_without_a_restart(home, &store, &mut answered);
}

fn heals_without_a_restart(home: &Path, store: &Embedded, answered: &mut Vec<UserRecord>) {
    let ballast = home.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 1024]).is_ok() {}
    fill(store, answered);

    std::fs::remove_file(&ballast).unwrap();
    drop(file);

    let user = viewer("after");
    recorded_now(store, &user);
    answered.push(user);
    assert_eq!(wait(store.users(None, usize::MAX)).unwrap(), *answered);
}

/// Adds users until one is refused; answers why.
fn fill(store: &Embedded, answered: &mut Vec<UserRecord>) -> String {
    loop {
        let mut user = viewer(&format!("user{}", answered.len()));
        user.password = "x".repeat(1500);
        match wait(store.create_user(user.clone())) {
            Ok(_) => answered.push(user),
            Err(StoreError::Unavailable { reason, .. }) => return reason,
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn make_room(home: &Path) {
    let mount = Command::new("mount")
        .args(["-o", "remount,size=4m"])
        .arg(home)
        .status();
    assert!(mount.unwrap().success());
}

fn recorded_now(store: &Embedded, user: &UserRecord) {
    wait(recorded(store.create_user(user.clone())));
}
