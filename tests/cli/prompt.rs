use std::process::Command;

use crate::world::{House, Ran};

const ADA: &str = "ada@example.com";

/// Creates Ada on a terminal, where these answers are typed at their prompts.
fn create(house: &House, answers: &[&str]) -> Ran {
    let mut python = Command::new("python3");
    python
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/prompt.py"))
        .args(answers)
        .args(["--", env!("CARGO_BIN_EXE_dariet-gateway"), "--config"])
        .arg(house.config())
        .args(["user", "create", ADA, "--name", "Ada"])
        .env_remove("DARIET_CONFIG");
    Ran::of(&mut python, "")
}

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let house = House::new();

    let shown = create(
        &house,
        &["New password: =correct hörse\n", "again: =correct hörse\n"],
    )
    .ok();

    assert!(
        shown.contains("created the viewer ada@example.com"),
        "{shown}"
    );
    assert!(!shown.contains("correct"), "{shown}");
    let _node = house.start();
    assert_eq!(house.log_in(ADA, "correct hörse")["token_type"], "bearer");
}

#[test]
fn two_different_passwords_change_nothing() {
    let house = House::new();
    let ran = create(
        &house,
        &["New password: =correct horse\n", "again: =other\n"],
    );
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("not the same"), "{}", ran.out);
    assert_eq!(house.json(&["user", "list"]), serde_json::json!([]));
}

#[test]
fn ctrl_c_and_ctrl_d_cancel() {
    let house = House::new();
    for typed in ["New password: =half\x03", "New password: =\x04"] {
        let ran = create(&house, &[typed]);
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        assert!(
            ran.out.contains("cancelled; nothing was changed"),
            "{}",
            ran.out
        );
    }
    assert_eq!(house.json(&["user", "list"]), serde_json::json!([]));
}

#[test]
fn the_terminal_shows_what_is_typed_again_afterwards() {
    let house = House::new();
    let mut python = Command::new("python3");
    let program = env!("CARGO_BIN_EXE_dariet-gateway");
    let config = house.config();
    let config = config.display();
    let script = format!(
        "before=$(stty -g); '{program}' --config '{config}' user create {ADA} --name Ada; \
         test \"$before\" = \"$(stty -g)\" && echo as before"
    );
    python
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/prompt.py"))
        .args(["New password: =half\x03", "--", "sh", "-c", &script]);
    assert!(Ran::of(&mut python, "").ok().contains("as before"));
}
