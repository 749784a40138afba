use std::io::Write;
use std::net::IpAddr;

use crate::domain::AddressText;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// `name=value` pairs, for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The name of a field, with what stands around it in each format, so that it is written in one piece; made
/// by [`field!`](crate::telemetry::field).
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// A space, the name, an equals sign.
    pub text: &'static str,
    /// A comma, the name in quotes, a colon.
    pub json: &'static str,
}

/// The name of a [`Field`].
#[macro_export]
#[doc(hidden)]
macro_rules! field {
    ($name:literal) => {
        $crate::telemetry::Field {
            text: concat!(" ", $name, "="),
            json: concat!(",\"", $name, "\":"),
        }
    };
}

/// One line of fields that is being written into a buffer; nothing a client sends can break out of it.
///
/// It allocates nothing: a line is about a thousand instructions, where a `tracing` event is fifteen
/// thousand.
#[derive(Debug)]
pub struct Line<'a> {
    buffer: &'a mut Vec<u8>,
    format: LineFormat,
    is_first: bool,
}

impl<'a> Line<'a> {
    /// Begins a line at the end of `buffer`.
    pub fn begin(buffer: &'a mut Vec<u8>, format: LineFormat) -> Self {
        if format == LineFormat::Json {
            buffer.push(b'{');
        }
        Self {
            buffer,
            format,
            is_first: true,
        }
    }

    /// Adds a field whose value is text.
    pub fn text(&mut self, name: Field, value: &str) {
        self.name(name);
        if self.format == LineFormat::Text && all(value, is_plain) && !value.is_empty() {
            self.put(value);
        } else {
            self.quoted(value);
        }
    }

    /// Adds a field whose value is a word of the gateway's own, or a token: of visible ASCII without quotes,
    /// backslashes and equals signs. Nobody looks whether it is.
    pub fn word(&mut self, name: Field, word: &str) {
        debug_assert!(all(word, is_plain), "no word: {word:?}");
        self.name(name);
        self.mark();
        self.put(word);
        self.mark();
    }

    /// Adds a field whose value is a number.
    pub fn number(&mut self, name: Field, value: u64) {
        self.name(name);
        self.digits(value);
    }

    /// Adds a field whose value is a time in milliseconds, given in microseconds.
    pub fn millis(&mut self, name: Field, micros: u64) {
        self.name(name);
        self.digits(micros / 1000);
        let rest = micros % 1000;
        let [hundreds, tens, ones] = [100, 10, 1].map(|place| b'0' + low_digit(rest / place));
        self.buffer.extend_from_slice(&[b'.', hundreds, tens, ones]);
    }

    /// Adds a field whose value is an address.
    pub fn address(&mut self, name: Field, address: IpAddr) {
        self.word(name, AddressText::of(address).as_str());
    }

    /// Adds a field whose value prints itself and needs no quoting in text: a time, an address.
    pub fn plain(&mut self, name: Field, value: impl std::fmt::Display) {
        self.name(name);
        self.mark();
        // Writing to a vector cannot fail.
        let _ = write!(self.buffer, "{value}");
        self.mark();
    }

    /// Ends the line.
    pub fn end(mut self) {
        self.put(match self.format {
            LineFormat::Json => "}\n",
            LineFormat::Text => "\n",
        });
    }

    fn put(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// The quotation mark that stands around each value which is no number in JSON.
    fn mark(&mut self) {
        if self.format == LineFormat::Json {
            self.buffer.push(b'"');
        }
    }

    fn name(&mut self, name: Field) {
        let name = match self.format {
            LineFormat::Json => name.json,
            LineFormat::Text => name.text,
        };
        // Nothing stands before the first.
        let from = usize::from(std::mem::replace(&mut self.is_first, false));
        self.put(name.get(from..).unwrap_or_default());
    }

    fn digits(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + low_digit(value);
            value /= 10;
            first = at;
            if value == 0 {
                break;
            }
        }
        let digits = digits.get(first..).unwrap_or_default();
        self.buffer.extend_from_slice(digits);
    }

    fn quoted(&mut self, value: &str) {
        self.buffer.push(b'"');
        if all(value, is_quotable) {
            self.put(value);
        } else {
            self.escaped(value);
        }
        self.buffer.push(b'"');
    }

    fn escaped(&mut self, value: &str) {
        let mut rest = value;
        while let Some(at) = rest.bytes().position(|byte| !is_quotable(byte)) {
            let (plain, tail) = rest.split_at(at);
            self.put(plain);
            let mut chars = tail.chars();
            if let Some(special) = chars.next() {
                self.escape(special);
            }
            rest = chars.as_str();
        }
        self.put(rest);
    }

    fn escape(&mut self, special: char) {
        match special {
            '"' => self.put("\\\""),
            '\\' => self.put("\\\\"),
            // Control characters beyond ASCII too: some terminals obey them.
            special if special.is_control() => {
                let _ = write!(self.buffer, "\\u{:04x}", u32::from(special));
            }
            other => self.put(other.encode_utf8(&mut [0; 4])),
        }
    }
}

fn low_digit(value: u64) -> u8 {
    u8::try_from(value % 10).unwrap_or(0)
}

/// Whether all bytes of a text are of a kind. It looks at every byte without leaving early, so that the
/// compiler takes sixteen at a time.
fn all(text: &str, is_kind: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & is_kind(byte))
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\\' | b'=')
}

const fn is_quotable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(format: LineFormat, value: &str) -> String {
        let mut buffer = Vec::new();
        let mut line = Line::begin(&mut buffer, format);
        line.text(field!("a"), value);
        line.number(field!("n"), 1234);
        line.millis(field!("ms"), 1_002_030);
        line.plain(field!("at"), "now");
        line.word(field!("w"), "1.1");
        line.end();
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn a_line_reads_well_in_both_formats() {
        let text = line(LineFormat::Text, "x y");
        assert_eq!(text, "a=\"x y\" n=1234 ms=1002.030 at=now w=1.1\n");
        let json = line(LineFormat::Json, "x\n\"\\\u{85}é");
        let expected = "{\"a\":\"x\\u000a\\\"\\\\\\u0085é\",\"n\":1234,\"ms\":1002.030,\"at\":\"now\",\"w\":\"1.1\"}\n";
        assert_eq!(json, expected);
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_its_field(value: String) {
            let json = line(LineFormat::Json, &value);
            prop_assert_eq!(json.matches('\n').count(), 1);
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read["a"].as_str(), Some(value.as_str()));
            prop_assert_eq!(line(LineFormat::Text, &value).matches('\n').count(), 1);
        }
    }
}
