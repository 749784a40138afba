//! The modules of `src/lib.rs` are layers, lowest first: each imports only what stands before it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

/// Modules that stand side by side: neither imports the other, whatever their order.
const APART: [[&str; 2]; 1] = [["api", "proxy"]];

/// A place in the sources that names a module of the crate.
struct Import {
    file: PathBuf,
    line: usize,
    from: String,
    to: String,
}

#[test]
fn layers_point_down() {
    let layers = layers();

    let wrong: Vec<_> = imports(&layers)
        .iter()
        .filter(|import| !is_allowed(&layers, &import.from, &import.to))
        .map(|import| {
            let Import {
                file,
                line,
                from,
                to,
            } = import;
            format!("{}:{line}: {from} imports {to}", file.display())
        })
        .collect();

    assert!(wrong.is_empty(), "layers point up:\n{}", wrong.join("\n"));
}

#[test]
fn every_import_is_seen() {
    let layers = layers();
    let seen = |source: &str| named(source, "http/path.rs", &layers);
    for (source, names) in [
        ("use crate::store::Store;", vec!["store"]),
        (
            "use crate::{store::Store, config, Thing};",
            vec!["store", "config"],
        ),
        (
            "use crate::{\n    store::{A, b::C},\n    config,\n};",
            vec!["store", "config"],
        ),
        (
            "fn f(x: crate::domain::Role) -> crate::auth::X {}",
            vec!["domain", "auth"],
        ),
        ("pub use crate::store as other;", vec!["store"]),
        ("    use super::super::store::Store;", vec!["store"]),
        ("use super::store::Store;", vec![]),
        ("// use crate::store::Store;", vec![]),
        ("/// See [`crate::store`].", vec![]),
        ("let text = \"a // b\"; crate::store::x();", vec!["store"]),
    ] {
        let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        let found: Vec<_> = seen(source).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, names, "{source}");
    }
    assert!(!is_allowed(&layers, "proxy", "api"));
    assert!(!is_allowed(&layers, "store", "gateway"));
    assert!(is_allowed(&layers, "gateway", "store"));
    assert!(imports(&layers).len() > 100, "the sources were not read");
}

/// The modules in the order of `src/lib.rs`.
fn layers() -> Vec<String> {
    let text = std::fs::read_to_string(sources().join("lib.rs")).unwrap();
    text.lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "))
        .map(|name| name.trim_end_matches(';').to_owned())
        .collect()
}

fn is_allowed(layers: &[String], from: &str, to: &str) -> bool {
    let place = |name: &str| layers.iter().position(|layer| layer == name).unwrap();
    let is_apart = APART
        .iter()
        .any(|pair| from != to && pair.contains(&from) && pair.contains(&to));
    place(to) <= place(from) && !is_apart
}

fn imports(layers: &[String]) -> Vec<Import> {
    let mut files = Vec::new();
    collect(&sources(), &mut files);
    let mut imports = Vec::new();
    for file in files {
        let inside = file.strip_prefix(sources()).unwrap();
        let inside = inside.to_str().unwrap().to_owned();
        let module = inside.split(['/', '.']).next().unwrap().to_owned();
        if !layers.contains(&module) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let shown = Path::new("src").join(&inside);
        for (line, to) in named(&text, &inside, layers) {
            imports.push(Import {
                file: shown.clone(),
                line,
                from: module.clone(),
                to,
            });
        }
    }
    imports
}

/// The modules that a file names, and in which line. `file` is its path within `src`.
fn named(text: &str, file: &str, layers: &[String]) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("//") {
                ""
            } else {
                line
            }
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for root in roots(file) {
        for (at, _) in code.match_indices(&root) {
            let is_whole =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if is_whole {
                for name in first_names(&code[at + root.len()..]) {
                    if layers.contains(&name) {
                        found.push((code[..at].lines().count().max(1), name));
                    }
                }
            }
        }
    }
    found
}

/// The ways to write the root of the crate in this file.
fn roots(file: &str) -> Vec<String> {
    let depth = file.trim_end_matches("/mod.rs").split('/').count();
    vec!["crate::".to_owned(), "super::".repeat(depth)]
}

/// The first names of the paths in `a::b`, or in `{a::b, c}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| -> String {
        path.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = vec![name(group.trim_start())];
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
