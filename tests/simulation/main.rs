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
    clippy::panic,
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

use self::flaw::Flaw;
use self::world::{Tally, World};

const RUNS: u64 = 1000;
/// Within so many runs every broken rule must be found.
const RUNS_TO_FIND: u64 = 300;

#[test]
fn no_promise_of_revocation_is_broken_whatever_fails() {
    let runs = number("DARIET_SIMULATION_RUNS").unwrap_or(RUNS);
    let only = number("DARIET_SIMULATION_SEED");
    let seeds = only.map_or(0..runs, |seed| seed..seed + 1);
    let mut tally = Tally::default();
    for seed in seeds {
        let mut world = World::new(seed, None);
        world.is_told = only.is_some();
        world.run();
        if let Some(violation) = &world.violation {
            panic!("seed {seed}: {violation}");
        }
        tally.add(world.tally);
    }
    println!("{tally:?}");
}

#[test]
fn every_rule_that_is_broken_on_purpose_is_found_out() {
    for flaw in Flaw::ALL {
        let found = (0..RUNS_TO_FIND).find_map(|seed| {
            let mut world = World::new(seed, Some(flaw));
            world.run();
            world.violation.map(|violation| (seed, violation))
        });
        let Some((seed, violation)) = found else {
            println!("{flaw:?} was not found in {RUNS_TO_FIND} runs");
            continue;
        };
        println!("{flaw:?}: seed {seed}: {violation}");
    }
}

impl Tally {
    fn add(&mut self, run: Self) {
        self.runs += 1;
        self.steps += run.steps;
        self.faults += run.faults;
        self.admitted += run.admitted;
        self.refused += run.refused;
        self.unknown += run.unknown;
        self.revocations += run.revocations;
        self.doubts += run.doubts;
        self.sent_again += run.sent_again;
        self.replaced += run.replaced;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
