//! Rests of busy workers, as network cards hold their interrupts back.
//!
//! A worker that answers each event at once wakes the thread of whoever it writes to for each of them, and is
//! woken for each. Where much is in flight, nobody waits for one event alone: the worker then rests for a
//! moment before it waits for events, and finds several.

use std::cell::Cell;
use std::marker::PhantomData;
use std::thread;
use std::time::{Duration, Instant};

/// An exchange that this thread's worker has begun and not ended.
#[derive(Debug)]
pub struct InFlight {
    /// The span in which it began.
    span: u64,
    /// It ends on the thread where it began.
    here: PhantomData<*const ()>,
}

/// What a worker knows of its load.
///
/// Exchanges count while they are young: beside long polls and WebSockets somebody may wait for one answer
/// after the other.
#[derive(Debug)]
struct Load {
    /// Counts spans of [`YOUNG`].
    span: Cell<u64>,
    span_began: Cell<Option<Instant>>,
    /// Exchanges in flight that began in this span, and in the one before.
    begun_now: Cell<usize>,
    begun_before: Cell<usize>,
    /// When it last had nothing to do, or had rested.
    was_done: Cell<Option<Instant>>,
    /// When it last had rested for too long.
    overslept: Cell<Option<Instant>>,
}

/// With fewer young exchanges in flight a rest could be what they wait for. So many take a worker over a
/// quarter of a millisecond in any case.
const MANY: usize = 24;
/// So long exchanges are young, or up to twice as long.
const YOUNG: Duration = Duration::from_millis(10);
/// Linux makes about 60 µs of it: it has 50 for each wait of a thread (`timerslack_ns`).
const REST: Duration = Duration::from_micros(5);
/// A worker that has nothing to do less often than so would gather nothing.
const DENSE: Duration = Duration::from_micros(250);
/// A rest of so long comes of a coarse clock, or of others that have the core.
const TOO_LONG: Duration = Duration::from_micros(500);
/// There are no rests for so long then.
const AWAKE: Duration = Duration::from_millis(100);

thread_local! {
    static LOAD: Load = const { Load::new() };
}

impl InFlight {
    /// One more, until this is dropped.
    #[must_use]
    pub fn begin() -> Self {
        LOAD.with(|load| Self {
            span: load.begin(),
            here: PhantomData,
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        LOAD.with(|load| load.end(self.span));
    }
}

/// To be called when the worker of this thread has nothing to do.
#[expect(
    clippy::disallowed_methods,
    reason = "the worker is blocked where it would wait in any case"
)]
pub(super) fn before_waiting() {
    LOAD.with(|load| {
        if load.young() < MANY {
            return;
        }
        let now = Instant::now();
        if load.may_rest(now) {
            thread::sleep(REST);
            load.rested(now, Instant::now());
        }
    });
}

impl Load {
    const fn new() -> Self {
        Self {
            span: Cell::new(0),
            span_began: Cell::new(None),
            begun_now: Cell::new(0),
            begun_before: Cell::new(0),
            was_done: Cell::new(None),
            overslept: Cell::new(None),
        }
    }

    /// Counts an exchange that begins in the span that is answered.
    fn begin(&self) -> u64 {
        self.begun_now.set(self.begun_now.get().saturating_add(1));
        self.span.get()
    }

    fn end(&self, span: u64) {
        let begun = match self.span.get().saturating_sub(span) {
            0 => &self.begun_now,
            1 => &self.begun_before,
            _ => return,
        };
        begun.set(begun.get().saturating_sub(1));
    }

    fn young(&self) -> usize {
        self.begun_now.get().saturating_add(self.begun_before.get())
    }

    fn begin_span(&self, now: Instant) {
        self.span_began.set(Some(now));
        self.span.set(self.span.get().saturating_add(1));
        self.begun_before.set(self.begun_now.replace(0));
    }

    /// Whether many wait, events come so densely that a rest gathers some, and rests are as short as they
    /// should be.
    fn may_rest(&self, now: Instant) -> bool {
        if !is_within(self.span_began.get(), now, YOUNG) {
            self.begin_span(now);
        }
        let was_done = self.was_done.replace(Some(now));
        self.young() >= MANY
            && is_within(was_done, now, DENSE)
            && !is_within(self.overslept.get(), now, AWAKE)
    }

    fn rested(&self, from: Instant, to: Instant) {
        self.was_done.set(Some(to));
        if !is_within(Some(from), to, TOO_LONG) {
            self.overslept.set(Some(to));
        }
    }
}

fn is_within(then: Option<Instant>, now: Instant, span: Duration) -> bool {
    then.is_some_and(|then| now.duration_since(then) < span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_micros(60);

    fn with_many() -> Load {
        let load = Load::new();
        for _ in 0..MANY {
            load.begin();
        }
        load
    }

    #[test]
    fn a_worker_rests_while_it_has_nothing_to_do_again_and_again() {
        let load = with_many();
        let mut now = Instant::now();
        assert!(!load.may_rest(now), "nothing is known of it");

        for _ in 0..3 {
            now += MOMENT;
            assert!(load.may_rest(now));
            load.rested(now, now + MOMENT);
            now += MOMENT;
        }
        load.end(0);
        assert!(!load.may_rest(now + MOMENT));
    }

    #[test]
    fn a_worker_whose_events_are_far_between_does_not_rest() {
        let load = with_many();
        let mut now = Instant::now();
        for _ in 0..3 {
            assert!(!load.may_rest(now));
            now += DENSE;
        }
    }

    #[test]
    fn a_rest_that_took_too_long_is_the_last_for_a_while() {
        let load = with_many();
        let begin = Instant::now();
        let late = begin + TOO_LONG;
        load.rested(begin, late);

        let mut now = late;
        while now + MOMENT < late + AWAKE {
            now += MOMENT;
            load.begin();
            assert!(!load.may_rest(now));
        }
        for _ in 0..MANY {
            load.begin();
        }
        assert!(load.may_rest(now + MOMENT));
    }

    #[test]
    fn nobody_rests_for_exchanges_that_are_old() {
        let load = with_many();
        let begin = Instant::now();
        let mut now = begin;
        while now < begin + 2 * YOUNG {
            load.may_rest(now);
            now += MOMENT;
        }
        assert!(!load.may_rest(now));

        let first = load.begin();
        for _ in 1..MANY {
            load.begin();
        }
        load.end(0);
        assert!(load.may_rest(now + MOMENT), "an old one has ended");
        load.end(first);
        assert!(!load.may_rest(now + 2 * MOMENT));
    }

    #[test]
    fn exchanges_count_until_they_end() {
        let young = || LOAD.with(Load::young);
        let before = young();
        let two = [InFlight::begin(), InFlight::begin()];
        assert_eq!(young(), before + 2);
        drop(two);
        assert_eq!(young(), before);
    }
}
