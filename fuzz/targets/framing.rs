//! The framing of HTTP/1: the same requests, however the bytes are split.

#![no_main]

use bytes::BytesMut;
use dariet_gateway::http::{FramingError, Piece, Requests};
use libfuzzer_sys::fuzz_target;

const MAX_HEAD: usize = 4096;

/// What was read of the bytes: a line for each head and all trailers, bodies as they were, and what was
/// wrong behind them.
fn read(pieces: &[&[u8]]) -> (Vec<u8>, Option<FramingError>) {
    let mut requests = Requests::new(MAX_HEAD);
    let (mut held, mut seen) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let (before, was_in_body) = (held.len(), requests.is_in_body());
            match requests.next(&mut held) {
                Ok(None) if was_in_body && !requests.is_in_body() => {}
                Ok(None) => break,
                Ok(Some(Piece::Head(head))) => {
                    assert!(held.len() < before && before - held.len() <= MAX_HEAD + 2);
                    seen.extend(format!("{head:?}\n").bytes());
                }
                Ok(Some(Piece::Data(data))) => {
                    assert!(!data.is_empty());
                    seen.extend(data);
                }
                Ok(Some(Piece::Trailers(trailers))) => {
                    seen.extend(format!("{trailers:?}\n").bytes());
                }
                Err(error) => {
                    assert_eq!(requests.next(&mut held).err(), Some(error));
                    return (seen, Some(error));
                }
            }
        }
    }
    (seen, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, stream)) = data.split_first() else {
        return;
    };
    let whole = read(&[stream]);
    let pieces: Vec<_> = stream.chunks(usize::from(size % 16) + 1).collect();
    let split = read(&pieces);
    assert_eq!(whole, split);
});
