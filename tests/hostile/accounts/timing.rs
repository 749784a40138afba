//! The time of an answer tells nobody which accounts there are.
//!
//! Each test asks for two things in turn and compares the times pair by pair, by the ranks of their
//! differences (Wilcoxon): two neighbours have the same noise about them, and no outlier of a busy
//! machine moves a rank. The two differ when the ranks would be as they are less than once in a hundred
//! thousand times by chance, and the usual difference is more than [`SMALLEST`]: below that nobody learns
//! anything over a network. Every test shows its own power: the same pairs, one of each [`ARTIFICIAL`]
//! longer, must differ. An answer that forgot a hash would be shorter by far more than that.
//!
//! What a machine that is busy with other things blurs, more pairs make clear, so they are gathered in
//! [`ROUNDS`] until both are so: a difference that is in the code stays in all of them.

use std::time::Instant;

use serde_json::json;

use super::{forgot, log_in, mailed, reset, setup};
use crate::support::accounts::PASSWORD;
use crate::support::message::Call;
use crate::support::wire::Wire;

/// Pairs of calls in one round.
const PAIRS: usize = 120;
const ROUNDS: usize = 10;
/// Of the median, the difference that is looked for at least.
const SMALLEST: f64 = 0.10;
/// Of the median, the difference that must be found.
const ARTIFICIAL: f64 = 0.25;
/// Standard deviations; by chance once in 150,000 times.
const UNLIKELY: f64 = 4.5;

#[tokio::test]
async fn a_log_in_takes_as_long_for_an_account_that_is_not_there() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    let inactive = world.new_user("ada", "viewer").await;
    world
        .patch_user(&inactive, &json!({"is_active": false}))
        .await;
    let mut wire = world.wire().await;
    let unknown = log_in("nobody@example.com", "wrong password");

    let wrong = log_in(&user.email, "wrong password");
    are_alike(&mut wire, "a wrong password", &wrong, &unknown).await;
    let right = log_in(&inactive.email, PASSWORD);
    are_alike(&mut wire, "an inactive user", &right, &unknown).await;
    let junk = log_in("no address", "wrong password");
    are_alike(&mut wire, "no address", &junk, &unknown).await;
}

#[tokio::test]
async fn a_reset_is_asked_for_as_fast_for_an_account_that_is_not_there() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    let mut wire = world.wire().await;
    let unknown = forgot("nobody@example.com");

    are_alike(&mut wire, "a known address", &forgot(&user.email), &unknown).await;
    are_alike(&mut wire, "no address", &forgot("no address"), &unknown).await;
}

#[tokio::test]
async fn a_spent_token_is_refused_as_fast_as_one_that_never_was() {
    let world = setup().start().await;
    let user = world.new_user("grace", "viewer").await;
    world.call(&forgot(&user.email)).await.expect(200);
    let token = mailed(&world, 1).await.remove(0);
    world
        .call(&reset(&token, "a lantern in the fog"))
        .await
        .expect(200);
    let mut wire = world.wire().await;

    let spent = reset(&token, "another lantern");
    let unknown = reset(&"A".repeat(token.len()), "another lantern");
    are_alike(&mut wire, "a spent token", &spent, &unknown).await;
}

async fn are_alike(wire: &mut Wire, what: &str, one: &Call, other: &Call) {
    let mut pairs = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        measure(wire, one, other, &mut pairs).await;
        let usual = median(pairs.iter().map(|(_, other)| *other));
        let longer = |(one, other): &(f64, f64)| one + usual * ARTIFICIAL - other;
        let artificial = Difference::of(pairs.iter().map(longer), usual);
        let difference = Difference::of(pairs.iter().map(|(one, other)| one - other), usual);
        if artificial.is_found() && !difference.is_found() {
            return;
        }
        seen.push((difference, artificial));
    }
    panic!("{what}: {seen:#?}");
}

/// Takes the seconds of more pairs, in an order in which each of the two follows each as often.
async fn measure(wire: &mut Wire, one: &Call, other: &Call, pairs: &mut Vec<(f64, f64)>) {
    for pair in 0..PAIRS {
        pairs.push(if pair % 2 == 0 {
            let first = time(wire, one).await;
            (first, time(wire, other).await)
        } else {
            let first = time(wire, other).await;
            (time(wire, one).await, first)
        });
    }
}

async fn time(wire: &mut Wire, call: &Call) -> f64 {
    let start = Instant::now();
    wire.call(call).await;
    start.elapsed().as_secs_f64()
}

#[derive(Debug)]
struct Difference {
    /// How far the ranks are from what chance makes of them, in standard deviations.
    deviation: f64,
    /// The median, as a part of what such an answer usually takes.
    median: f64,
}

impl Difference {
    fn of(differences: impl Iterator<Item = f64>, usual: f64) -> Self {
        let mut all: Vec<_> = differences.collect();
        let median = median(all.iter().copied()) / usual;
        all.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let ranks = all.iter().zip(1_u32..).filter(|(value, _)| **value > 0.0);
        let sum: f64 = ranks.map(|(_, rank)| f64::from(rank)).sum();
        let n = all.len() as f64;
        let expected = n * (n + 1.0) / 4.0;
        let spread = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
        Self {
            deviation: (sum - expected) / spread,
            median,
        }
    }

    fn is_found(&self) -> bool {
        self.deviation.abs() > UNLIKELY && self.median.abs() > SMALLEST
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
