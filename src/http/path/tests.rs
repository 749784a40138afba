use proptest::prelude::*;

use super::*;

fn normal(raw: &str) -> Result<String, PathError> {
    NormalPath::parse(raw).map(|path| path.as_str().to_owned())
}

fn decoded(text: &str) -> Vec<u8> {
    let mut reading = Reading::of(text);
    std::iter::from_fn(|| reading.next_decoded()).collect()
}

#[test]
fn spellings_of_one_path_have_one_form() {
    for (raw, form) in [
        ("/", "/"),
        ("//", "/"),
        ("/.", "/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a//b///c/", "/a/b/c/"),
        ("/a/./b/.", "/a/b/"),
        ("/a/%2e/b", "/a/b"),
        ("/a/.%2E/b", "/b"),
        ("/a/%2e%2e/b/", "/b/"),
        ("/.well-known/...", "/.well-known/..."),
        ("/%7euser/%41%2d", "/~user/A-"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%20b|{c}", "/a%20b%7C%7Bc%7D"),
        ("/100%25", "/100%25"),
        ("/100%25/aa", "/100%25/aa"),
        ("/a@b:c,d=e&f+g!$'()*", "/a@b:c,d=e&f+g!$'()*"),
        ("/%40%3f%23", "/%40%3F%23"),
        ("/a;x=1/b;y", "/a;x=1/b;y"),
        ("/a;x/../b", "/b"),
        ("/group%2fproject", "/group%2Fproject"),
    ] {
        assert_eq!(normal(raw).as_deref(), Ok(form), "{raw}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    use PathError::{
        Backslash, Character, EncodedControl, EncodedTwice, Encoding, HiddenDots, LeavesRoot,
        NotAbsolute, Overlong,
    };
    for (raw, error) in [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a/b", NotAbsolute),
        ("/..", LeavesRoot),
        ("/../a", LeavesRoot),
        ("/a/../../b", LeavesRoot),
        ("/%2e%2e/a", LeavesRoot),
        ("//..", LeavesRoot),
        ("/a\\b", Backslash),
        ("/a%5cb", Backslash),
        ("/a%5Cb", Backslash),
        ("/a%00", EncodedControl),
        ("/.%0a./a", EncodedControl),
        ("/a%7f", EncodedControl),
        ("/a#b", Character),
        ("/a?b", Character),
        ("/a b", Character),
        ("/a\tb", Character),
        ("/a\u{7f}", Character),
        ("/café", Character),
        ("/a%", Encoding),
        ("/a%2", Encoding),
        ("/a%2g", Encoding),
        ("/a%2/b", Encoding),
        ("/%252e%252e/", EncodedTwice),
        ("/%25%32%65", EncodedTwice),
        ("/%255c", EncodedTwice),
        ("/%c0%ae%c0%ae/", Overlong),
        ("/%C1%9C", Overlong),
        ("/%e0%80%af", Overlong),
        ("/%f0%80%80%af", Overlong),
        ("/a/..;/b", HiddenDots),
        ("/a/..;x=1/b", HiddenDots),
        ("/a/.;/b", HiddenDots),
        ("/;/admin", HiddenDots),
        ("/%2e%2e;/a", HiddenDots),
        ("/a/..%3bx/b", HiddenDots),
        ("/a/..%2fb", HiddenDots),
        ("/a%2f../b", HiddenDots),
        ("/a%2f%2e%2e%2fb", HiddenDots),
        ("/a%2f.%2fb", HiddenDots),
        ("/a%2f/b", HiddenDots),
        ("/%2fa", HiddenDots),
        ("/a%2f..;x", HiddenDots),
    ] {
        assert_eq!(normal(raw), Err(error), "{raw}");
    }
}

#[test]
fn a_route_chooses_whether_it_takes_parameters_and_encoded_slashes() {
    let check = |raw, parameters, slash| NormalPath::parse(raw)?.check(parameters, slash);
    assert_eq!(check("/a/b", false, false), Ok(()));
    assert_eq!(check("/a;x", false, true), Err(PathError::Parameters));
    assert_eq!(check("/a%3bx", false, true), Err(PathError::Parameters));
    assert_eq!(check("/a;x", true, false), Ok(()));
    assert_eq!(check("/a%2fb", true, false), Err(PathError::EncodedSlash));
    assert_eq!(check("/a%2Fb", false, true), Ok(()));
}

#[test]
fn a_route_is_matched_by_whole_segments() {
    for (raw, prefix, is_below) in [
        ("/", "", true),
        ("/reports", "", true),
        ("/reports", "/reports", true),
        ("/reports/", "/reports", true),
        ("/reports/2026", "/reports", true),
        ("/reportsX", "/reports", false),
        ("/report", "/reports", false),
        ("/Reports", "/reports", false),
        ("/%72eports", "/reports", true),
        ("/reports;x", "/reports", true),
        ("/reports;x/y", "/reports", true),
        ("/reports%3bx", "/reports", true),
        ("/reportsX;reports", "/reports", false),
        ("/reports%2fx", "/reports", true),
        ("/a/reports", "/a/reports", true),
        ("/a;x/reports", "/a/reports", true),
        ("/a%2Freports", "/a/reports", true),
        ("/%40me/x", "/@me", true),
        ("/@me", "/%40me", true),
        ("/caf%c3%a9/x", "/caf%C3%A9", true),
        ("/caf%c3%a8", "/caf%C3%A9", false),
    ] {
        let path = NormalPath::parse(raw).unwrap();
        assert_eq!(path.is_below(prefix), is_below, "{raw} below {prefix}");
    }
}

#[test]
fn the_target_keeps_the_query_and_copies_nothing_that_was_normal() {
    let target = |raw: &'static str| {
        let original = PathAndQuery::from_static(raw);
        let path = NormalPath::parse(original.path()).unwrap();
        path.target(&original).unwrap().to_string()
    };
    assert_eq!(
        target("/a/../b?c=%2e%2e&d#e".split('#').next().unwrap()),
        "/b?c=%2e%2e&d"
    );
    assert_eq!(target("/a?b"), "/a?b");
    assert_eq!(target("/%61"), "/a");
    assert_eq!(target("?b"), "/?b");
    assert!(matches!(
        NormalPath::parse("/a/b%20c/").unwrap().text,
        Cow::Borrowed(_)
    ));
}

proptest! {
    #[test]
    fn no_text_panics(raw in ".*") {
        let _ = NormalPath::parse(&raw);
    }

    #[test]
    fn the_normal_form_is_its_own_normal_form(raw in path()) {
        if let Ok(path) = NormalPath::parse(&raw) {
            prop_assert_eq!(NormalPath::parse(path.as_str()), Ok(path.clone()));
        }
    }

    #[test]
    fn decoding_once_more_finds_no_other_segments(raw in path()) {
        if let Ok(path) = NormalPath::parse(&raw) {
            for text in [path.as_str().as_bytes().to_vec(), decoded(path.as_str())] {
                let text = String::from_utf8_lossy(&text).into_owned();
                let bare: String = text
                    .split_inclusive('/')
                    .map(|segment| match segment.split_once(';') {
                        Some((name, _)) if segment.ends_with('/') => format!("{name}/"),
                        Some((name, _)) => name.to_owned(),
                        None => segment.to_owned(),
                    })
                    .collect();
                for text in [text, bare] {
                    prop_assert!(text.starts_with('/'));
                    prop_assert!(!text.contains("//"), "{}", text);
                    prop_assert!(!format!("{text}/").contains("/./"), "{}", text);
                    prop_assert!(!format!("{text}/").contains("/../"), "{}", text);
                    prop_assert!(!text.contains(['\\', '\0']), "{}", text);
                }
            }
        }
    }

    #[test]
    fn an_accepted_path_makes_a_target(raw in path()) {
        if let (Ok(path), Ok(original)) = (NormalPath::parse(&raw), raw.parse::<PathAndQuery>()) {
            let target = path.target(&original).unwrap();
            prop_assert_eq!(target.path(), path.as_str());
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("/".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just("..".to_owned()),
        1 => Just(";".to_owned()),
        1 => Just("%".to_owned()),
        3 => prop::sample::select(vec![
            "%2e", "%2E", "%2f", "%2F", "%3b", "%25", "%5c", "%00", "%32", "%66", "%46", "%41", "%c0",
            "%af", "%c3%a9", "2e", "2f", "%7c",
        ]).prop_map(str::to_owned),
        1 => "[a-f0-9|]",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

#[test]
fn what_is_behind_a_prefix_stays_as_it_was_sent() {
    for (path, prefix, rest) in [
        ("/reports/1", "/reports", Ok("/1")),
        ("/reports", "/reports", Ok("")),
        ("/reports/", "/reports", Ok("/")),
        ("/reports/a%20b;c/", "/reports", Ok("/a%20b;c/")),
        ("/reports;x=1/2", "/reports", Ok("/2")),
        ("/reports;x", "/reports", Ok("")),
        ("/%40me/x", "/@me", Ok("/x")),
        ("/@me/x", "/%40me", Ok("/x")),
        ("/a%2Fb/c", "/a/b", Ok("/c")),
        ("/a%2Fb/c", "/a", Err(PathError::EncodedSlash)),
        ("/a;x%2Fb/c", "/a", Err(PathError::EncodedSlash)),
        ("/reports/1", "", Ok("/reports/1")),
    ] {
        let normal = NormalPath::parse(path).unwrap();
        assert_eq!(normal.behind(prefix), rest, "{path} behind {prefix}");
    }
}
