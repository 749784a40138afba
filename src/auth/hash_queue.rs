use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

/// Which work waits behind which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Log-ins: anybody can send them.
    Login,
    /// Password changes, resets and new users: their senders have shown who they are.
    Change,
}

/// Work that somebody waits for, or not any more.
pub(super) trait Awaited {
    /// Whether the one who asked went away.
    fn is_abandoned(&self) -> bool;
}

/// Two bounded queues that are served in turn, so that neither can starve the other.
#[derive(Debug)]
pub(super) struct HashQueue<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
}

/// The lane is full, or the queue was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl<J: Awaited> HashQueue<J> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                login: VecDeque::new(),
                change: VecDeque::new(),
                turn: Lane::Login,
                is_open: true,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds `job` at the end of `lane`.
    pub(super) fn push(&self, lane: Lane, job: J) -> Result<(), Full> {
        let mut state = self.state.lock();
        let is_open = state.is_open;
        let (queue, bound) = state.lane(lane);
        if queue.len() >= bound {
            // A flood of clients that hang up must not keep the others out.
            queue.retain(|job| !job.is_abandoned());
        }
        if !is_open || queue.len() >= bound {
            return Err(Full);
        }
        queue.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Whether `lane` would take another.
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        let mut state = self.state.lock();
        let (queue, bound) = state.lane(lane);
        queue.len() < bound
    }

    /// The next job that is still waited for, when there is one; none when the queue was closed.
    pub(super) fn pop(&self) -> Option<J> {
        let mut state = self.state.lock();
        loop {
            if !state.is_open {
                return None;
            }
            match state.next() {
                Some(job) if job.is_abandoned() => {}
                Some(job) => return Some(job),
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Lets nobody in any more, drops what waits, and ends every [`HashQueue::pop`].
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_open = false;
        state.login.clear();
        state.change.clear();
        drop(state);
        self.changed.notify_all();
    }
}

#[derive(Debug)]
struct State<J> {
    login: VecDeque<J>,
    change: VecDeque<J>,
    /// Whose turn it is.
    turn: Lane,
    is_open: bool,
}

impl<J> State<J> {
    fn lane(&mut self, lane: Lane) -> (&mut VecDeque<J>, usize) {
        match lane {
            Lane::Login => (&mut self.login, LOGINS_WAITING),
            Lane::Change => (&mut self.change, CHANGES_WAITING),
        }
    }

    fn next(&mut self) -> Option<J> {
        let (first, second) = match self.turn {
            Lane::Login => (Lane::Login, Lane::Change),
            Lane::Change => (Lane::Change, Lane::Login),
        };
        if let Some(job) = self.lane(first).0.pop_front() {
            self.turn = second;
            return Some(job);
        }
        self.lane(second).0.pop_front()
    }
}

/// At 30 ms a hash the last of them waits two seconds, which a person at a log-in still does.
const LOGINS_WAITING: usize = 64;
const CHANGES_WAITING: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Job(u32, bool);

    impl Awaited for Job {
        fn is_abandoned(&self) -> bool {
            self.1
        }
    }

    fn job(number: u32) -> Job {
        Job(number, false)
    }

    #[test]
    fn the_lanes_are_served_in_turn() {
        let queue = HashQueue::new();
        for number in 0..4 {
            queue.push(Lane::Login, job(number)).unwrap();
        }
        for number in 10..12 {
            queue.push(Lane::Change, job(number)).unwrap();
        }
        let order: Vec<_> = (0..6).map(|_| queue.pop().unwrap().0).collect();
        assert_eq!(order, [0, 10, 1, 11, 2, 3]);
    }

    #[test]
    fn log_ins_cannot_fill_the_lane_of_changes() {
        let queue = HashQueue::new();
        for number in 0..64 {
            queue.push(Lane::Login, job(number)).unwrap();
        }
        assert_eq!(queue.push(Lane::Login, job(64)), Err(Full));
        for number in 0..16 {
            queue.push(Lane::Change, job(number)).unwrap();
        }
        assert_eq!(queue.push(Lane::Change, job(16)), Err(Full));
    }

    #[test]
    fn who_went_away_is_skipped_and_keeps_nobody_out() {
        let queue = HashQueue::new();
        for number in 0..64 {
            queue.push(Lane::Login, Job(number, true)).unwrap();
        }
        queue.push(Lane::Login, job(64)).unwrap();
        queue.push(Lane::Change, Job(1, true)).unwrap();
        queue.push(Lane::Change, job(2)).unwrap();
        assert_eq!(queue.pop(), Some(job(64)));
        assert_eq!(queue.pop(), Some(job(2)));
    }

    #[test]
    fn a_closed_queue_takes_and_gives_nothing() {
        let queue = HashQueue::new();
        queue.push(Lane::Login, job(1)).unwrap();
        queue.close();
        assert_eq!(queue.pop(), None);
        assert_eq!(queue.push(Lane::Change, job(2)), Err(Full));
    }
}
