use std::time::Duration;

use dariet_gateway::store::{Limit, LimitKey, Verdict};

use crate::support::{Made, at, at_once, wait};

const MINUTE: Duration = Duration::from_mins(1);

fn limit(subject: &str, burst: u32) -> Limit {
    Limit {
        key: LimitKey::new("suite", &[subject.as_bytes()]),
        burst,
        every: MINUTE,
    }
}

pub(crate) async fn limits_are_taken_together_or_not_at_all(make: &dyn Fn() -> Made) {
    let store = make();
    let (tight, wide) = (limit("tight", 1), limit("wide", 3));

    let first = store.take(&[wide, tight], at(0)).await.unwrap();
    let refused = store.take(&[wide, tight], at(0)).await.unwrap();

    assert_eq!(first, Verdict::Pass);
    assert_eq!(refused, Verdict::Wait(MINUTE));
    for _ in 0..2 {
        assert_eq!(store.take(&[wide], at(0)).await.unwrap(), Verdict::Pass);
    }
    let wide = store.take(&[wide], at(0)).await.unwrap();
    assert_eq!(wide, Verdict::Wait(MINUTE));
    assert_eq!(store.take(&[], at(0)).await.unwrap(), Verdict::Pass);
}

pub(crate) async fn a_limit_lets_a_burst_pass_and_then_one_in_each_span(make: &dyn Fn() -> Made) {
    let store = make();
    let limit = limit("one", 2);
    let mut passed = Vec::new();

    for second in (0..=300).step_by(10) {
        while store.take(&[limit], at(second)).await.unwrap() == Verdict::Pass {
            passed.push(second);
        }
    }

    assert_eq!(passed, [0, 0, 60, 120, 180, 240, 300]);
}

pub(crate) async fn threads_share_one_limit(make: &dyn Fn() -> Made) {
    let store = make();
    let limits = [limit("shared", 7)];
    let take = |_| || wait(store.take(&limits, at(0))).unwrap();

    let verdicts = at_once((0..20).map(take).collect());

    let passed = verdicts.iter().filter(|verdict| **verdict == Verdict::Pass);
    assert_eq!(passed.count(), 7);
}
