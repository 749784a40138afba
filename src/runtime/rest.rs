//! Rests of busy workers, as network cards hold their interrupts back.
//!
//! A worker that takes each event as it comes is woken for each, and wakes whoever it writes to for each. Where
//! many exchanges go on at once, it rests for a moment before it waits for events, and finds several.

use std::cell::Cell;
use std::marker::PhantomData;
use std::thread;
use std::time::{Duration, Instant};

/// An exchange that this thread's worker has begun and not ended.
#[derive(Debug)]
pub struct InFlight {
    /// It ends on the thread where it began.
    here: PhantomData<*const ()>,
}

/// What a worker knows of its load. Times are looked at while many exchanges are in flight alone.
#[derive(Debug)]
struct Load {
    in_flight: Cell<usize>,
    /// Exchanges that began or ended since it last had no task to run.
    moved: Cell<usize>,
    /// When it last had no task to run, or had rested.
    was_done: Cell<Option<Instant>>,
    /// The rest that ended then.
    rested: Cell<Option<Duration>>,
    /// Until when there is no rest, and for how long there was none.
    awake: Cell<Option<(Instant, Duration)>>,
}

/// With fewer exchanges in flight a rest could be what most of them wait for.
const MANY: usize = 24;
/// Linux makes about 60 µs of it: it has 50 for each wait of a thread (`timerslack_ns`).
const REST: Duration = Duration::from_micros(5);
/// A worker that was busy or waited for longer would not gather by resting.
const DENSE: Duration = Duration::from_micros(250);
/// A rest of so long comes of a coarse clock, or of others that have the core.
const TOO_LONG: Duration = Duration::from_micros(250);
/// A rest after which fewer exchanges begin or end gathered nothing: those in flight wait for a server, and the few
/// clients who ask would wait for rests.
const FEW: usize = 8;
/// How long there is no rest after one that was of no use; twice as long if the next is of none either, up to
/// the longest.
const AWAKE: Duration = Duration::from_millis(10);
const LONGEST_AWAKE: Duration = Duration::from_secs(10);

thread_local! {
    static LOAD: Load = const { Load::new() };
}

impl InFlight {
    /// One more, until this is dropped.
    #[must_use]
    pub fn begin() -> Self {
        LOAD.with(|load| load.count(load.in_flight.get().saturating_add(1)));
        Self { here: PhantomData }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        LOAD.with(|load| load.count(load.in_flight.get().saturating_sub(1)));
    }
}

/// To be called when the worker of this thread has no task to run, before it looks what events there are.
#[expect(
    clippy::disallowed_methods,
    reason = "what comes meanwhile is to be found together"
)]
pub(super) fn before_waiting() {
    LOAD.with(|load| {
        if load.in_flight.get() < MANY && load.rested.get().is_none() {
            return;
        }
        let now = Instant::now();
        if load.may_rest(now) {
            thread::sleep(REST);
            load.has_rested(now, Instant::now());
        }
    });
}

impl Load {
    const fn new() -> Self {
        Self {
            in_flight: Cell::new(0),
            moved: Cell::new(0),
            was_done: Cell::new(None),
            rested: Cell::new(None),
            awake: Cell::new(None),
        }
    }

    fn count(&self, in_flight: usize) {
        self.in_flight.set(in_flight);
        self.moved.set(self.moved.get().saturating_add(1));
    }

    /// Whether a rest may gather something.
    fn may_rest(&self, now: Instant) -> bool {
        let was_done = self.was_done.replace(Some(now));
        let moved = self.moved.replace(0);
        if let Some(rest) = self.rested.take() {
            self.judge(rest <= TOO_LONG && moved >= FEW, now);
        }
        let is_dense = was_done.is_some_and(|then| now.duration_since(then) < DENSE);
        let has_many = self.in_flight.get() >= MANY;
        has_many && is_dense && self.awake.get().is_none_or(|(until, _)| until <= now)
    }

    fn has_rested(&self, from: Instant, to: Instant) {
        self.was_done.set(Some(to));
        self.rested.set(Some(to.duration_since(from)));
    }

    /// Whether the last rest was of use.
    fn judge(&self, was_useful: bool, now: Instant) {
        let span = match self.awake.take() {
            _ if was_useful => return,
            // That was long ago: it says nothing of what is in flight now.
            Some((until, span)) if now.duration_since(until) >= span => AWAKE,
            None => AWAKE,
            Some((_, span)) => span.saturating_mul(2).min(LONGEST_AWAKE),
        };
        self.awake
            .set(now.checked_add(span).map(|until| (until, span)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_micros(60);

    /// A worker that had no task to run at the time that stands beside it.
    fn with_moved(moved: usize) -> (Load, Instant) {
        let (load, now) = (Load::new(), Instant::now());
        load.in_flight.set(MANY);
        load.was_done.set(Some(now));
        load.moved.set(moved);
        (load, now)
    }

    /// Rests once, as the worker does between two turns in which so many exchanges moved.
    fn rest(load: &Load, now: &mut Instant, rest: Duration, moved: usize) -> bool {
        *now += MOMENT;
        let may_rest = load.may_rest(*now);
        if may_rest {
            load.has_rested(*now, *now + rest);
            *now += rest;
        }
        load.moved.set(moved);
        may_rest
    }

    /// For how long it does not rest.
    fn awake(load: &Load, now: &mut Instant, moved: usize) -> Duration {
        let begin = *now;
        while !rest(load, now, MOMENT, moved) {}
        *now - begin
    }

    #[test]
    fn a_worker_rests_as_long_as_rests_gather() {
        let (load, mut now) = with_moved(FEW);
        for _ in 0..3 {
            assert!(rest(&load, &mut now, MOMENT, FEW));
        }
    }

    #[test]
    fn a_worker_that_is_busy_for_long_between_does_not_rest() {
        let (load, mut now) = with_moved(FEW);
        now += DENSE;
        for _ in 0..3 {
            assert!(!load.may_rest(now));
            now += DENSE;
        }
        assert!(load.may_rest(now - MOMENT));
    }

    #[test]
    fn rests_that_gather_little_are_tried_more_and_more_seldom() {
        let (load, mut now) = with_moved(FEW);
        assert!(rest(&load, &mut now, MOMENT, FEW - 1));

        let spans = [(); 12].map(|()| awake(&load, &mut now, FEW - 1));
        let near = |span: Duration, to: Duration| span >= to && span < to + 4 * MOMENT;
        assert!(near(spans[0], AWAKE), "{spans:?}");
        assert!(near(spans[1], 2 * AWAKE), "{spans:?}");
        assert!(near(spans[11], LONGEST_AWAKE), "{spans:?}");

        load.moved.set(FEW);
        assert!(rest(&load, &mut now, MOMENT, FEW), "this one gathered");
        assert!(rest(&load, &mut now, MOMENT, FEW - 1));
        assert!(near(awake(&load, &mut now, FEW), AWAKE));
    }

    #[test]
    fn what_was_of_no_use_long_ago_does_not_count() {
        let (load, mut now) = with_moved(FEW);
        assert!(rest(&load, &mut now, MOMENT, 0));
        for _ in 0..4 {
            awake(&load, &mut now, 0);
        }
        now += LONGEST_AWAKE;
        rest(&load, &mut now, MOMENT, 0);
        let span = awake(&load, &mut now, FEW);
        assert!(span < AWAKE + 4 * MOMENT, "{span:?}");
    }

    #[test]
    fn a_rest_is_judged_when_few_are_left_and_the_next_waits_for_many() {
        let (load, mut now) = with_moved(FEW);
        assert!(rest(&load, &mut now, MOMENT, 0));
        load.in_flight.set(MANY - 1);
        assert!(!rest(&load, &mut now, MOMENT, FEW));
        assert!(load.rested.get().is_none());
        assert!(load.awake.get().is_some());

        now += AWAKE;
        assert!(!rest(&load, &mut now, MOMENT, FEW));
        assert!(!rest(&load, &mut now, MOMENT, FEW));
        load.in_flight.set(MANY);
        assert!(rest(&load, &mut now, MOMENT, FEW));
    }

    #[test]
    fn a_rest_that_took_too_long_is_the_last_for_a_while() {
        let (load, mut now) = with_moved(FEW);
        assert!(rest(&load, &mut now, TOO_LONG, FEW));
        assert!(rest(&load, &mut now, TOO_LONG + MOMENT, FEW));
        assert!(!rest(&load, &mut now, MOMENT, FEW));
        assert!(awake(&load, &mut now, FEW) >= AWAKE - MOMENT);
    }

    #[test]
    fn exchanges_count_until_they_end() {
        let counts = || LOAD.with(|load| (load.in_flight.get(), load.moved.get()));
        let (in_flight, moved) = counts();
        let two = [InFlight::begin(), InFlight::begin()];
        assert_eq!(counts(), (in_flight + 2, moved + 2));
        drop(two);
        assert_eq!(counts(), (in_flight, moved + 4));
    }

    #[test]
    fn a_worker_asks_whether_to_rest() {
        let worker = crate::runtime::spawn_worker(0, || async {
            let _many = [(); MANY].map(|()| InFlight::begin());
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(LOAD.with(|load| load.was_done.get()).is_some());
            Ok(())
        });
        worker.unwrap().join().unwrap().unwrap();
    }
}
