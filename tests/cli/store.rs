use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::world::House;

const ADA: &str = "ada@example.com";

#[test]
fn a_backup_is_taken_while_no_node_runs_and_restored() {
    let house = House::new();
    house.user("ada", "admin");
    let key = house.json(&["key", "create", ADA, "--name", "ci"]);
    let id = key["id"].as_str().unwrap();
    house.run(&["store", "backup", "saved.db"]).ok();
    let mode = house
        .path("saved.db")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    house.run(&["key", "revoke", id]).ok();
    house.user("bob", "viewer");

    let kept = house.run(&["store", "restore", "saved.db"]).failed(1);
    assert!(kept.contains("exists already"), "{kept}");
    let restored = house.run(&["store", "restore", "saved.db", "--replace"]);

    assert!(restored.err.contains("users: 1"), "{}", restored.err);
    assert!(
        restored.err.contains("keys that work again: 1"),
        "{}",
        restored.err
    );
    let revived = restored.ok();
    assert!(revived.contains(id) && revived.contains(ADA), "{revived}");
    assert_eq!(house.json(&["user", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(house.json(&["key", "list", ADA])[0]["id"], id);
}

#[test]
fn programs_are_told_which_keys_live_again() {
    let house = House::new();
    house.user("ada", "admin");
    let key = house.json(&["key", "create", ADA, "--name", "ci"]);
    house.run(&["store", "backup", "saved.db"]).ok();
    let told = house.json(&["store", "restore", "saved.db", "--replace"]);
    let expected = json!({"users": 1, "keys": [{
        "id": key["id"], "name": "ci", "key_prefix": key["key_prefix"], "owner": ADA,
    }]});
    assert_eq!(told, expected);
}

#[test]
fn a_backup_is_taken_while_a_node_runs_but_nothing_is_restored_under_it() {
    let house = House::new();
    house.user("ada", "admin");
    let node = house.start();

    house.run(&["store", "backup", "saved.db"]).ok();
    let twice = house.run(&["store", "backup", "saved.db"]).failed(1);
    assert!(twice.contains("exists already"), "{twice}");
    let under = house
        .run(&["store", "restore", "saved.db", "--replace"])
        .failed(1);
    assert!(under.contains("is in use"), "{under}");
    assert!(under.contains("stop the gateway first"), "{under}");

    node.stop();
    house
        .run(&["store", "restore", "saved.db", "--replace"])
        .ok();
    assert_eq!(house.json(&["user", "list"])[0]["email"], ADA);
}

#[test]
fn there_must_be_something_to_save() {
    let house = House::new();
    let said = house.run(&["store", "backup", "saved.db"]).failed(1);
    assert!(said.contains("there is no store at"), "{said}");
    assert!(!house.path("data").exists());
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let house = House::new();
    let said = house.run(&["store", "restore", "gateway.toml"]).failed(1);
    assert!(said.contains("gateway.toml"), "{said}");
    let said = house.run(&["store", "restore", "none.db"]).failed(1);
    assert!(said.contains("none.db"), "{said}");
}
