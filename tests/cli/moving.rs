use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::world::House;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

#[test]
fn everything_moves_to_another_store_but_the_sessions() {
    let house = House::new();
    let password = house.user("ada", "admin");
    house.user("bob", "viewer");
    house.json(&["user", "update", BOB, "--active", "false"]);
    let kept = house.json(&["key", "create", ADA, "--name", "ci"]);
    let revoked = house.json(&["key", "create", ADA, "--name", "old"]);
    house
        .run(&["key", "revoke", revoked["id"].as_str().unwrap()])
        .ok();
    let users = house.json(&["user", "list"]);

    house.run(&["store", "export", "moved.jsonl"]).ok();
    let other = House::new();
    fs::copy(house.path("moved.jsonl"), other.path("moved.jsonl")).unwrap();
    let told = other.json(&["store", "import", "moved.jsonl"]);

    assert_eq!(told["users"], 2);
    assert_eq!(told["keys"].as_array().unwrap().len(), 1);
    assert_eq!(told["keys"][0]["id"], kept["id"]);
    assert_eq!(other.json(&["user", "list"]), users);
    let node = other.start();
    assert_eq!(other.log_in(ADA, password.trim())["user"]["role"], "admin");
    let id = revoked["id"].as_str().unwrap();
    other.run(&["key", "revoke", id]).ok();
    node.stop();
}

#[test]
fn a_session_from_before_the_move_has_ended() {
    let house = House::new();
    let password = house.user("ada", "admin");
    let node = house.start();
    let token = house.log_in(ADA, password.trim());
    let token = token["access_token"].as_str().unwrap();
    house.run(&["store", "export", "moved.jsonl"]).ok();
    node.stop();

    for name in ["gateway.db", "admin.sock"] {
        let _ = fs::remove_file(house.path("data").join(name));
    }
    house.run(&["store", "import", "moved.jsonl"]).ok();
    let node = house.start();

    let me = house.ask("/api/auth/me", token);
    assert_eq!(me["code"], "session_revoked", "{me}");
    node.stop();
}

#[test]
fn an_export_is_made_while_a_node_runs_and_is_its_owners_alone() {
    let house = House::new();
    house.user("ada", "admin");
    let node = house.start();

    house.run(&["store", "export", "moved.jsonl"]).ok();
    let twice = house.run(&["store", "export", "moved.jsonl"]).failed(1);
    node.stop();

    assert!(twice.contains("exists"), "{twice}");
    let file = house.path("moved.jsonl");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("\"created_at\":\"20"), "{text}");
    let left: Vec<_> = fs::read_dir(house.path(".")).unwrap().collect();
    let left = left.into_iter().map(|it| it.unwrap().file_name());
    assert!(
        !left
            .into_iter()
            .any(|it| it.to_string_lossy().contains("export-"))
    );
}

#[test]
fn what_is_not_a_whole_export_is_refused_by_line_and_leaves_nothing() {
    let house = House::new();
    house.user("ada", "admin");
    house.json(&["key", "create", ADA, "--name", "ci"]);
    house.run(&["store", "export", "moved.jsonl"]).ok();
    let text = fs::read_to_string(house.path("moved.jsonl")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let cases = [
        (String::new(), "is no export"),
        ("[store]\n".to_owned(), "is no export"),
        (lines[..3].join("\n"), "cut short after line 3"),
        (
            [lines[0], lines[1], lines[3]].join("\n"),
            "it has 1 records, and says 2",
        ),
        (
            [lines[0], "{\"user\":{}}", lines[2], lines[3]].join("\n"),
            "line 2",
        ),
        (
            [lines[0], lines[1], "{\"usr\":{}}", lines[3]].join("\n"),
            "line 3",
        ),
        (
            [lines[0], lines[1], lines[1], lines[3]].join("\n"),
            "have the same id",
        ),
        (
            format!("{text}{}", lines[1]),
            "line 5 of it stands after its end",
        ),
        (
            text.replacen("\"format\":1", "\"format\":2", 1),
            "newer version",
        ),
    ];
    for (text, expected) in cases {
        let other = House::new();
        fs::write(other.path("moved.jsonl"), &text).unwrap();
        let said = other.run(&["store", "import", "moved.jsonl"]).failed(1);
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!other.path("data/gateway.db").exists(), "{expected}");
    }
}

#[test]
fn nothing_is_imported_into_a_store_that_holds_something() {
    let house = House::new();
    house.user("ada", "admin");
    house.run(&["store", "export", "moved.jsonl"]).ok();
    let said = house.run(&["store", "import", "moved.jsonl"]).failed(1);
    assert!(said.contains("import into an empty store"), "{said}");
    assert_eq!(house.json(&["user", "list"])[0]["email"], ADA);
}
