use crate::world::{House, Ran, gateway};

fn run(arguments: &[&str]) -> Ran {
    Ran::of(gateway().args(arguments), "")
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let ada = "ada@example.com";
    for (arguments, said) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["check", "--frob"], "--frob"),
        (&["user", "create", ada], "--name"),
        (
            &["user", "create", "ada", "--name", "Ada"],
            "ada@example.com",
        ),
        (
            &["user", "create", ada, "--name", ""],
            "1 to 200 characters",
        ),
        (
            &["user", "create", ada, "--name", "Ada", "--role", "root"],
            "viewer",
        ),
        (&["user", "update", ada], "--active"),
        (&["user", "update", ada, "--active", "maybe"], "maybe"),
        (
            &[
                "user",
                "update",
                ada,
                "--password-stdin",
                "--generate-password",
            ],
            "cannot be used with",
        ),
        (
            &[
                "user",
                "create",
                ada,
                "--name",
                "Ada",
                "--password-stdin",
                "--generate-password",
            ],
            "cannot be used with",
        ),
        (&["user", "delete", "12"], "ada@example.com"),
        (
            &["key", "create", ada, "--name", "ci", "--expires-at", "soon"],
            "2026-03-18T10:00:00",
        ),
        (&["key", "revoke", "dk_0123"], "UUID"),
        (
            &["signing-key", "create", "a.pem", "--algorithm", "RS256"],
            "ES256",
        ),
        (&["demo", "--listen", "localhost"], "--listen"),
    ] {
        let said_so = run(arguments).failed(2);
        assert!(said_so.contains(said), "{arguments:?}: {said_so}");
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let help = run(&[]).failed(2);
    assert!(help.contains("Examples:"), "{help}");
}

#[test]
fn help_teaches_by_example() {
    let top = run(&["--help"]).ok();
    assert!(top.contains("dariet-gateway demo"), "{top}");
    assert!(top.contains("Exit codes: 0 done"), "{top}");
    assert!(top.contains("DARIET_CONFIG"), "{top}");
    for command in [
        "serve",
        "check",
        "demo",
        "user create",
        "user list",
        "user update",
        "user delete",
        "key create",
        "key list",
        "key revoke",
        "signing-key create",
        "store backup",
        "store restore",
    ] {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = run(&words).ok();
        assert!(help.contains("Example"), "{help}");
        assert!(
            help.contains(&format!("\n  dariet-gateway {command}")),
            "{help}"
        );
    }
}

#[test]
fn the_configuration_is_found_by_the_environment_too() {
    let house = House::new();
    let mut check = gateway();
    check.arg("check").env("DARIET_CONFIG", house.config());
    assert!(
        Ran::of(&mut check, "")
            .ok()
            .contains("gateway.toml is right")
    );
}

#[test]
fn where_there_is_no_configuration_the_way_out_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let mut serve = gateway();
    let missing = empty.path().join("missing.toml");
    serve.arg("serve").env("DARIET_CONFIG", missing);
    let said = Ran::of(&mut serve, "").failed(78);
    assert!(said.contains("missing.toml"), "{said}");
    assert!(said.contains("--config"), "{said}");
}
