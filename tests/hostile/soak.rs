//! The short form of `benches/soak.py`: good and hostile clients together.

use std::process::{Command, Stdio};

#[test]
fn a_gateway_holds_up_under_good_and_hostile_clients_and_tells_nothing() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/soak.py");

    // Each of its waits ends, and so does it.
    let soak = Command::new("python3")
        .args([script, env!("CARGO_BIN_EXE_dariet-gateway"), "20"])
        .stdin(Stdio::null())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&soak.stdout);
    let failed = String::from_utf8_lossy(&soak.stderr);
    assert!(soak.status.success(), "{said}\n{failed}");
}
