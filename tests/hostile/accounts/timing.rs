//! The time of an answer tells nobody which accounts there are.
//!
//! Each test asks for two things in turn and compares the two sets of times by ranks (Mann and Whitney),
//! which no outlier of a busy machine moves. Two sets differ when the ranks would be as they are less
//! than once in a hundred thousand times by chance, and the medians are further apart than
//! [`SMALLEST`]: below that nobody learns anything over a network. Every test shows its own power: the
//! same times, one of the sets [`ARTIFICIAL`] longer, must differ. An answer that forgot a hash would be
//! shorter by far more than that.
//!
//! Chance and a machine that is busy with other things can make one attempt fail, so there are
//! [`ATTEMPTS`], each with fresh times: a difference that is in the code is in all of them.

use std::time::Instant;

use serde_json::json;

use super::{forgot, log_in, mailed, reset, setup};
use crate::support::accounts::PASSWORD;
use crate::support::message::Call;
use crate::support::wire::Wire;

/// Pairs of calls in one attempt.
const PAIRS: usize = 250;
const ATTEMPTS: usize = 4;
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
    let mut found = Vec::new();
    for _ in 0..ATTEMPTS {
        let (one, other) = times(wire, one, other).await;
        let artificial: Vec<_> = one
            .iter()
            .map(|time| time + median(&one) * ARTIFICIAL)
            .collect();
        let has_power = Difference::of(&artificial, &other).is_found();
        let difference = Difference::of(&one, &other);
        if has_power && !difference.is_found() {
            return;
        }
        found.push((has_power, difference));
    }
    panic!("{what}: {found:#?}");
}

/// The seconds that each of the two takes, asked for in an order in which each follows each as often.
async fn times(wire: &mut Wire, one: &Call, other: &Call) -> (Vec<f64>, Vec<f64>) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let is_first = pair % 2 == 0;
        for is_one in [is_first, !is_first] {
            let (call, times) = if is_one {
                (one, &mut ones)
            } else {
                (other, &mut others)
            };
            let start = Instant::now();
            wire.call(call).await;
            times.push(start.elapsed().as_secs_f64());
        }
    }
    (ones, others)
}

#[derive(Debug)]
struct Difference {
    /// How far the ranks are from what chance makes of them, in standard deviations.
    deviation: f64,
    /// Of the medians, as a part of the smaller one.
    medians: f64,
}

impl Difference {
    fn of(one: &[f64], other: &[f64]) -> Self {
        let mut all: Vec<_> = one.iter().map(|time| (*time, true)).collect();
        all.extend(other.iter().map(|time| (*time, false)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let ranks = all.iter().zip(1_u32..);
        let sum: f64 = ranks
            .filter(|((_, is_one), _)| *is_one)
            .map(|(_, rank)| f64::from(rank))
            .sum();
        let (n, m) = (one.len() as f64, other.len() as f64);
        let expected = n * (n + m + 1.0) / 2.0;
        let spread = (n * m * (n + m + 1.0) / 12.0).sqrt();
        let (a, b) = (median(one), median(other));
        Self {
            deviation: (sum - expected) / spread,
            medians: (a - b) / a.min(b),
        }
    }

    fn is_found(&self) -> bool {
        self.deviation.abs() > UNLIKELY && self.medians.abs() > SMALLEST
    }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
