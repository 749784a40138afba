//! Answers of upstreams: the same head and body, however the bytes are split, and nothing that concerned
//! the connection.

#![no_main]

use dariet_gateway::proxy::fuzzing::{ReadAnswer, read_answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, stream)) = data.split_first() else {
        return;
    };
    let is_head = choice & 0x80 != 0;
    let whole = read_answer(&[stream], is_head);
    let pieces: Vec<_> = stream.chunks(usize::from(choice % 16) + 1).collect();
    let split = read_answer(&pieces, is_head);
    assert_eq!(whole, split);
    let ReadAnswer {
        head, body, left, ..
    } = whole;
    assert!(body.len() + left.len() <= stream.len());
    let Some((status, headers)) = head else {
        return;
    };
    assert!((101..=999).contains(&status) && status != 103);
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert!(headers.get_all("content-length").iter().count() <= 1);
    assert!(!is_head || body.is_empty());
});
