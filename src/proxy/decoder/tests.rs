use proptest::prelude::*;

use super::*;

/// The data and the trailers of a body, or the error; and what was left behind it.
type Outcome = (Result<(Vec<u8>, HeaderMap), String>, Vec<u8>);

/// Decodes a connection's bytes that come in pieces of these sizes and then in one, to its end.
fn decode(mut decoder: Decoder, bytes: &[u8], pieces: &[usize]) -> Outcome {
    let mut input = BytesMut::new();
    let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
    let (mut rest, mut pieces) = (bytes, pieces.iter());
    loop {
        match decoder.next(&mut input) {
            Err(error) => return (Err(format!("{error:?}")), Vec::new()),
            Ok(Some(frame)) => match frame.into_data() {
                Ok(piece) => {
                    assert!(!piece.is_empty());
                    data.extend(piece);
                }
                Err(frame) => trailers = frame.into_trailers().unwrap(),
            },
            Ok(None) if decoder.is_done() => {
                input.extend_from_slice(rest);
                return (Ok((data, trailers)), input.to_vec());
            }
            Ok(None) if rest.is_empty() => {
                let end = decoder.end().map_err(|error| format!("{error:?}"));
                return (end.map(|()| (data, trailers)), Vec::new());
            }
            Ok(None) => {
                let piece = pieces.next().copied().unwrap_or(rest.len());
                let (piece, behind) = rest.split_at(piece.clamp(1, rest.len()));
                input.extend_from_slice(piece);
                rest = behind;
            }
        }
    }
}

fn chunked() -> Decoder {
    Decoder::Chunked(Dechunker::default())
}

#[test]
fn a_body_ends_where_its_framing_says() {
    let (body, left) = decode(Decoder::Length(5), b"hello, world", &[2, 2]);
    assert_eq!(
        (body.unwrap().0, left),
        (b"hello".to_vec(), b", world".to_vec())
    );
    let (body, _) = decode(Decoder::ToTheEnd, b"hello, world", &[2, 2]);
    assert_eq!(body.unwrap().0, b"hello, world");
    let bytes = b"5;a=b\r\nhello\r\n0\r\nA: b\r\na:  c \r\n\r\nleft";
    let (body, left) = decode(chunked(), bytes, &[]);
    let (data, trailers) = body.unwrap();
    assert_eq!((data, left), (b"hello".to_vec(), b"left".to_vec()));
    let trailers: Vec<_> = trailers.get_all("a").iter().collect();
    assert_eq!(trailers, ["b", "c"]);
}

#[test]
fn the_end_shows_with_the_last_data() {
    let mut decoder = chunked();
    let mut input = BytesMut::from("2\r\nok\r\n0\r\n\r\n");
    decoder.next(&mut input).unwrap().unwrap();
    assert!(decoder.is_done());
}

#[test]
fn a_body_that_ends_early_is_cut() {
    for (decoder, bytes) in [
        (Decoder::Length(5), "hell"),
        (chunked(), ""),
        (chunked(), "5\r\nhello\r\n"),
        (chunked(), "5\r\nhello\r\n0\r\n"),
        (chunked(), "5\r\nhello\r\n0\r\na: b\r\n"),
    ] {
        let (body, _) = decode(decoder, bytes.as_bytes(), &[]);
        assert_eq!(body.unwrap_err(), "Closed", "{bytes}");
    }
}

#[test]
fn what_is_no_chunk_is_named() {
    for (bytes, error) in [
        ("x\r\n", "Malformed(ChunkSize)"),
        ("-1\r\n", "Malformed(ChunkSize)"),
        ("0x1\r\n", "Malformed(ChunkSize)"),
        ("\r\n", "Malformed(ChunkSize)"),
        ("10000000000000000\r\n", "Malformed(ChunkSize)"),
        ("1 \r\n", "Malformed(ChunkSize)"),
        ("1\n", "Malformed(ChunkSize)"),
        ("1;a\n", "Malformed(ChunkExtension)"),
        ("1\r\nab", "Malformed(ChunkEnd)"),
        ("1\r\na\n", "Malformed(ChunkEnd)"),
        ("0\r\na b: c\r\n\r\n", "Malformed(SpaceBeforeColon)"),
        ("0\r\na: \0\r\n\r\n", "Malformed(HeaderValue)"),
        ("0\r\na: b\n\r\n", "Malformed(BareLineFeed)"),
    ] {
        let (body, _) = decode(chunked(), bytes.as_bytes(), &[]);
        assert_eq!(body.unwrap_err(), error, "{bytes}");
    }
    let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
    let (body, _) = decode(chunked(), many.as_bytes(), &[]);
    assert_eq!(body.unwrap_err(), "TooManyHeaders");
    let (body, _) = decode(
        chunked(),
        format!("0\r\na: {}", "x".repeat(9000)).as_bytes(),
        &[],
    );
    assert_eq!(body.unwrap_err(), "Malformed(TrailersTooLarge)");
}

/// Chunked bytes, good and bad.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "3\r\nabc\r\n",
        "1;x=y\r\na\r\n",
        "00a\r\n0123456789\r\n",
        "0\r\n",
        "\r\n",
        "A: b\r\n",
        "\n",
        "\r",
        "3",
        "g",
        ";",
        "abc",
    ]);
    let pieces = prop::collection::vec(piece, 0..8);
    prop_oneof![
        pieces.clone().prop_map(|pieces| pieces.concat()),
        pieces.prop_map(|pieces| format!("{}0\r\n\r\nleft", pieces.concat())),
    ]
    .prop_map(String::into_bytes)
}

/// The plainest reading of a chunked body that is whole: its data, and how many bytes it takes.
fn reference(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut data, mut at) = (Vec::new(), 0);
    let line = |at: usize| {
        let end = at + bytes[at..].windows(2).position(|pair| pair == b"\r\n")?;
        Some((std::str::from_utf8(&bytes[at..end]).ok()?, end + 2))
    };
    loop {
        let (size, next) = line(at)?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        at = next;
        if size == 0 {
            break;
        }
        data.extend(bytes.get(at..at + size)?);
        at = line(at + size).filter(|(empty, _)| empty.is_empty())?.1;
    }
    loop {
        let (trailer, next) = line(at)?;
        at = next;
        if trailer.is_empty() {
            return Some((data, at));
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, pieces: Vec<usize>) {
        let _ = decode(chunked(), &bytes, &pieces);
    }

    #[test]
    fn the_pieces_do_not_matter(
        bytes in stream(),
        pieces in prop::collection::vec(1_usize..12, 0..60),
        length in 0_u64..20,
    ) {
        for decoder in [chunked as fn() -> Decoder, || Decoder::ToTheEnd] {
            let whole = decode(decoder(), &bytes, &[]);
            prop_assert_eq!(&decode(decoder(), &bytes, &pieces), &whole);
            prop_assert_eq!(&decode(decoder(), &bytes, &vec![1; bytes.len()]), &whole);
        }
        let whole = decode(Decoder::Length(length), &bytes, &[]);
        prop_assert_eq!(decode(Decoder::Length(length), &bytes, &pieces), whole);
    }

    /// Whatever is read as a chunked body, the plainest reading reads alike.
    #[test]
    fn the_plainest_reading_is_the_same(bytes in stream()) {
        let (body, left) = decode(chunked(), &bytes, &[]);
        if let Ok((data, _)) = body {
            prop_assert_eq!(reference(&bytes), Some((data, bytes.len() - left.len())));
        }
    }

    #[test]
    fn what_was_sent_in_chunks_comes_out_whole(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
        pieces in prop::collection::vec(1_usize..200, 0..20),
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend(format!("{:X}\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\nleft");
        let (body, left) = decode(chunked(), &bytes, &pieces);
        prop_assert_eq!(body, Ok((chunks.concat(), HeaderMap::new())));
        prop_assert_eq!(left, b"left");
    }
}
