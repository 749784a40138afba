//! Configuration: any text is either understood or has mistakes that can be shown.

#![no_main]

use std::path::Path;

use dariet_gateway::config::{Colour, Config, Environment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = Config::parse(
        text,
        "gateway.toml",
        Path::new("/nonexistent"),
        &Environment::new(),
    );
    match read {
        Ok(config) => drop(config.summary()),
        Err(mistakes) => {
            assert!(mistakes.iter().len() > 0);
            assert!(!mistakes.render(Colour::Never).is_empty());
        }
    }
});
