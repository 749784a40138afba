use std::path::Path;

use proptest::prelude::*;

use super::parse;
use crate::config::{Colour, Config, Environment};

/// Files and what is said of them: the text of a file, `---`, what it renders to; `===` between two.
const CASES: &str = include_str!("mistakes.txt");

#[test]
fn each_mistake_is_shown_with_its_place_and_the_way_out() {
    for case in CASES.split("\n===\n") {
        let (text, expected) = case.split_once("\n---\n").unwrap();
        let shown = parse(text).unwrap_err().to_string();
        assert_eq!(shown.trim_end(), expected.trim_end(), "\nof:\n{text}\n");
    }
}

#[test]
fn no_mistake_shows_a_password() {
    let shown = CASES.split("\n===\n").map(|case| {
        let (text, _) = case.split_once("\n---\n").unwrap();
        parse(text).unwrap_err().render(Colour::Ansi)
    });
    assert!(CASES.contains("hunter2"));
    assert!(shown.into_iter().all(|shown| !shown.contains("hunter2")));
}

#[test]
fn colours_are_only_for_terminals() {
    let mistakes = parse("[sever]").unwrap_err();
    assert!(mistakes.render(Colour::Ansi).contains('\u{1b}'));
    assert!(!mistakes.render(Colour::Never).contains('\u{1b}'));
}

#[test]
fn a_file_that_cannot_be_read_is_one_mistake() {
    let mistakes =
        Config::read(Path::new("/does/not/exist.toml"), &Environment::new()).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "error: the configuration cannot be read: No such file or directory (os error 2)\n--> /does/not/exist.toml\n = help: name a TOML file with --config or DARIET_CONFIG"
    );
}

#[test]
fn a_file_without_end_is_refused() {
    let mistakes = Config::read(Path::new("/dev/zero"), &Environment::new()).unwrap_err();
    let first = mistakes.iter().next().unwrap();
    assert_eq!(
        first.message(),
        "the configuration cannot be read: it has more than 1 MiB"
    );
}

#[test]
fn a_password_file_holds_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let said = |content: &[u8]| {
        std::fs::write(folder.path().join("pw"), content).unwrap();
        let text = "[sessions]\nissuer = 'https://a.example'\n[mail]\nurl = 'smtps://a@b'\n\
                    from = 'a@b.example'\npassword_file = 'pw'";
        let read = Config::parse(text, "gateway.toml", folder.path(), &Environment::new());
        let said = read
            .err()
            .map(|mistakes| mistakes.iter().next().unwrap().message().to_owned());
        said.unwrap_or_default()
    };

    assert_eq!(said(b"secret\r\n"), "");
    assert_eq!(
        said(b"\n"),
        "[mail] password_file \"pw\" holds no password: it is empty"
    );
    assert_eq!(
        said(b"one\ntwo\n"),
        "[mail] password_file \"pw\" holds more than one line"
    );
    assert!(said(b"\xff").starts_with("[mail] password_file \"pw\" cannot be read: "));
    assert!(said(&[b'a'; 5000]).ends_with("it has more than 4096 bytes"));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}") {
        let _ = parse(&text).map_err(|mistakes| mistakes.to_string());
    }

    #[test]
    fn no_nearly_valid_text_breaks_the_reader(
        case in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        patch in "[\\[\\]{}=\"'#.,$\n\r\t\u{feff}é0-9a-z:/@%-]{0,6}",
        skip in 0usize..12,
    ) {
        let reference = include_str!("../../../config/gateway.toml").replace("\n#", "\n");
        let texts: Vec<&str> = CASES.split("\n===\n").chain([reference.as_str()]).collect();
        let text = texts[case.index(texts.len())];
        let at = text.floor_char_boundary(cut.index(text.len()));
        let behind = text.ceil_char_boundary((at + skip).min(text.len()));
        let text = format!("{}{patch}{}", &text[..at], &text[behind..]);
        let _ = parse(&text).map_err(|mistakes| mistakes.render(Colour::Ansi));
    }
}
