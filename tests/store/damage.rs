//! A damaged file gives an error or what was written, never a panic and never something else.

use std::path::Path;

use dariet_gateway::store::{Embedded, OpenError, Store, UserRecord};

use crate::support::{Made, admin, given, given_keys, key, viewer, wait};

struct Original {
    bytes: Vec<u8>,
    users: Vec<UserRecord>,
}

/// A file as a stopped gateway leaves it (or a killed one, whose file still says that it is in use).
fn original(path: &Path, is_killed: bool) -> Original {
    let store = Embedded::open(path).unwrap();
    let made: Made = store.clone();
    let mut users = vec![admin("ada")];
    users.extend((0..40).map(|n| viewer(&format!("user{n}"))));
    for user in &users {
        wait(given(&made, &[user]));
        wait(given_keys(&made, &[&key(user, "k")]));
    }
    let bytes = std::fs::read(path).unwrap();
    drop((made, store));
    let bytes = if is_killed {
        bytes
    } else {
        std::fs::read(path).unwrap()
    };
    Original { bytes, users }
}

/// Whether the file was still good. It panics where the store shows what was never written.
fn open_damaged(path: &Path, bytes: &[u8], users: &[UserRecord]) -> bool {
    std::fs::write(path, bytes).unwrap();
    match Embedded::open(path) {
        Ok(store) => {
            assert_eq!(wait(store.users(None, 999)).unwrap(), users);
            true
        }
        Err(OpenError::InUse { .. }) => panic!("a damaged file is not in use"),
        Err(_) => false,
    }
}

fn flip_in_many_places(is_killed: bool) {
    let home = tempfile::tempdir().unwrap();
    let Original { bytes, users } = original(&home.path().join("store.db"), is_killed);
    let damaged = home.path().join("damaged.db");
    assert!(open_damaged(&damaged, &bytes, &users));

    // The header densely, then a place in every eighth of a page.
    let header = (0..320).step_by(5);
    let pages = (320..bytes.len()).step_by(509);
    let mut noticed = 0;
    for (turn, place) in header.chain(pages).enumerate() {
        let mut flipped = bytes.clone();
        flipped[place] ^= [0x01, 0x80, 0xff][turn % 3];
        noticed += usize::from(!open_damaged(&damaged, &flipped, &users));
    }
    assert!(noticed > 10, "{noticed}");
}

#[test]
fn a_flipped_byte_is_noticed_or_harmless() {
    flip_in_many_places(false);
}

#[test]
fn a_flipped_byte_after_a_crash_is_noticed_or_harmless() {
    flip_in_many_places(true);
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let Original { bytes, users } = original(&home.path().join("store.db"), false);
    let damaged = home.path().join("damaged.db");

    for length in (0..bytes.len()).step_by(1021) {
        let is_good = open_damaged(&damaged, &bytes[..length], &users);
        assert!(!is_good, "cut at {length} of {}", bytes.len());
    }
}

#[test]
fn a_page_of_zeros_is_noticed_or_harmless() {
    let home = tempfile::tempdir().unwrap();
    let Original { bytes, users } = original(&home.path().join("store.db"), false);
    let damaged = home.path().join("damaged.db");

    for page in 0..bytes.len() / 4096 {
        let mut zeroed = bytes.clone();
        zeroed[page * 4096..(page + 1) * 4096].fill(0);
        open_damaged(&damaged, &zeroed, &users);
    }
}
