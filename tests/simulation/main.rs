//! A simulation of several nodes on one store that tries to break what is promised of revocation.
//!
//! The follower, the ledger, the admissions, the freshness, the authenticator and what is sent again
//! are the real ones; the servers, the network and time are models. Each run is made of its seed alone,
//! in virtual time and on one thread: a seed that breaks a promise breaks it again.
//!
//! `DARIET_SIMULATION_RUNS=1000000 cargo test --release --test simulation` runs for longer, and
//! `DARIET_SIMULATION_SEED=7` runs that one seed, and `--nocapture` shows what happens in it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by panicking, and the counts are what it is for"
)]

mod chance;
mod clients;
mod faults;
mod flaw;
mod link;
mod node;
mod server;
mod store;
mod truth;
mod world;

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use self::flaw::Flaw;
use self::world::{Tally, World};

const RUNS: u64 = 2000;
/// Within so many runs every broken rule must be found.
const RUNS_TO_FIND: u64 = 10_000;

#[test]
fn no_promise_of_revocation_is_broken_whatever_fails() {
    let seeds = match number("DARIET_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DARIET_SIMULATION_RUNS").unwrap_or(RUNS),
    };
    let is_told = seeds.end - seeds.start == 1;
    let tallies = on_all_cores(seeds, |seed| {
        let mut world = World::new(seed, None);
        world.is_told = is_told;
        world.run();
        if let Some(violation) = &world.violation {
            panic!("seed {seed}: {violation}");
        }
        world.tally
    });
    let tally = tallies.into_iter().reduce(Tally::and).unwrap();
    println!("{tally:?}");
}

#[test]
fn every_rule_that_is_broken_on_purpose_is_found_out() {
    let found = on_all_cores(0..Flaw::ALL.len() as u64, |index| {
        let flaw = Flaw::ALL[usize::try_from(index).unwrap()];
        let found = (0..RUNS_TO_FIND).find_map(|seed| {
            let mut world = World::new(seed, Some(flaw));
            world.run();
            world.violation.map(|violation| (seed, violation))
        });
        (flaw, found)
    });
    for (flaw, found) in &found {
        println!("{flaw:?}: {found:?}");
    }
    let missed: Vec<_> = found.iter().filter(|(_, found)| found.is_none()).collect();
    assert!(
        missed.is_empty(),
        "not found in {RUNS_TO_FIND} runs: {missed:?}"
    );
}

/// What `work` makes of each number. One run is one thread's; several run side by side.
fn on_all_cores<T: Send>(numbers: Range<u64>, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(numbers.start);
    let run = || {
        let take = || next.fetch_add(1, Ordering::Relaxed);
        let mine = std::iter::repeat_with(take).take_while(|number| *number < numbers.end);
        mine.map(|number| (number, work(number)))
            .collect::<Vec<_>>()
    };
    let mut made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(run)).collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap());
        made.flatten().collect::<Vec<_>>()
    });
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, made)| made).collect()
}

impl Tally {
    fn and(mut self, run: Self) -> Self {
        self.runs += run.runs;
        self.steps += run.steps;
        self.faults += run.faults;
        self.admitted += run.admitted;
        self.refused += run.refused;
        self.unknown += run.unknown;
        self.revocations += run.revocations;
        self.doubts += run.doubts;
        self.sent_again += run.sent_again;
        self.replaced += run.replaced;
        self
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
