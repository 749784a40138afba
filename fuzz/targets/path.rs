//! The normal form of a path: what was refused stays refused, what was taken is normal.

#![no_main]

use dariet_gateway::http::NormalPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let Ok(path) = NormalPath::parse(raw) else {
        return;
    };
    let normal = path.as_str();
    assert!(normal.starts_with('/'));
    assert!(!normal.contains("//") && !normal.contains('\\'));
    assert!(
        !normal
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
    );
    let again = NormalPath::parse(normal).expect("a normal path is normal");
    assert_eq!(again.as_str(), normal);
    assert!(path.is_below(""));
    // What is below a prefix has it, however a backend decodes it.
    if path.is_below("/admin") && !normal.contains(['%', ';']) {
        assert!(normal == "/admin" || normal.starts_with("/admin/"));
    }
});
