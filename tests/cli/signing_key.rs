use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::world::{House, Ran, gateway};

#[test]
fn a_signing_key_is_its_owners_alone_and_what_to_write_is_printed() {
    let house = House::new();
    let listing = house.run(&["signing-key", "create", "keys/next.pem"]).ok();

    let mode = house
        .path("keys/next.pem")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    house.configure(&listing);
    house.run(&["check"]).ok();
    house.start();
}

#[test]
fn a_signing_key_is_never_written_over() {
    let house = House::new();
    house.run(&["signing-key", "create", "key.pem"]).ok();
    let before = std::fs::read(house.path("key.pem")).unwrap();
    let said = house.run(&["signing-key", "create", "key.pem"]).failed(1);
    assert!(said.contains("key.pem"), "{said}");
    assert_eq!(std::fs::read(house.path("key.pem")).unwrap(), before);
}

#[test]
fn the_kind_of_key_is_chosen_and_no_configuration_needed() {
    let folder = tempfile::tempdir().unwrap();
    for (algorithm, curve) in [("EdDSA", "Ed25519"), ("ES256", "P-256"), ("es256", "P-256")] {
        let file = folder.path().join(algorithm);
        let mut create = gateway();
        create.args(["--json", "signing-key", "create", "--algorithm", algorithm]);
        create.arg(&file).current_dir(&folder);
        let made: Value = serde_json::from_str(&Ran::of(&mut create, "").ok()).unwrap();
        assert_eq!(made["jwk"]["crv"], curve);
        assert_eq!(made["jwk"]["kid"], made["kid"]);
        assert!(
            made["jwk"]["d"].is_null(),
            "the private half stays in the file"
        );
    }
}
