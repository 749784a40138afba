use std::os::unix::fs::{MetadataExt, chown};
use std::process::{Command, Stdio};

use dariet_gateway::domain::{Email, Role, Timestamp, UserName};
use dariet_gateway::store::{Embedded, Store, UserRecord};
use serde_json::Value;

use crate::world::{House, Ran};

const ADA: &str = "ada@example.com";

#[test]
fn users_live_and_go_while_no_node_runs() {
    let house = House::new();
    users_live_and_go(&house);
}

#[test]
fn users_live_and_go_while_a_node_runs() {
    let house = House::new();
    let node = house.start();
    users_live_and_go(&house);
    assert_eq!(node.stop(), Some(0));
}

fn users_live_and_go(house: &House) {
    let made = house.user("ada", "admin");
    assert_eq!(made.len(), 23, "only the password is printed: {made:?}");
    house.user("bob", "viewer");

    let changes = ["--name", "Robert", "--role", "admin", "--active", "false"];
    let update = [&["user", "update", "BOB@example.com"], &changes[..]].concat();
    house.run(&update).ok();

    let listed = house.run(&["user", "list"]).ok();
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[0].starts_with("EMAIL "), "{listed}");
    assert!(lines[1].starts_with("ada@example.com  ada     admin  yes "));
    assert!(lines[2].starts_with("bob@example.com  Robert  admin  no "));
    let users = house.json(&["user", "list"]);
    let bob = users[1]["id"].as_str().unwrap();
    assert_eq!(users[1]["is_active"], false);

    house.run(&["user", "delete", bob]).ok();
    let gone = house.run(&["user", "delete", bob]).failed(1);
    assert!(gone.contains(&format!("there is no user {bob}")), "{gone}");
    assert_eq!(house.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn what_the_gateway_refuses_is_told_by_its_code_and_in_words() {
    let house = House::new();
    house.user("ada", "admin");
    let create = ["user", "create", ADA, "--name", "Ada"];
    for (command, part) in [
        (
            &create[..],
            "email_taken: Another user has this email address",
        ),
        (&["user", "delete", ADA], "last_admin: "),
        (&["user", "update", ADA, "--role", "viewer"], "last_admin: "),
        (
            &["user", "delete", "eve@example.com"],
            "there is no user eve@example.com",
        ),
    ] {
        let said = house.run(command).failed(1);
        assert!(said.contains(part), "{command:?}: {said}");
        assert!(said.starts_with("dariet-gateway: "), "{said}");
    }
    let weak = [&create[..], &["--password-stdin"]].concat();
    let said = house.run_with_input(&weak, "short").failed(1);
    assert!(
        said.contains("password must have at least 8 characters"),
        "{said}"
    );
}

#[test]
fn a_password_comes_from_standard_input_exactly() {
    let house = House::new();
    let create = ["user", "create", ADA, "--name", "Ada", "--password-stdin"];
    let printed = house.run_with_input(&create, " correct horse \n").ok();
    assert_eq!(printed, "", "a chosen password is not repeated");

    let _node = house.start();
    assert_eq!(house.log_in(ADA, " correct horse ")["token_type"], "bearer");
    assert_eq!(house.log_in(ADA, "correct horse")["code"], "login_failed");

    let update = ["user", "update", ADA, "--password-stdin"];
    house.run_with_input(&update, "battery staple").ok();
    assert_eq!(house.log_in(ADA, "battery staple")["token_type"], "bearer");

    let empty = house.run_with_input(&update, "\n").failed(1);
    assert!(empty.contains("it is empty"), "{empty}");
}

#[test]
fn a_made_password_works_and_programs_get_it_too() {
    let house = House::new();
    let create = [
        "user",
        "create",
        ADA,
        "--name",
        "Ada",
        "--generate-password",
    ];
    let made = house.json(&create);
    assert_eq!(made["email"], ADA);
    let update = ["user", "update", ADA, "--generate-password"];
    let again = house.run(&update).ok();
    assert_ne!(made["password"], again.as_str());

    let _node = house.start();
    let old = house.log_in(ADA, made["password"].as_str().unwrap());
    assert_eq!(old["code"], "login_failed");
    assert_eq!(house.log_in(ADA, &again)["user"]["email"], ADA);
}

#[test]
fn a_command_that_answers_nothing_prints_nothing_for_programs() {
    let house = House::new();
    house.user("ada", "admin");
    house.user("bob", "viewer");
    let ran = house.run(&["--json", "user", "delete", "bob@example.com"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), "", "")
    );
}

#[test]
fn a_password_is_only_asked_for_where_somebody_sits() {
    let house = House::new();
    house.user("ada", "admin");
    let said = house
        .run(&["user", "update", ADA, "--ask-password"])
        .failed(1);
    assert!(said.contains("--password-stdin"), "{said}");
}

#[test]
fn every_user_is_listed_and_found_however_many_there_are() {
    let house = House::new();
    let store = Embedded::open(&house.path("data/gateway.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for number in 0..1001 {
        let written = runtime.block_on(store.create_user(user(number)));
        // Nobody is admitted yet who must hear of it.
        let _ = written.unwrap();
    }
    drop(store);

    let listed = house.json(&["user", "list"]);
    let emails = listed.as_array().unwrap().iter();
    let emails: Vec<_> = emails.filter_map(|user| user["email"].as_str()).collect();
    let expected: Vec<_> = (0..1001)
        .map(|number| format!("u{number}@example.com"))
        .collect();
    assert_eq!(emails, expected);
    house.run(&["user", "delete", "U1000@EXAMPLE.COM"]).ok();
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let house = House::new();
    house.user("ada", "admin");
    let mut list = house.command(&["user", "list"]);
    let mut list = list
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(list.stdout.take());
    let ran = Ran::from(list.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn root_makes_no_store_that_the_gateway_could_not_open() {
    let house = House::new();
    let data = house.path("data");
    std::fs::create_dir(&data).unwrap();
    if std::fs::metadata(&data).unwrap().uid() != 0 {
        // Only root can give a folder away.
        return;
    }
    chown(&data, Some(12345), None).unwrap();

    let create = ["user", "create", ADA, "--name", "Ada"];
    let said = house.run(&create).failed(1);

    assert!(said.contains("sudo -u '#12345'"), "{said}");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
}

#[test]
fn a_password_is_on_no_command_line_and_in_no_log() {
    let house = House::new();
    let node = house.start();
    let made = house.user("ada", "admin");
    house.log_in(ADA, &made);
    node.stop();
    let grep = Command::new("grep")
        .args(["-r", &made])
        .arg(house.path(""))
        .output();
    assert_eq!(Ran::from(grep.unwrap()).failed(1), "");
}

fn user(number: usize) -> UserRecord {
    let role = if number == 0 {
        Role::Admin
    } else {
        Role::Viewer
    };
    let email = Email::parse(&format!("u{number}@example.com")).unwrap();
    let name = UserName::parse("Somebody").unwrap();
    UserRecord::new(email, name, role, Timestamp::from_secs(1_773_828_000))
}

#[test]
fn json_has_the_shape_of_the_api() {
    let house = House::new();
    house.user("ada", "admin");
    let users = house.json(&["user", "list"]);
    let Value::Object(ada) = &users[0] else {
        unreachable!("a user is an object")
    };
    let names: Vec<_> = ada.keys().map(String::as_str).collect();
    let expected = ["created_at", "email", "id", "is_active", "name", "role"];
    assert_eq!(names, expected);
}
