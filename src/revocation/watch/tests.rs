use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::config::OnStale;
use crate::domain::{
    CredentialId, Email, ManualClock, ManualUptime, Principal, Role, SessionId, Timestamp, Uptime,
    UserId, UserName,
};

const BOUND: Duration = Duration::from_secs(2);

fn admission() -> Arc<Admission> {
    let principal = Principal {
        user: UserId::new(),
        email: Email::parse("ada@example.com").unwrap(),
        name: UserName::parse("Ada").unwrap(),
        role: Role::Viewer,
        credential: CredentialId::Session(SessionId::new()),
    };
    Arc::new(Admission::new(principal, 0, None, Arc::default()))
}

fn look(watch: &Watch, now: Instant, freshness: &Freshness) {
    let clock = ManualClock::at(Timestamp::from_secs(1));
    watch.look(now, &clock, freshness);
}

/// The alarms of an exchange with an admission and of one without, `after` the last beat.
fn alarms(on_stale: OnStale, after: Duration) -> [Option<Alarm>; 2] {
    let uptime = Arc::new(ManualUptime::default());
    let freshness = Freshness::bounded(BOUND, on_stale, uptime.clone());
    freshness.confirm(uptime.elapsed());
    let watch = Watch::new();
    let (guarded, public) = (watch.over(Some(admission())), watch.over(None));
    uptime.advance(after);
    look(&watch, Instant::now(), &freshness);
    [guarded.alarm(), public.alarm()]
}

#[test]
fn exchanges_are_cut_at_the_bound_where_that_is_asked_for_and_public_ones_never() {
    let before = BOUND - Duration::from_nanos(1);
    assert_eq!(alarms(OnStale::Cut, before), [None, None]);
    assert_eq!(alarms(OnStale::Cut, BOUND), [Some(Alarm::Unverified), None]);
    assert_eq!(alarms(OnStale::Keep, BOUND), [None, None]);
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn those_that_are_late_together_are_woken_a_few_at_a_time() {
    let (watch, woken) = (Watch::new(), Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&woken));
    let count = || woken.0.load(Ordering::Relaxed);
    let late: Vec<_> = (0..2 * WOKEN_AT_ONCE + 1)
        .map(|_| watch.over(None))
        .collect();
    for one in &late {
        one.set_deadline(Duration::ZERO);
        assert!(one.poll_alarm(&Context::from_waker(&waker)).is_pending());
    }
    let ended = watch.over(Some(admission()));
    assert!(ended.poll_alarm(&Context::from_waker(&waker)).is_pending());
    let admission = watch.slots.borrow()[ended.key].admission.clone().unwrap();
    admission.end(Ended::Key);

    // What was revoked waits for nobody.
    look(&watch, Instant::now(), &Freshness::always());
    assert_eq!(count(), 1);
    watch.wake_late();
    assert_eq!(count(), 1 + WOKEN_AT_ONCE);
    // Who has ended meanwhile is nobody any more.
    drop(late);
    watch.wake_late();
    assert_eq!(count(), 1 + WOKEN_AT_ONCE);
}

#[test]
fn those_that_stay_late_do_not_keep_others_waiting() {
    let (watch, woken) = (Watch::new(), Arc::new(Woken::default()));
    let stuck: Vec<_> = (0..WOKEN_AT_ONCE).map(|_| watch.over(None)).collect();
    let waiting = watch.over(None);
    waiting.set_deadline(Duration::ZERO);
    let waker = Waker::from(Arc::clone(&woken));
    assert!(
        waiting
            .poll_alarm(&Context::from_waker(&waker))
            .is_pending()
    );

    for _ in 0..2 {
        for one in &stuck {
            one.set_deadline(Duration::ZERO);
            let _ = one.poll_alarm(&Context::from_waker(Waker::noop()));
        }
        look(&watch, Instant::now(), &Freshness::always());
        watch.wake_late();
    }

    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_deadline_begins_at_the_next_look_and_is_never_early() {
    let (watch, begin, second) = (Watch::new(), Instant::now(), Duration::from_secs(1));
    let one = watch.over(None);
    let alarm_at = |after| {
        look(&watch, begin + after, &Freshness::always());
        one.alarm()
    };

    one.set_deadline(second);
    assert_eq!(alarm_at(Duration::ZERO), None);
    assert_eq!(alarm_at(second - Duration::from_nanos(1)), None);
    assert_eq!(alarm_at(second), Some(Alarm::TimedOut));

    // Set anew, it begins anew.
    one.set_deadline(second);
    assert_eq!(one.alarm(), None);
    assert_eq!(alarm_at(second * 5), None);
    assert_eq!(alarm_at(second * 6), Some(Alarm::TimedOut));

    one.set_deadline(second);
    assert_eq!(alarm_at(second * 7), None);
    one.clear_deadline();
    assert_eq!(alarm_at(second * 9), None);
    one.set_deadline(Duration::MAX);
    assert_eq!(alarm_at(second * 10), None);
    assert_eq!(alarm_at(second * 1_000_000), None);
}
