//! Heads that are too many or too large: each ends in an answer, and none of it reaches a service.

use crate::ask::{Ask, Speaks, all};
use crate::frames::Outcome;
use crate::stage::{Route, Stage, verdict};

/// What a request is made of, and what becomes of it over HTTP/1.1 and over HTTP/2.
type Row = (&'static str, &'static str, fn(Ask) -> Ask, Wants, Wants);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Passes,
    /// 431, as a problem document.
    TooLarge,
    /// 431 of the library beneath, which has no room for the head to be looked at.
    Bare,
    /// 400, or the connection ends.
    Refused,
}

use Wants::{Bare, Passes, Refused, TooLarge};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("98 headers", "bound of 100 headers", |ask| many(ask, 98), Passes, Passes),
    ("102 headers", "bound of 100 headers", |ask| many(ask, 102), TooLarge, TooLarge),
    ("200 headers", "bound of 100 headers", |ask| many(ask, 200), TooLarge, TooLarge),
    ("1,500 headers", "bound of 100 headers", |ask| many(ask, 1500), TooLarge, TooLarge),
    ("10,000 headers", "CVE-2024-27316 (memory)", |ask| many(ask, 10_000), TooLarge, Bare),
    ("101 headers of one name", "bound of 100 headers", |ask| same(ask, 101), TooLarge, TooLarge),
    ("101 empty headers", "bound of 100 headers", empty, TooLarge, TooLarge),
    ("90 headers whose names collide", "hash flooding", |ask| many(ask, 90), Passes, Passes),
    ("a value of 60,000 bytes", "bound of 64 KiB", |ask| value(ask, 60_000), Passes, Passes),
    ("a value of 66,000 bytes", "bound of 64 KiB", |ask| value(ask, 66_000), TooLarge, Bare),
    ("a value of 1 MiB", "bound of 64 KiB", |ask| value(ask, 1 << 20), TooLarge, Refused),
    ("a name of 60,000 bytes", "bound of 64 KiB", |ask| ask.field("x".repeat(60_000), "y"), Passes, Passes),
    ("a name of 66,000 bytes", "bound of 64 KiB", |ask| ask.field("x".repeat(66_000), "y"), TooLarge, Refused),
    ("a query of 60,000 bytes", "bound of 64 KiB", |ask| query(ask, 60_000), Passes, Passes),
    ("a query of 66,000 bytes", "bound of 64 KiB", |ask| query(ask, 66_000), TooLarge, Refused),
    ("a credential of 60,000 bytes", "bound of 4 KiB", |ask| ask.field("X-API-Key", format!("dk_{}", "a".repeat(60_000))), Passes, Passes),
    ("150 crumbs of a cookie", "RFC 9113 §8.2.3", |ask| crumbs(ask, 150), TooLarge, Passes),
    ("a method of 60,000 bytes", "bound of 64 KiB", method, Passes, Passes),
];

fn many(mut ask: Ask, count: usize) -> Ask {
    // Host and what the stage adds count too.
    for n in ask.fields.len() + 1..count {
        ask = ask.field(format!("X-{n}"), "y");
    }
    ask
}

fn same(mut ask: Ask, count: usize) -> Ask {
    for _ in 0..count {
        ask = ask.field("X-Same", "y");
    }
    ask
}

fn empty(mut ask: Ask) -> Ask {
    for _ in 0..101 {
        ask = ask.field("X", "");
    }
    ask
}

fn crumbs(mut ask: Ask, count: usize) -> Ask {
    for n in 0..count {
        ask = ask.field("Cookie", format!("c{n}=x"));
    }
    ask
}

fn value(ask: Ask, length: usize) -> Ask {
    ask.field("X-Long", "y".repeat(length))
}

fn query(mut ask: Ask, length: usize) -> Ask {
    ask.target.push(b'?');
    ask.target.extend(vec![b'q'; length]);
    ask
}

fn method(mut ask: Ask) -> Ask {
    ask.method = "M".repeat(60_000);
    ask
}

#[tokio::test]
async fn a_head_beyond_its_bounds_is_answered_and_reaches_nobody() {
    let mut stage = Stage::start().await;
    let tries = ROWS
        .iter()
        .flat_map(|row| Speaks::ALL.map(|speaks| (row, speaks)));
    let tries = all(tries.map(|(row, speaks)| {
        let (stage, id) = (&stage, stage.id());
        let ask = row.2(Ask::get(stage.target(Route::Public, &id)));
        async move { (row, speaks, id, ask.send(stage, speaks).await) }
    }))
    .await;
    let kept = stage.end().await;

    let wrong = tries.iter().filter_map(|(row, speaks, id, outcome)| {
        let wants = if *speaks == Speaks::Http2 {
            row.4
        } else {
            row.3
        };
        let is_right = match wants {
            Passes => *outcome == Outcome::Answer(200, String::new()),
            TooLarge => *outcome == Outcome::Answer(431, "head_too_large".to_owned()),
            Bare => *outcome == Outcome::Answer(431, String::new()),
            Refused => !matches!(outcome, Outcome::Answer(200..=399 | 500.., _)),
        };
        let arrived = kept.about(id).count();
        let is_right = is_right && arrived == usize::from(wants == Passes);
        let why = format!("{outcome}, {arrived} arrived");
        (!is_right).then(|| format!("{} ({}), {speaks:?}: {why}", row.0, row.1))
    });
    let wrong: Vec<_> = wrong.collect();
    verdict("limits", tries.len(), &wrong, &kept);
}
