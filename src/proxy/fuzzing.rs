//! Doors for `fuzz/`; nobody else can build them.

use std::sync::atomic::AtomicU64;

use bytes::BytesMut;
use http::HeaderMap;

use super::AnswerError;
use super::answer_head::{Head, HeadReader};
use super::decoder::Decoder;

/// What was read of an upstream's bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReadAnswer {
    /// The status and the headers, where the head is whole.
    pub head: Option<(u16, HeaderMap)>,
    /// How often the body was asked for.
    pub continues: usize,
    /// Whether the connection may carry another exchange.
    pub may_keep: bool,
    /// What came of the body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Option<HeaderMap>,
    /// Whether the body came to its end.
    pub is_whole: bool,
    /// What stands behind it, and would be of another answer.
    pub left: Vec<u8>,
    /// What was wrong.
    pub error: Option<String>,
}

/// Reads an answer out of bytes that come in these pieces.
#[must_use]
pub fn read_answer(pieces: &[&[u8]], is_head: bool) -> ReadAnswer {
    let mut read = ReadAnswer::default();
    if let Err(error) = read.fill(pieces, is_head) {
        read.error = Some(error.to_string());
    }
    read
}

impl ReadAnswer {
    fn fill(&mut self, pieces: &[&[u8]], is_head: bool) -> Result<(), AnswerError> {
        let dropped = AtomicU64::new(0);
        let mut reader = HeadReader::new(is_head, HeaderMap::new(), &dropped);
        let mut decoder = None;
        let mut input = BytesMut::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while decoder.is_none() {
                match reader.read(&mut input)? {
                    None => break,
                    Some(Head::Continue) => self.continues += 1,
                    Some(Head::Final(head)) => {
                        self.head = Some((head.status.as_u16(), head.headers));
                        self.may_keep = head.may_keep;
                        decoder = Some(head.body);
                    }
                }
            }
            if let Some(decoder) = &mut decoder {
                self.take(decoder, &mut input)?;
            }
        }
        if self.is_whole {
            self.left = input.to_vec();
        }
        Ok(())
    }

    fn take(&mut self, decoder: &mut Decoder, input: &mut BytesMut) -> Result<(), AnswerError> {
        while let Some(frame) = decoder.next(input)? {
            match frame.into_data() {
                Ok(data) => self.body.extend(data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        self.is_whole = decoder.is_done();
        Ok(())
    }
}
