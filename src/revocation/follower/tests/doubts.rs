//! What is a doubt, and how it is settled.

use super::*;

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
