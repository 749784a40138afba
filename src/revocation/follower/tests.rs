mod doubts;

use super::*;
use crate::domain::{KeyId, Timestamp, UserId};
use crate::store::Change;

const PACE: Pace = Pace {
    beat: Duration::from_millis(500),
    unsure: Duration::from_secs(2),
};

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn beat(last: u64) -> Beat {
    Beat {
        store: Some(StoreId(uuid::Uuid::from_u128(1))),
        server: ServerId("a".to_owned()),
        last,
        trimmed_to: 0,
        time: Timestamp::from_secs(0),
        is_sure: true,
    }
}

fn of_server(server: &str, last: u64) -> Beat {
    Beat {
        server: ServerId(server.to_owned()),
        ..beat(last)
    }
}

fn unsure(last: u64) -> Beat {
    Beat {
        is_sure: false,
        ..beat(last)
    }
}

fn entry(number: u64) -> Entry {
    let change = Change::Key {
        user: UserId::new(),
        key: KeyId::new(),
    };
    Entry {
        number,
        change,
        epoch: None,
        forget_at: None,
    }
}

fn answered(beat: Beat, millis: u64) -> Heard {
    Heard::Beat {
        beat,
        sent_at: at(millis),
    }
}

fn read(entries: &[Entry], millis: u64) -> Heard {
    Heard::Entries {
        entries: entries.to_vec(),
        at: at(millis),
    }
}

fn connect(millis: u64) -> Step {
    Step::Connect { pause: at(millis) }
}

const fn confirm(millis: u64) -> Step {
    Step::Confirm { since: at(millis) }
}

/// Takes one step after the other as it must come, and says what came of those that are answered.
#[track_caller]
fn run(follower: &mut Follower, script: &[(Step, Option<Heard>)]) {
    for (index, (step, heard)) in script.iter().enumerate() {
        assert_eq!(follower.next_step(), *step, "step {index}");
        if let Some(heard) = heard {
            follower.heard(heard.clone());
        }
    }
}

/// Follows server `a` from change 5 on; the last beat was sent at 1000.
fn following() -> Follower {
    let mut follower = Follower::new(PACE);
    run(
        &mut follower,
        &[
            (connect(0), Some(Heard::Connected(beat(5)))),
            (Step::Open, None),
            (Step::Beat, Some(answered(beat(5), 1000))),
            (confirm(1000), None),
        ],
    );
    follower
}

/// What settles a doubt on `beat`, with nothing to be sent again.
fn settled(doubt: Doubt, beat: Beat) -> Vec<(Step, Option<Heard>)> {
    vec![
        (Step::Beat, Some(answered(beat, 2000))),
        (Step::Doubt(doubt), Some(Heard::ToSendAgain([].into()))),
        (Step::Open, None),
        (Step::Recheck, Some(Heard::Done)),
    ]
}

#[test]
fn a_first_connection_starts_at_the_end_of_the_log_and_doubts_nothing() {
    let mut follower = following();
    let wait = at(500);
    assert_eq!(follower.next_step(), Step::Read { after: 5, wait });
}

#[test]
fn knowledge_counts_from_when_a_beat_was_sent_and_once_its_changes_are_applied() {
    let mut follower = following();
    let (six, seven, eight) = (entry(6), entry(7), entry(8));
    run(
        &mut follower,
        &[
            (
                Step::Read {
                    after: 5,
                    wait: at(500),
                },
                Some(read(&[], 1500)),
            ),
            (Step::Beat, Some(answered(beat(7), 1501))),
            (
                Step::Read {
                    after: 5,
                    wait: at(500),
                },
                Some(read(&[six], 1600)),
            ),
            (Step::Apply(vec![six]), None),
            (
                Step::Read {
                    after: 6,
                    wait: at(401),
                },
                Some(read(&[seven, eight], 1700)),
            ),
            (Step::Apply(vec![seven, eight]), None),
            (confirm(1501), None),
            (
                Step::Read {
                    after: 8,
                    wait: at(301),
                },
                None,
            ),
        ],
    );
}

#[test]
fn a_log_that_keeps_back_what_a_beat_promised_is_asked_for_another_beat() {
    let mut follower = following();
    let wait = at(500);
    let script = [
        (Step::Read { after: 5, wait }, Some(read(&[], 1500))),
        (Step::Beat, Some(answered(beat(7), 1500))),
        (Step::Read { after: 5, wait }, Some(read(&[], 1700))),
        (Step::Beat, None),
    ];
    run(&mut follower, &script);
}

#[test]
fn what_was_applied_already_is_passed_over() {
    let mut follower = following();
    let six = entry(6);
    follower.heard(read(&[entry(4), entry(5), six, six], 1100));
    assert_eq!(follower.next_step(), Step::Apply(vec![six]));
}

#[test]
fn a_server_that_stays_unsure_is_left_for_another() {
    let mut follower = following();
    for sent in [1500, 2000, 2500, 3499] {
        follower.heard(answered(unsure(5), sent));
        assert!(matches!(follower.next_step(), Step::Read { .. }), "{sent}");
    }
    follower.heard(answered(unsure(5), 3500));
    assert_eq!(follower.next_step(), connect(0));
}

#[test]
fn the_first_retry_comes_at_once_and_the_others_ever_later() {
    let mut follower = following();
    for pause in [0, 50, 100, 200, 400, 800, 1000, 1000] {
        follower.heard(Heard::Lost);
        assert_eq!(follower.next_step(), connect(pause));
    }
    // A server that answers and is lost again and again is no reason to hurry.
    follower.heard(Heard::Connected(beat(5)));
    assert_eq!(
        [follower.next_step(), follower.next_step()],
        [Step::Open, Step::Beat]
    );
    follower.heard(answered(unsure(5), 2000));
    follower.heard(Heard::Lost);
    assert_eq!(follower.next_step(), connect(1000));
    follower.heard(Heard::Connected(beat(5)));
    follower.heard(answered(beat(5), 3000));
    follower.due.clear();
    follower.heard(Heard::Lost);
    assert_eq!(follower.next_step(), connect(0));
}
