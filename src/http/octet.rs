//! Which bytes may stand where.

/// A token's bytes: method, header name, scheme (RFC 9110 §5.6.2).
#[inline]
pub(super) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Whether a header's value is text: no control character but the tab (RFC 9110 §5.5).
///
/// It looks at every byte without leaving early, so that the compiler takes sixteen at a time.
#[inline]
pub(super) fn is_field_text(value: &[u8]) -> bool {
    value.iter().fold(true, |is_text, &byte| {
        is_text & ((byte >= b' ') | (byte == b'\t')) & (byte != 0x7f)
    })
}

/// Whether a text is a host and perhaps a port, or nothing.
///
/// Narrower than RFC 3986 §3.2: the sub-delimiters, which no name that resolves has, would let a list
/// or a path pass for a host.
pub(super) fn is_host(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&byte| HOST.get(usize::from(byte)).copied().unwrap_or(false))
}

/// Whether a text is the name of a host: labels that are not empty, and one dot behind them at the most.
pub(super) fn is_host_name(name: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        let is_name = |&byte: &u8| NAME.get(usize::from(byte)).copied().unwrap_or(false);
        !label.is_empty() && label.iter().all(is_name)
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    name.split(|byte| *byte == b'.').all(is_label)
}

/// The value of a hexadecimal digit.
#[inline]
pub(super) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Writes `byte` percent-encoded, in the upper case that RFC 3986 §2.1 asks for.
pub(super) fn push_encoded(text: &mut String, byte: u8) {
    let digit = |value: u8| {
        char::from_digit(u32::from(value), 16).map_or('0', |digit| digit.to_ascii_uppercase())
    };
    text.push('%');
    text.push(digit(byte >> 4));
    text.push(digit(byte & 0xf));
}

/// `text` without the spaces and tabs around it (OWS, RFC 9110 §5.6.3).
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

static TOKEN: [bool; 256] = letters_digits_and(b"!#$%&'*+-.^_`|~");
static NAME: [bool; 256] = letters_digits_and(b"-_~");
static HOST: [bool; 256] = letters_digits_and(b"-._~%:[]");

#[expect(
    clippy::indexing_slicing,
    reason = "runs in the compiler, which would refuse a wrong index"
)]
pub(super) const fn letters_digits_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}
