//! Session tokens: only the one that was signed is taken, byte for byte.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use dariet_gateway::auth::{KeyRing, SigningKey, Tokens};
use dariet_gateway::config::Algorithm;
use dariet_gateway::domain::{Timestamp, UserId};
use libfuzzer_sys::fuzz_target;

struct World {
    tokens: Tokens,
    good: String,
}

const NOW: Timestamp = Timestamp::from_secs(1_773_828_000);

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let ring = KeyRing::single(key).expect("a ring");
    let tokens = Tokens::new(
        ring,
        "https://a.example",
        "https://a.example",
        Duration::from_secs(60),
    );
    let issued = tokens.issue(UserId::new(), 0, NOW).expect("a token");
    let good = issued.token.expose().to_owned();
    World { tokens, good }
});

fuzz_target!(|data: &[u8]| {
    let World { tokens, good } = &*WORLD;
    // Any text, and the good token with some bytes exchanged, cut out or put in.
    let mut texts = vec![data.to_vec()];
    let mut changed = good.clone().into_bytes();
    for step in data.chunks_exact(3) {
        let at = (usize::from(step[0]) * 256 + usize::from(step[1])) % (changed.len() + 1);
        match step[1] % 3 {
            0 if at < changed.len() => changed[at] = step[2],
            1 if at < changed.len() => drop(changed.remove(at)),
            _ => changed.insert(at, step[2]),
        }
    }
    texts.push(changed);
    for text in texts {
        if let Ok(text) = std::str::from_utf8(&text)
            && text != good
        {
            assert!(tokens.verify(text, NOW).is_err(), "{text}");
        }
    }
    assert!(tokens.verify(good, NOW).is_ok());
});
