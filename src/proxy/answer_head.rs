#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::ext::ReasonPhrase;
use memchr::memchr;

use super::AnswerError;
use super::answer_error::{MAX_FIELDS, MAX_INTERIM};
use super::decoder::Decoder;
use crate::http::framing::{field_value, read_field};
use crate::http::header::{elements_of, lists};
use crate::http::hop_by_hop::{Named, stays_with_upstream};
use crate::http::{Dechunker, FramingError};

/// The head of an upstream's answer, as it is passed on: without what concerned the connection.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The reason, where it is not the usual one.
    pub(super) extensions: Extensions,
    pub(super) body: Decoder,
    /// Whether the connection may carry another exchange after the body.
    pub(super) may_keep: bool,
    /// Whether it names WebSocket as the protocol it has switched to.
    pub(super) is_websocket: bool,
    /// Whether it is a stream of events, which may be quiet.
    pub(super) is_event_stream: bool,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Head {
    /// `100 Continue`: the upstream wants the body.
    Continue,
    /// The answer.
    Final(AnswerHead),
}

/// Reads the head of an answer line by line, as it comes.
#[derive(Debug)]
pub(super) struct HeadReader<'a> {
    /// Whether the request was `HEAD`.
    is_head: bool,
    /// Counts interim answers that are dropped.
    dropped: &'a AtomicU64,
    interim: usize,
    /// Bytes of the head so far.
    length: usize,
    /// How far no line's end was found in what comes next.
    seen: usize,
    fields: usize,
    line: Option<StatusLine>,
    headers: HeaderMap,
    framing: Framing,
}

#[derive(Debug)]
struct StatusLine {
    status: StatusCode,
    is_old: bool,
    extensions: Extensions,
}

/// What the headers say of the body and the connection.
#[derive(Debug, Default)]
struct Framing {
    length: Option<Result<u64, FramingError>>,
    coding: Option<Result<(), FramingError>>,
    closes: bool,
    /// Whether `Connection` names more than `close` or `keep-alive`.
    has_list: bool,
    is_websocket: bool,
    is_event_stream: bool,
}

/// Bytes of a head, or of all interim ones together with it.
pub(super) const MAX_HEAD: usize = 64 * 1024;

impl<'a> HeadReader<'a> {
    /// A reader of the answer to a request. `spare` is emptied and used again.
    pub(super) fn new(is_head: bool, mut spare: HeaderMap, dropped: &'a AtomicU64) -> Self {
        spare.clear();
        Self {
            is_head,
            dropped,
            interim: 0,
            length: 0,
            seen: 0,
            fields: 0,
            line: None,
            headers: spare,
            framing: Framing::default(),
        }
    }

    /// Begins anew, with another answer to the same request.
    pub(super) fn begin_anew(&mut self) {
        let spare = std::mem::take(&mut self.headers);
        *self = Self::new(self.is_head, spare, self.dropped);
    }

    /// Whether nothing of an answer has come.
    pub(super) const fn is_untouched(&self) -> bool {
        self.length == 0 && self.seen == 0 && self.interim == 0
    }

    /// Takes lines from the front of `input` until a head is whole; nothing when more must come first.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Result<Option<Head>, AnswerError> {
        while let Some(end) = self.line_end(input)? {
            let line = input.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r\n");
            let line = line.ok_or(FramingError::BareLineFeed)?;
            match (&self.line, line) {
                (None, line) => {
                    self.line = Some(StatusLine::read(line)?);
                    input.advance(end);
                }
                (Some(_), []) => {
                    input.advance(end);
                    if let Some(head) = self.end()? {
                        return Ok(Some(head));
                    }
                }
                (Some(_), line) => {
                    let (name, value) = read_field(line)?;
                    self.fields += 1;
                    if self.fields > MAX_FIELDS {
                        return Err(AnswerError::TooManyHeaders);
                    }
                    let text = line.get(value.clone()).unwrap_or_default();
                    if name == CONNECTION && self.framing.take_connection(text) {
                        input.advance(end);
                        continue;
                    }
                    let mut text = input.split_to(end).freeze();
                    text.truncate(value.end);
                    text.advance(value.start);
                    self.take_field(name, field_value(text)?);
                }
            }
        }
        Ok(None)
    }

    /// Where the next line ends, behind its line feed.
    fn line_end(&mut self, input: &BytesMut) -> Result<Option<usize>, AnswerError> {
        let unseen = input.get(self.seen..).unwrap_or_default();
        let feed = memchr(b'\n', unseen);
        let end = feed.map_or(input.len(), |at| self.seen + at + 1);
        if self.length + end > MAX_HEAD {
            return Err(FramingError::HeadTooLarge.into());
        }
        if feed.is_none() {
            self.seen = end;
            return Ok(None);
        }
        self.seen = 0;
        self.length += end;
        Ok(Some(end))
    }

    fn take_field(&mut self, name: HeaderName, value: HeaderValue) {
        let framing = &mut self.framing;
        match name {
            CONTENT_LENGTH => framing.take_length(value.as_bytes()),
            TRANSFER_ENCODING => return framing.take_coding(value.as_bytes()),
            CONTENT_TYPE => framing.is_event_stream |= is_event_stream(value.as_bytes()),
            // The list is needed once all headers are there, and removed then.
            CONNECTION => framing.has_list = true,
            UPGRADE => {
                let mut protocols = elements_of(&value);
                framing.is_websocket |=
                    protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
                return;
            }
            _ if stays_with_upstream(&name) => return,
            _ => {}
        }
        self.headers.append(name, value);
    }

    /// A head is whole; nothing when it was an interim one that is dropped.
    fn end(&mut self) -> Result<Option<Head>, AnswerError> {
        let line = self.line.take().ok_or(AnswerError::StatusLine)?;
        let mut framing = std::mem::take(&mut self.framing);
        if line.status.is_informational() && line.status != StatusCode::SWITCHING_PROTOCOLS {
            self.headers.clear();
            self.fields = 0;
            self.count_interim()?;
            if line.status == StatusCode::CONTINUE {
                return Ok(Some(Head::Continue));
            }
            self.drop_interim();
            return Ok(None);
        }
        let mut headers = std::mem::take(&mut self.headers);
        let closes = framing.strip(&mut headers, line.status) || line.is_old;
        let (is_websocket, is_event_stream) = (framing.is_websocket, framing.is_event_stream);
        let body = framing.body(&line, self.is_head)?;
        Ok(Some(Head::Final(AnswerHead {
            status: line.status,
            headers,
            extensions: line.extensions,
            may_keep: !closes && !matches!(body, Decoder::ToTheEnd),
            body,
            is_websocket,
            is_event_stream,
        })))
    }

    /// Counts an interim answer, of which there must be an end.
    pub(super) fn count_interim(&mut self) -> Result<(), AnswerError> {
        self.interim += 1;
        if self.interim > MAX_INTERIM {
            return Err(AnswerError::TooManyInterim);
        }
        Ok(())
    }

    /// Whether the request was `HEAD`.
    pub(super) const fn is_head(&self) -> bool {
        self.is_head
    }

    /// Counts an interim answer that nobody waits for.
    pub(super) fn drop_interim(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl StatusLine {
    fn read(line: &[u8]) -> Result<Self, AnswerError> {
        let (is_old, rest) = match line.strip_prefix(b"HTTP/1.") {
            Some([b'1', b' ', rest @ ..]) => (false, rest),
            Some([b'0', b' ', rest @ ..]) => (true, rest),
            _ => return Err(AnswerError::StatusLine),
        };
        let (code, reason) = rest.split_at_checked(3).ok_or(AnswerError::StatusLine)?;
        let status = StatusCode::from_bytes(code).map_err(|_| AnswerError::StatusLine)?;
        let reason = match reason {
            [] => reason,
            [b' ', reason @ ..] => reason,
            _ => return Err(AnswerError::StatusLine),
        };
        let mut extensions = Extensions::new();
        let usual = status.canonical_reason().unwrap_or_default();
        if !reason.is_empty() && reason != usual.as_bytes() {
            let reason = ReasonPhrase::try_from(reason).map_err(|_| AnswerError::StatusLine)?;
            extensions.insert(reason);
        }
        Ok(Self {
            status,
            is_old,
            extensions,
        })
    }
}

impl Framing {
    fn take_length(&mut self, digits: &[u8]) {
        self.length = Some(match self.length {
            Some(_) => Err(FramingError::LengthTwice),
            None => read_length(digits),
        });
    }

    fn take_coding(&mut self, coding: &[u8]) {
        self.coding = Some(match self.coding {
            Some(_) => Err(FramingError::CodingTwice),
            None if coding.eq_ignore_ascii_case(b"chunked") => Ok(()),
            None => Err(FramingError::CodingUnknown),
        });
    }

    /// Takes a `Connection` list where it says only what most do; whether it does.
    const fn take_connection(&mut self, list: &[u8]) -> bool {
        let closes = list.eq_ignore_ascii_case(b"close");
        self.closes |= closes;
        closes || list.eq_ignore_ascii_case(b"keep-alive")
    }

    /// Removes what the headers tell only us; answers whether the connection ends with the answer.
    fn strip(&mut self, headers: &mut HeaderMap, status: StatusCode) -> bool {
        let mut closes = self.closes;
        // A protocol that the connection does not switch to says nothing (RFC 6455 §4.1).
        self.is_websocket &= self.has_list && lists(headers, CONNECTION, "upgrade");
        if self.has_list {
            closes |= lists(headers, CONNECTION, "close");
            Named::by(headers).strip(headers);
            headers.remove(CONNECTION);
        }
        let has_none = matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::SWITCHING_PROTOCOLS
        );
        if self.length.is_some() && (self.coding.is_some() || has_none) {
            // The coding has overridden the length, which may say anything; and who sends both may
            // mean either (RFC 9112 §6.3). Neither status has a length (RFC 9110 §8.6).
            headers.remove(CONTENT_LENGTH);
            closes |= self.coding.is_some();
        }
        closes
    }

    fn body(self, line: &StatusLine, is_head: bool) -> Result<Decoder, FramingError> {
        if self.coding.transpose()?.is_some() {
            if line.is_old {
                return Err(FramingError::CodingInOldVersion);
            }
            return Ok(match has_body(line.status, is_head) {
                true => Decoder::Chunked(Dechunker::default()),
                false => Decoder::NONE,
            });
        }
        let length = self.length.transpose()?;
        if !has_body(line.status, is_head) {
            return Ok(Decoder::NONE);
        }
        Ok(length.map_or(Decoder::ToTheEnd, Decoder::Length))
    }
}

/// Whether an answer has a body, whatever its headers say.
pub(super) fn has_body(status: StatusCode, is_head: bool) -> bool {
    let has_none = [
        StatusCode::SWITCHING_PROTOCOLS,
        StatusCode::NO_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    !is_head && !has_none.contains(&status)
}

/// Whether a `Content-Type` is that of a stream of events.
pub(super) fn is_event_stream(kind: &[u8]) -> bool {
    let start = kind.get(..EVENT_STREAM.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

/// A length of 1 to 19 digits, which always fit.
pub(super) fn read_length(digits: &[u8]) -> Result<u64, FramingError> {
    if !matches!(digits.len(), 1..=19) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FramingError::LengthInvalid);
    }
    let digits = digits.iter().map(|digit| u64::from(digit - b'0'));
    Ok(digits.fold(0, |length, digit| length * 10 + digit))
}
