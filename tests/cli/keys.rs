use serde_json::json;

use crate::world::{House, curl};

const ADA: &str = "ada@example.com";

#[test]
fn keys_live_and_go_while_no_node_runs() {
    let house = House::new();
    house.user("ada", "viewer");
    keys_live_and_go(&house);
}

#[test]
fn keys_live_and_go_while_a_node_runs() {
    let house = House::new();
    let _node = house.start();
    house.user("ada", "viewer");
    keys_live_and_go(&house);
}

fn keys_live_and_go(house: &House) {
    let ran = house.run(&["key", "create", ADA, "--name", "ci"]);
    assert!(ran.err.contains("shown only now"), "{}", ran.err);
    let key = ran.ok();
    assert!(
        key.starts_with("dk_") && key.len() == 51,
        "only the key is printed: {key}"
    );

    let other = [
        "key",
        "create",
        ADA,
        "--name",
        "b",
        "--expires-at",
        "2100-01-01T01:00:00+01:00",
    ];
    let other = house.json(&other);
    assert_eq!(other["expires_at"], "2100-01-01T00:00:00");
    let id = other["id"].as_str().unwrap();

    let listed = house.run(&["key", "list", ADA]).ok();
    assert!(listed.starts_with("KEY "), "{listed}");
    assert!(
        listed.contains(&key[..11]) && !listed.contains(&key),
        "{listed}"
    );
    assert!(listed.contains("never"), "{listed}");

    house.run(&["key", "revoke", id]).ok();
    house.run(&["key", "revoke", id]).ok();
    let left = house.json(&["key", "list", ADA]);
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["name"], "ci");
    assert_eq!(left[0]["last_used_at"], json!(null));
}

#[test]
fn a_key_works_until_it_is_revoked() {
    let house = House::new();
    house.user("ada", "viewer");
    let made = house.json(&["key", "create", ADA, "--name", "ci"]);
    let header = format!("X-API-Key: {}", made["key"].as_str().unwrap());
    let _node = house.start();
    let me = || curl(&[&house.url("/api/auth/me"), "-H", &header]);

    assert_eq!(me()["email"], ADA);
    house
        .run(&["key", "revoke", made["id"].as_str().unwrap()])
        .ok();
    assert_eq!(me()["code"], "key_revoked");
}

#[test]
fn what_cannot_be_done_is_told() {
    let house = House::new();
    house.user("ada", "viewer");
    let past = ["--expires-at", "2020-01-01T00:00:00"];
    for (command, part) in [
        (
            [&["key", "create", ADA, "--name", "old"], &past[..]].concat(),
            "expires_at must be in the future",
        ),
        (
            vec!["key", "list", "eve@example.com"],
            "there is no user eve@example.com",
        ),
        (
            vec!["key", "revoke", "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77"],
            "not_found: ",
        ),
    ] {
        let said = house.run(&command).failed(1);
        assert!(said.contains(part), "{command:?}: {said}");
    }
}
