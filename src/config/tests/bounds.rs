//! The bounds that SECURITY.md promises are those that hold.

use std::fs;
use std::path::Path;

use super::documents::reference;

const SECURITY: &str = include_str!("../../../SECURITY.md");

#[test]
fn every_bound_that_is_promised_is_the_one_that_holds() {
    let settings = reference();
    let (mut set, mut fixed) = (0, 0);
    for row in SECURITY.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let [_, bound, place] = cells[..] else {
            continue;
        };
        if let Some(setting) = place.strip_prefix("`[") {
            let (section, key) = setting.trim_end_matches('`').split_once("] ").unwrap();
            let path = format!("{section}.{key}");
            let value = bound.trim_matches('`').to_owned();
            let quoted = format!("{value:?}");
            let holds = |value: String| settings.contains(&(path.clone(), Some(value)));
            assert!(holds(value) || holds(quoted), "{path} is not {bound}");
            set += 1;
        } else if let Some((file, name)) = place.split_once("` `") {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file.trim_start_matches('`'));
            let source = fs::read_to_string(file).unwrap();
            let name = name.trim_end_matches('`');
            assert_eq!(constant(&source, name), number(bound), "{name}");
            fixed += 1;
        }
    }
    assert!(set > 20 && fixed > 10, "{set} and {fixed} rows were held");
}

/// The value of a constant, which is a product of numbers, or a span in milliseconds.
fn constant(source: &str, name: &str) -> u64 {
    let (_, from) = source.split_once(&format!("const {name}: ")).unwrap();
    let (_, from) = from.split_once(" = ").unwrap();
    let (value, _) = from.split_once(';').unwrap();
    let span = value.strip_prefix("Duration::from_millis(");
    let value = span.map_or(value, |span| span.trim_end_matches(')'));
    let factors = value.replace('_', "");
    let factors = factors
        .split('*')
        .map(|factor| factor.trim().parse::<u64>());
    factors.map(Result::unwrap).product()
}

/// A number, a size in KiB, or a span in milliseconds.
fn number(text: &str) -> u64 {
    let text = text.trim_end_matches(" ms");
    match text.strip_suffix(" KiB") {
        Some(size) => size.parse::<u64>().unwrap() * 1024,
        None => text.parse().unwrap(),
    }
}
