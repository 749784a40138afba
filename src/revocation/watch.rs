use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

use super::{Admission, Bell, Ended, Freshness};
use crate::domain::Clock;

/// The exchanges and connections of one worker that must learn when they were cut or took too long.
///
/// A worker serves thousands of them on one thread. Each keeps a slot here; one task looks through
/// the slots when a bell rings and ten times a second, and wakes whom it concerns. That is cheaper
/// than a timer and a listener each, and the worker's bell can promise that nothing is missed.
#[derive(Debug)]
pub struct Watch {
    slots: RefCell<Slab<Slot>>,
    /// Slots whose deadline has passed, and whose tasks are yet to be woken.
    late: RefCell<VecDeque<usize>>,
    looks: Cell<u64>,
}

#[derive(Debug, Default)]
struct Slot {
    admission: Option<Arc<Admission>>,
    /// Whether it ends when its credential does: a WebSocket or an event stream.
    is_lasting: bool,
    /// Whether it must see if it still may. Kept apart from the alarm, which another can take the place of.
    is_questioned: bool,
    deadline: Option<Deadline>,
    /// Whether it stands among the late.
    is_queued: bool,
    alarm: Option<Alarm>,
    waker: Option<Waker>,
}

/// When a slot is late.
#[derive(Debug, Clone, Copy)]
enum Deadline {
    /// So long after the next look: most are forgotten before it, and nobody has read the clock for them.
    After(Duration),
    At(Instant),
}

/// Why a watched exchange must stop or look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Its admission has ended.
    Ended(Ended),
    /// It outlasts its credential.
    Expired,
    /// It is lasting, and its principal or the routes have changed: see whether it is still allowed.
    Stale,
    /// Nobody knows whether its credential still works, and it is to be cut then.
    Unverified,
    /// Its deadline has passed.
    TimedOut,
}

/// A slot in a [`Watch`], given back when dropped.
#[derive(Debug)]
pub struct Watched {
    watch: Rc<Watch>,
    key: usize,
}

/// How often deadlines are looked at: one is late by twice this much at the most, and by the turns of those
/// that are late with it. None is early.
const TICK: Duration = Duration::from_millis(100);
/// Of those that are late, so many are woken at once. A thousand slow clients that came together would
/// all end together, and who asks something meanwhile would wait for every one of them.
const WOKEN_AT_ONCE: usize = 8;

impl Watch {
    /// A watch over nothing yet.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            slots: RefCell::default(),
            late: RefCell::default(),
            looks: Cell::new(0),
        })
    }

    /// Takes a slot for what rests on `admission`, or on none.
    #[must_use]
    pub fn over(self: &Rc<Self>, admission: Option<Arc<Admission>>) -> Watched {
        let key = self.slots.borrow_mut().insert(Slot {
            admission,
            ..Slot::default()
        });
        Watched {
            watch: Rc::clone(self),
            key,
        }
    }

    /// How often the slots were looked through: between two equal numbers no bell was answered.
    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks.get()
    }

    /// Wakes everybody, to look at something other than an alarm.
    pub fn wake_all(&self) {
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            slot.wake();
        }
    }

    /// Who may do what has changed: whatever is lasting must see whether it still may.
    pub fn question_all(&self) {
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            slot.question();
        }
    }

    /// Looks after the slots until nobody is left to ring `bell`.
    pub async fn attend(&self, mut bell: Bell, clock: Arc<dyn Clock>, freshness: Arc<Freshness>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_one_late = !self.late.borrow().is_empty();
            // All are cancel safe: a ring stays in its channel, a tick in its interval.
            tokio::select! {
                ring = bell.rung() => match ring {
                    Some(ring) => {
                        self.look(Instant::now(), clock.as_ref(), &freshness);
                        // The ringer may have given up waiting; that is its business.
                        let _ = ring.send(());
                    }
                    None => return,
                },
                _ = tick.tick() => self.look(Instant::now(), clock.as_ref(), &freshness),
                () = tokio::task::yield_now(), if is_one_late => self.wake_late(),
            }
        }
    }

    fn look(&self, now: Instant, clock: &dyn Clock, freshness: &Freshness) {
        self.looks.set(self.looks.get().wrapping_add(1));
        let time = clock.now();
        let cuts = freshness.cuts();
        let mut late = self.late.borrow_mut();
        for (key, slot) in self.slots.borrow_mut().iter_mut() {
            if slot.is_late(now) {
                slot.alarm.get_or_insert(Alarm::TimedOut);
            }
            if slot.is_questioned {
                slot.alarm.get_or_insert(Alarm::Stale);
            }
            if let Some(admission) = &slot.admission {
                if let Some(ended) = admission.ended() {
                    slot.alarm = Some(Alarm::Ended(ended));
                } else if cuts {
                    slot.alarm = Some(Alarm::Unverified);
                } else if slot.is_lasting && admission.is_expired(time) {
                    slot.alarm = Some(Alarm::Expired);
                } else if slot.is_lasting && admission.is_stale() {
                    slot.alarm = Some(Alarm::Stale);
                }
            }
            match slot.alarm {
                None => {}
                Some(Alarm::TimedOut) if slot.waker.is_some() => slot.queue(key, &mut late),
                Some(_) => slot.wake(),
            }
        }
    }

    fn wake_late(&self) {
        let (mut late, mut slots) = (self.late.borrow_mut(), self.slots.borrow_mut());
        let many = late.len().min(WOKEN_AT_ONCE);
        for key in late.drain(..many) {
            // Meanwhile it may be another's, or nobody's, or it was not late after all.
            let Some(slot) = slots.get_mut(key) else {
                continue;
            };
            slot.is_queued = false;
            if slot.alarm.is_some() {
                slot.wake();
            }
        }
    }
}

impl Slot {
    /// Whether its deadline has passed; one that is new begins now.
    fn is_late(&mut self, now: Instant) -> bool {
        if let Some(Deadline::After(span)) = self.deadline {
            self.deadline = now.checked_add(span).map(Deadline::At);
        }
        matches!(self.deadline, Some(Deadline::At(end)) if end <= now)
    }

    fn question(&mut self) {
        if !self.is_lasting {
            return;
        }
        self.is_questioned = true;
        self.alarm.get_or_insert(Alarm::Stale);
        self.wake();
    }

    /// Once: those that stay late would else always come first.
    fn queue(&mut self, key: usize, late: &mut VecDeque<usize>) {
        if !std::mem::replace(&mut self.is_queued, true) {
            late.push_back(key);
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn confirm(&mut self) {
        self.is_questioned = false;
        if self.alarm == Some(Alarm::Stale) {
            self.alarm = None;
        }
    }
}

impl Watched {
    /// The alarm, if there is one. It sees at once that an admission has ended.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        let slots = self.watch.slots.borrow();
        let slot = slots.get(self.key)?;
        let ended = slot
            .admission
            .as_ref()
            .and_then(|admission| admission.ended());
        ended.map(Alarm::Ended).or(slot.alarm)
    }

    /// Ready once there is an alarm; the task is woken then. Only the last task that asked is.
    pub fn poll_alarm(&self, cx: &Context<'_>) -> Poll<Alarm> {
        let alarm = self.alarm();
        // Registered whatever the alarm is: a graver one may follow.
        if let Some(slot) = self.watch.slots.borrow_mut().get_mut(self.key) {
            match &mut slot.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        alarm.map_or(Poll::Pending, Poll::Ready)
    }

    /// Raises [`Alarm::TimedOut`] after `span` from now; an earlier deadline is forgotten, and so is
    /// an alarm of it that nobody saw.
    pub fn set_deadline(&self, span: Duration) {
        self.deadline(Some(Deadline::After(span)));
    }

    /// Forgets the deadline.
    pub fn clear_deadline(&self) {
        self.deadline(None);
    }

    /// From now on it ends with its credential, and is told when its principal changes.
    pub fn set_lasting(&self) {
        if let Some(slot) = self.watch.slots.borrow_mut().get_mut(self.key) {
            slot.is_lasting = true;
        }
    }

    /// As [`Watch::question_all`], of this alone.
    pub fn question(&self) {
        if let Some(slot) = self.watch.slots.borrow_mut().get_mut(self.key) {
            slot.question();
        }
    }

    /// It still may, and rests on what it rested on.
    pub fn confirm(&self) {
        if let Some(slot) = self.watch.slots.borrow_mut().get_mut(self.key) {
            slot.confirm();
        }
    }

    /// Rests on `admission` from now on, which was made again for the same credential.
    pub fn renew(&self, admission: Arc<Admission>) {
        if let Some(slot) = self.watch.slots.borrow_mut().get_mut(self.key) {
            slot.admission = Some(admission);
            slot.confirm();
        }
    }

    /// Rests on no admission from now on: what is still to come is given whatever is revoked.
    pub fn release(&self) {
        let mut slots = self.watch.slots.borrow_mut();
        let slot = slots.get_mut(self.key);
        let admission = slot.and_then(|slot| {
            slot.is_lasting = false;
            slot.is_questioned = false;
            slot.alarm = None;
            slot.admission.take()
        });
        drop(slots);
        // Dropped after the borrow, as in `drop`.
        drop(admission);
    }

    fn deadline(&self, at: Option<Deadline>) {
        if let Some(slot) = self.watch.slots.borrow_mut().get_mut(self.key) {
            slot.deadline = at;
            if slot.alarm == Some(Alarm::TimedOut) {
                slot.alarm = None;
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let slot = self.watch.slots.borrow_mut().try_remove(self.key);
        // Dropped after the borrow: it may hold the last reference to an admission.
        drop(slot);
    }
}

#[cfg(test)]
mod tests;
