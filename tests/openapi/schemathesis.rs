//! Schemathesis reads the document and calls every endpoint with what it makes of it: what fits, and what
//! does not. No answer is 500, none has a status or a shape that the document does not know.
//!
//! It runs for a few seconds. `DARIET_SCHEMATHESIS_EXAMPLES=500` makes it a longer run.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::setup::Setup;
use crate::support::world::World;

/// How many calls of each kind it makes up for each endpoint.
const EXAMPLES: &str = "25";

/// What is held against the document.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,\
    allow_header_conformance,ignored_auth";

/// It would log itself out in the middle, and in sequences change the user whose session it has.
const AS_SOMEBODY: [&str; 4] = [
    "--exclude-operation-id",
    "logOut",
    "--phases",
    "examples,coverage,fuzzing",
];

/// TRACE is done nowhere, and so it is 501 (RFC 9110 §15.6.2) and not 405.
const SETTINGS: &str = r#"
[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
"#;

#[tokio::test]
async fn schemathesis_finds_nothing_as_an_administrator() {
    let world = world().await;
    run(&world, Some(&world.administrator().token), &AS_SOMEBODY);
    assert!(answered(&world, "POST", "/api/auth/users", 201) > 0);
    assert!(answered(&world, "GET", "/api/auth/users", 200) > 0);
}

#[tokio::test]
async fn schemathesis_finds_nothing_as_a_viewer() {
    let world = world().await;
    let user = world.new_user("grace", "viewer").await;
    run(&world, Some(&user.token), &AS_SOMEBODY);
    assert!(answered(&world, "GET", "/api/auth/me", 200) > 0);
    assert!(answered(&world, "POST", "/api/api-keys", 201) > 0);
    assert!(answered(&world, "POST", "/api/auth/users", 403) > 0);
}

/// With a key that may do what its owner may, and the calls in an order that has a meaning: what one made
/// is what the next one changes and deletes. The owner is not the only administrator.
#[tokio::test]
async fn schemathesis_finds_nothing_in_sequences_of_calls() {
    let world = world().await;
    let second = world.new_user("ada", "admin").await;
    let key = world.new_key(&second).await;
    run(&world, Some(&key.key), &["--phases", "stateful"]);
}

#[tokio::test]
async fn schemathesis_finds_nothing_without_a_credential() {
    let world = world().await;
    run(&world, None, &[]);
}

/// How often a call was answered so. What was tried was tried with a credential that worked, at least
/// until it had changed its own user.
fn answered(world: &World, method: &str, path: &str, status: u16) -> usize {
    let lines = world.node().access.json();
    let is_it = |line: &&Value| {
        line["method"] == method && line["path"] == path && line["status"] == status
    };
    lines.iter().filter(is_it).count()
}

async fn world() -> World {
    // A flood of hashes would be answered with 503, which it would take for a fault.
    let setup = Setup::new()
        .plain()
        .toml("[api_keys]\nmay_manage = true\nmax_per_user = 10000");
    setup.start().await
}

#[expect(
    clippy::print_stdout,
    reason = "the summary is for whoever runs the tests"
)]
fn run(world: &World, credential: Option<&str>, more: &[&str]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = program.join("target/test-venv/bin/schemathesis");
    let examples = std::env::var("DARIET_SCHEMATHESIS_EXAMPLES");
    let examples = examples.unwrap_or_else(|_| EXAMPLES.to_owned());
    let folder = world.config().parent().unwrap();
    std::fs::write(folder.join("schemathesis.toml"), SETTINGS).unwrap();
    let document = format!("http://{}/api/auth/openapi.json", world.http());
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.join("hypothesis"))
        .env("NO_COLOR", "1")
        .args([
            "run",
            &document,
            "--checks",
            CHECKS,
            "--max-examples",
            &examples,
        ])
        .args(["--seed", "1", "--continue-on-failure", "--warnings", "off"])
        .args(["--request-timeout", "20", "--suppress-health-check", "all"])
        .args(more);
    if let Some(credential) = credential {
        command.args(["--header", &format!("Authorization: Bearer {credential}")]);
    }
    let done = command.output();
    let done = done.expect("schemathesis is missing; run tests/setup");
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}");
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{why}");
    assert!(said.contains("No issues found"), "{said}\n{why}");
}
