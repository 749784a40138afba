//! The framing of HTTP/1: the same messages, however the bytes are split.

#![no_main]

use dariet_gateway::http::{Follower, FramingError};
use libfuzzer_sys::fuzz_target;

const MAX_HEAD: usize = 4096;

/// How many bytes were handed on, and what was wrong behind them.
fn follow(pieces: &[&[u8]]) -> (usize, Option<FramingError>) {
    let mut follower = Follower::new(MAX_HEAD);
    let (mut held, mut handed_on) = (Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        match follower.follow(&held) {
            Ok(good) => {
                assert!(good <= held.len());
                held.drain(..good);
                handed_on += good;
            }
            Err(error) => return (handed_on, Some(error)),
        }
    }
    (handed_on, follower.failure())
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, stream)) = data.split_first() else {
        return;
    };
    let whole = follow(&[stream]);
    let pieces: Vec<_> = stream.chunks(usize::from(size % 16) + 1).collect();
    let split = follow(&pieces);
    assert_eq!(whole, split);
});
