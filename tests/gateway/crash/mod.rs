//! kill -9 at any moment loses no change that was answered.

mod writer;

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};

use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::sync::Notify;

use self::writer::Writer;
use crate::support::setup::Setup;
use crate::support::within;

/// Changes that were answered in this round.
#[derive(Default)]
struct Answered {
    count: Cell<u64>,
    more: Notify,
}

impl Answered {
    fn one(&self) {
        self.count.set(self.count.get() + 1);
        self.more.notify_one();
    }

    async fn reach(&self, count: u64) {
        while self.count.get() < count {
            self.more.notified().await;
        }
    }
}

const WRITERS: usize = 6;

fn rounds() -> u64 {
    let rounds = std::env::var("DARIET_CRASH_ROUNDS");
    rounds.map_or(10, |rounds| rounds.parse().unwrap())
}

/// Any number below `bound`.
fn chance(bound: u64) -> u64 {
    RandomState::new().hash_one(()) % bound
}

#[tokio::test]
async fn every_answered_change_outlives_a_crash() {
    let mut world = Setup::new().start().await;
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Writer::new(&world, number).await);
    }
    let mut total = 0;

    for _ in 0..rounds() {
        let answered = Answered::default();
        let mut wires = Vec::new();
        for _ in 0..WRITERS {
            wires.push(world.wire().await);
        }
        let crash = async {
            within("the writers to write", answered.reach(chance(80))).await;
            world.node().signal(Signal::KILL);
        };
        let writing = writers.iter_mut().zip(&mut wires);
        let writing = join_all(writing.map(|(it, wire)| it.write(&world, wire, &answered)));
        tokio::join!(crash, writing);
        world.node_mut().exited().await;
        world.start().await;
        total += answered.count.get();
        for writer in &mut writers {
            writer.check_latest(&world).await;
        }
    }

    for writer in &mut writers {
        writer.check_all(&world).await;
    }
    tell(&format!(
        "{total} answered changes outlived {} crashes",
        rounds()
    ));
}

#[expect(
    clippy::print_stdout,
    reason = "whoever asks for many rounds wants to know"
)]
fn tell(text: &str) {
    println!("{text}");
}
