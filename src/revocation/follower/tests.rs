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
fn a_number_that_is_left_out_is_a_doubt() {
    let mut follower = following();
    let six = entry(6);
    follower.heard(read(&[six, entry(8)], 1100));
    run(
        &mut follower,
        &[
            (Step::Apply(vec![six]), None),
            (connect(0), Some(Heard::Connected(beat(8)))),
        ],
    );
    run(&mut follower, &settled(Doubt::Gap, beat(9)));
    // The doubt was settled as of 9.
    follower.heard(answered(beat(9), 3000));
    assert_eq!(follower.next_step(), confirm(3000));
}

#[test]
fn another_server_is_a_doubt_and_its_log_counts_from_its_own_end() {
    let mut follower = following();
    follower.heard(Heard::Lost);
    let to_b = || (connect(0), Some(Heard::Connected(of_server("b", 3))));
    run(&mut follower, &[to_b()]);
    let (first, second) = (entry(4), entry(5));
    run(
        &mut follower,
        &[
            (Step::Beat, Some(answered(of_server("b", 3), 2000))),
            (
                Step::Doubt(Doubt::Server),
                Some(Heard::ToSendAgain([first, second].into())),
            ),
            (Step::SendAgain(vec![first, second]), Some(Heard::Done)),
            (Step::Open, None),
            (Step::Recheck, Some(Heard::Done)),
            (Step::Beat, Some(answered(of_server("b", 4), 2100))),
            (
                Step::Read {
                    after: 3,
                    wait: at(500),
                },
                None,
            ),
        ],
    );
}

#[test]
fn a_doubt_stays_until_it_is_settled_whatever_comes_between() {
    for cut_at in 0..5 {
        let mut follower = following();
        follower.heard(Heard::Lost);
        let script = [
            (connect(0), Some(Heard::Connected(of_server("b", 3)))),
            (Step::Beat, Some(answered(of_server("b", 3), 2000))),
            (
                Step::Doubt(Doubt::Server),
                Some(Heard::ToSendAgain([entry(4)].into())),
            ),
            (Step::SendAgain(vec![entry(4)]), Some(Heard::Done)),
            (Step::Open, None),
            (Step::Recheck, Some(Heard::Done)),
        ];
        for (_, heard) in &script[..cut_at] {
            let _ = follower.next_step();
            heard
                .clone()
                .into_iter()
                .for_each(|heard| follower.heard(heard));
        }
        follower.due.clear();
        follower.heard(Heard::Lost);

        let Step::Connect { .. } = follower.next_step() else {
            panic!("not connecting after {cut_at} steps");
        };
        follower.heard(Heard::Connected(of_server("b", 9)));

        run(&mut follower, &settled(Doubt::Server, of_server("b", 9)));
    }
}

#[test]
fn every_sign_of_something_missed_is_a_doubt() {
    let trimmed = Beat {
        trimmed_to: 6,
        ..beat(9)
    };
    for (found, doubt) in [
        (of_server("b", 5), Doubt::Server),
        (beat(4), Doubt::Rewound),
        (trimmed, Doubt::Trimmed),
    ] {
        let mut connected = following();
        connected.heard(Heard::Lost);
        let step = (connect(0), Some(Heard::Connected(found.clone())));
        run(&mut connected, &[step]);
        run(&mut connected, &settled(doubt, found.clone()));

        let mut live = following();
        live.heard(answered(found.clone(), 1500));
        let step = (connect(0), Some(Heard::Connected(found.clone())));
        run(&mut live, &[step]);
        run(&mut live, &settled(doubt, found));
    }
}

#[test]
fn a_log_trimmed_up_to_what_was_applied_is_no_doubt() {
    let mut follower = following();
    follower.heard(Heard::Lost);
    let trimmed = Beat {
        trimmed_to: 5,
        ..beat(9)
    };
    let script = [
        (connect(0), Some(Heard::Connected(trimmed))),
        (Step::Open, None),
        (Step::Beat, None),
    ];
    run(&mut follower, &script);
}

#[test]
fn an_unsure_beat_confirms_nothing_and_settles_no_doubt() {
    let mut follower = following();
    follower.heard(answered(unsure(5), 1500));
    let wait = at(500);
    let six = entry(6);
    let script = [
        (Step::Read { after: 5, wait }, Some(read(&[six], 1600))),
        (Step::Apply(vec![six]), None),
        (
            Step::Read {
                after: 6,
                wait: at(400),
            },
            Some(Heard::Lost),
        ),
        (connect(0), Some(Heard::Connected(of_server("b", 6)))),
    ];
    run(&mut follower, &script);
    let unsure = Beat {
        is_sure: false,
        ..of_server("b", 6)
    };
    let script = [
        (Step::Beat, Some(answered(unsure, 2000))),
        (Step::Wait(at(500)), Some(Heard::Done)),
    ];
    run(&mut follower, &script);
    run(&mut follower, &settled(Doubt::Server, of_server("b", 6)));
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
fn another_store_or_none_is_never_believed_until_the_old_one_is_back() {
    let none = Beat {
        store: None,
        ..of_server("b", 0)
    };
    let other = Beat {
        store: Some(StoreId(uuid::Uuid::from_u128(2))),
        ..beat(5)
    };
    for found in [none, other] {
        let mut follower = following();
        follower.heard(answered(found.clone(), 1500));
        run(
            &mut follower,
            &[
                (Step::Replace, None),
                (connect(0), Some(Heard::Connected(found.clone()))),
                (Step::Replace, None),
                (connect(50), Some(Heard::Connected(found))),
                (Step::Replace, None),
                (connect(100), Some(Heard::Connected(beat(5)))),
            ],
        );
        run(&mut follower, &settled(Doubt::Replaced, beat(5)));
    }
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

#[test]
fn many_are_sent_again_in_few_steps() {
    let mut follower = following();
    follower.heard(Heard::Lost);
    let many: Vec<Entry> = (4..604).map(entry).collect();
    run(
        &mut follower,
        &[
            (connect(0), Some(Heard::Connected(of_server("b", 3)))),
            (Step::Beat, Some(answered(of_server("b", 3), 2000))),
            (
                Step::Doubt(Doubt::Server),
                Some(Heard::ToSendAgain(many.clone().into())),
            ),
        ],
    );

    let mut sent = Vec::new();
    let mut steps = 0;
    while let Step::SendAgain(entries) = follower.next_step() {
        assert!(!entries.is_empty() && entries.len() <= TOGETHER);
        sent.extend(entries);
        steps += 1;
        follower.heard(Heard::Done);
    }

    assert_eq!((steps, sent), (3, many));
    assert_eq!(follower.next_step(), Step::Recheck, "after it was opened");
}

#[test]
fn a_store_that_was_never_believed_binds_nobody() {
    let other = || Beat {
        store: Some(StoreId(uuid::Uuid::from_u128(2))),
        ..unsure(7)
    };
    let mut follower = Follower::new(PACE);
    run(
        &mut follower,
        &[
            (connect(0), Some(Heard::Connected(other()))),
            (Step::Open, None),
            (Step::Beat, Some(answered(other(), 1000))),
        ],
    );
    follower.heard(Heard::Lost);

    run(
        &mut follower,
        &[
            (connect(0), Some(Heard::Connected(beat(3)))),
            (Step::Beat, Some(answered(beat(3), 2000))),
            (
                Step::Doubt(Doubt::Replaced),
                Some(Heard::ToSendAgain([].into())),
            ),
            (Step::Open, None),
            (Step::Recheck, Some(Heard::Done)),
            (Step::Beat, Some(answered(beat(3), 2100))),
            (confirm(2100), None),
        ],
    );
    follower.heard(Heard::Lost);
    run(
        &mut follower,
        &[
            (connect(0), Some(Heard::Connected(other()))),
            (Step::Replace, None),
        ],
    );
}
