//! Rows of header fields, tried over every version and listener on every kind of route.

use crate::ask::{Ask, Speaks, all};
use crate::frames::Outcome;
use crate::recorder::Message;
use crate::stage::{Route, Stage, only, verdict};

/// An attack: what it is called, where it is known from, and the fields that are sent.
pub type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Tries every row on these routes. The client gets 200, and then `is_right` looks at what arrived.
pub async fn try_all(
    table: &str,
    mut stage: Stage,
    routes: &[Route],
    rows: &[Row],
    is_right: impl Fn(&Stage, Route, &Message) -> Result<(), String>,
) {
    let tries = rows.iter().flat_map(|row| {
        let places = Speaks::ALL.into_iter().flat_map(|speaks| {
            let place = move |route: &Route| (speaks, *route);
            routes.iter().map(place)
        });
        places.map(move |(speaks, route)| (row, speaks, route))
    });
    let tries = all(tries.map(|(row, speaks, route)| {
        let (stage, id) = (&stage, stage.id());
        let mut ask = Ask::get(stage.target(route, &id));
        ask.fields = stage.credential(route);
        for (name, value) in row.2 {
            ask = ask.field(*name, *value);
        }
        async move { (row, speaks, route, id, ask.send(stage, speaks).await) }
    }))
    .await;
    let kept = stage.end().await;

    let wrong = tries
        .iter()
        .filter_map(|((name, rule, _), speaks, route, id, outcome)| {
            let why = if *outcome == Outcome::Answer(200, String::new()) {
                only(&kept, id).and_then(|message| is_right(&stage, *route, message))
            } else {
                Err(outcome.to_string())
            };
            Some(format!(
                "{name} ({rule}), {speaks:?} {route:?}: {}",
                why.err()?
            ))
        });
    let wrong: Vec<_> = wrong.collect();
    verdict(table, tries.len(), &wrong, &kept);
}
