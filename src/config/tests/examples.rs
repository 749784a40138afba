//! What the documents show as examples can be used.

use std::fs;
use std::path::{Path, PathBuf};

use super::documents::{MANUAL, World};

#[test]
fn every_toml_in_the_documents_is_valid() {
    let world = World::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut blocks = 0;
    for file in documents(root)
        .into_iter()
        .chain(documents(&root.join("docs")))
    {
        let text = fs::read_to_string(&file).unwrap();
        for block in toml_blocks(&text) {
            world.meaning(&file.display().to_string(), &block);
            blocks += 1;
        }
    }
    assert!(blocks > 0);
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
        .collect()
}

fn toml_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "```toml" {
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            blocks.push(block.map(|line| format!("{line}\n")).collect());
        }
    }
    blocks
}

#[test]
fn the_mistakes_in_the_manual_look_as_they_are_shown() {
    let text = "[server]\nlisten = [\"localhost:8443\"]\nidle_timeout = 75\n\n\
                [upstreams.reports]\nservers = [\"http://10.0.0.5:9000\"]\n\n\
                [[routes]]\npath = \"/reports\"\nupstream = \"report\"\n";
    let shown = World::new()
        .parse("gateway.toml", text)
        .unwrap_err()
        .to_string();
    assert!(MANUAL.contains(text), "{text}");
    assert!(MANUAL.contains(&shown), "{shown}");
}

#[test]
fn the_example_for_production_is_valid_and_gives_no_cause_for_warnings() {
    let world = World::new();
    let text = include_str!("../../../deploy/gateway.toml");

    let config = world.parse("deploy/gateway.toml", text).unwrap();

    assert_eq!(config.warnings(), Vec::<String>::new());
    assert!(!format!("{config:?}").contains("hunter2"));
}
