//! What a reload applies and what needs a restart: the same in the code and in the manual, for every key.

use std::collections::BTreeSet;

use super::documents::{MANUAL, World, all_in_use, alternatives_in_use};
use crate::config::{Becomes, Changes, Config, FIXED, Route};

/// A key with another value, in the whole text.
struct Changed {
    /// With its section.
    key: String,
    text: String,
}

/// The text with one value after the other exchanged for another that might be written there.
fn changed(text: &str) -> Vec<Changed> {
    let lines: Vec<_> = text.lines().collect();
    let mut section = String::new();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
        }
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        for value in others(value) {
            let mut new = lines.clone();
            let line = format!("{key} = {value}");
            new[at] = &line;
            all.push(Changed {
                key: format!("{section}.{}", key.trim()),
                text: new.join("\n"),
            });
        }
    }
    all
}

fn others(value: &str) -> Vec<String> {
    let mut others = vec![
        value.replacen("true", "false", 1),
        value.replacen("false", "true", 1),
        value.replacen("X-", "X-Other-", 1),
    ];
    let digits: Vec<_> = value.match_indices(|c: char| c.is_ascii_digit()).collect();
    for (at, digit) in digits {
        let next = (digit.parse::<u8>().unwrap() + 1) % 10;
        others.push(format!("{}{next}{}", &value[..at], &value[at + 1..]));
    }
    for (at, _) in value.match_indices('"').skip(1) {
        others.push(format!("{}x{}", &value[..at], &value[at..]));
    }
    for (one, other) in [
        ("text", "json"),
        ("json", "text"),
        ("EdDSA", "ES256"),
        ("least_busy", "round_robin"),
        ("viewer", "admin"),
        ("optional", "required"),
        ("required", "optional"),
        ("info", "debug"),
    ] {
        others.push(value.replacen(one, other, 1));
    }
    others.retain(|other| other != value);
    others
}

fn between(old: &Config, new: &Config) -> Changes {
    let names = |routes: &[Route]| {
        let names = routes.iter().map(|route| format!("{:?}", route.place));
        names.collect()
    };
    Changes::between(old, new, names)
}

/// What of [`FIXED`] a key belongs to.
fn fixed(key: &str) -> Option<&'static str> {
    let is_in = |fixed: &&str| key == *fixed || key.starts_with(&format!("{fixed}."));
    FIXED.into_iter().find(is_in)
}

#[test]
fn every_key_is_applied_by_a_reload_or_named_as_one_that_needs_a_restart() {
    let world = World::new();
    let (mut live, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for text in [all_in_use(), alternatives_in_use()] {
        let old = world.parse("old", &text).unwrap();
        assert!(between(&old, &old).is_empty());
        for changed in changed(&text) {
            let Ok(new) = world.parse("new", &changed.text) else {
                continue;
            };
            // Another way to write the same.
            if format!("{old:?}") == format!("{new:?}") {
                continue;
            }
            let changes = between(&old, &new);
            let key = changed.key;
            if let Some(fixed) = fixed(&key) {
                assert!(changes.fixed.contains(&fixed), "{key}: {changes:?}");
                refused.insert(fixed);
            } else {
                assert_eq!(changes.fixed, [""; 0], "{key}");
                assert!(!changes.live.is_empty(), "{key}");
                live.insert(key);
            }
        }
    }
    assert_eq!(refused, BTreeSet::from(FIXED));
    assert!(live.len() > 80, "only {} keys were tried", live.len());
}

#[test]
fn the_manual_names_what_needs_a_restart() {
    let (_, from) = MANUAL.split_once("\n## Changes while it runs\n").unwrap();
    let (page, _) = from.split_once("\n## ").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = rows.flat_map(|row| {
        let (keys, _) = row.split_once(" | ").unwrap();
        keys.split(", ").map(|key| key.trim_matches('`'))
    });
    let sections = named.map(|key| match key.strip_prefix('[') {
        Some(section) => section.replacen("] ", ".", 1).replace(']', ""),
        None => key.to_owned(),
    });
    let named: BTreeSet<_> = sections.collect();
    assert_eq!(named, FIXED.into_iter().map(str::to_owned).collect());
}

#[test]
fn a_route_is_the_same_wherever_it_stands_in_the_file() {
    let world = World::new();
    let route = |path: &str| format!("[[routes]]\npath = '{path}'\nupstream = 'b'\n");
    let upstream = |name: &str| format!("[upstreams.{name}]\nservers = ['http://127.0.0.1:9']\n");
    let file = |parts: &[String]| world.parse("file", &parts.concat()).unwrap();
    let old = file(&[upstream("b"), route("/one"), route("/two")]);
    let moved = file(&[upstream("a"), upstream("b"), route("/two"), route("/one")]);

    let changes = between(&old, &moved).live;

    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].to_string(), "[upstreams.a] added");
    assert_eq!(changes[0].how, Becomes::Added);
    let elsewhere = route("/one").replace("'b'", "'a'");
    let other = file(&[upstream("a"), upstream("b"), route("/two"), elsewhere]);
    assert_eq!(between(&moved, &other).live.len(), 1);
}
