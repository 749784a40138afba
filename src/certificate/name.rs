//! Distinguished names as people and access lists write them (RFC 4514).

use std::fmt::Write as _;

use super::der::{Der, OID, SEQUENCE, SET};

/// The kinds of attributes that have a word; the others are told by their number.
const WORDS: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
        "DC",
    ),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
        "UID",
    ),
];

/// A name in one line, the most special part first: `CN=ada,OU=Engines,O=Example`.
pub(super) fn distinguished_name(name: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut sequence = Der::new(name);
    for set in sequence.by_ref() {
        let values = Der::new(set.body).map(|value| attribute(value.tag, value.body));
        let values: Vec<String> = values.collect::<Option<_>>()?;
        if set.tag != SET || values.is_empty() {
            return None;
        }
        parts.push(values.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn attribute(tag: u8, body: &[u8]) -> Option<String> {
    let mut pair = Der::new(body);
    let kind = pair.tagged(OID)?;
    let value = pair.element()?;
    let word = WORDS.iter().find(|(oid, _)| *oid == kind);
    let text = word.and_then(|_| text(value.tag, value.body));
    if tag != SEQUENCE {
        return None;
    }
    Some(match (word, text) {
        (Some((_, word)), Some(text)) => format!("{word}={}", escaped(&text)),
        // RFC 4514 §2.4: what has no word, or is no text, is told as it is.
        _ => {
            let mut told = format!("{}=#", dotted(kind)?);
            for byte in value.whole {
                let _ = write!(told, "{byte:02x}");
            }
            told
        }
    })
}

/// What a directory string says.
fn text(tag: u8, body: &[u8]) -> Option<String> {
    match tag {
        // UTF8String, PrintableString, IA5String, NumericString, VisibleString
        0x0c | 0x13 | 0x16 | 0x12 | 0x1a => std::str::from_utf8(body).ok().map(str::to_owned),
        // TeletexString, which everybody writes as Latin-1
        0x14 => Some(body.iter().copied().map(char::from).collect()),
        // BMPString
        0x1e => {
            let units = body.chunks_exact(2);
            let is_whole = units.remainder().is_empty();
            let units = units.map(|pair| pair.iter().fold(0, |unit, &b| unit << 8 | u16::from(b)));
            let units: Vec<u16> = units.collect();
            String::from_utf16(&units).ok().filter(|_| is_whole)
        }
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        let is_special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=');
        let is_at_edge = (at == 0 && matches!(c, ' ' | '#')) || (at == last && c == ' ');
        match c {
            '\0' => escaped.push_str("\\00"),
            _ => {
                if is_special || is_at_edge {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
        }
    }
    escaped
}

/// `2.5.4.3` from its bytes (X.690 §8.19).
fn dotted(oid: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc: u64 = 0;
    for &byte in oid {
        arc = arc.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    let (first, rest) = arcs.split_first()?;
    let top = (first / 40).min(2);
    let mut dotted = format!("{top}.{}", first - top * 40);
    for arc in rest {
        let _ = write!(dotted, ".{arc}");
    }
    Some(dotted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attribute of this kind in a set of its own.
    fn part(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let wrap = |tag, body: &[u8]| {
            let mut whole = vec![tag, u8::try_from(body.len()).unwrap()];
            whole.extend(body);
            whole
        };
        let pair = [wrap(OID, kind), wrap(tag, value)].concat();
        wrap(SET, &wrap(SEQUENCE, &pair))
    }

    #[test]
    fn a_name_is_told_the_most_special_part_first() {
        let name = [
            part(&[0x55, 4, 6], 0x13, b"GB"),
            part(&[0x55, 4, 10], 0x0c, b"Engines, Inc. "),
            part(&[0x55, 4, 3], 0x1e, &[0, b'a', 0, 0xe9]),
        ];
        assert_eq!(
            distinguished_name(&name.concat()).as_deref(),
            Some("CN=a\u{e9},O=Engines\\, Inc.\\ ,C=GB")
        );
    }

    #[test]
    fn what_has_no_word_is_told_by_number() {
        let name = part(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], 0x16, b"a@b");
        assert_eq!(
            distinguished_name(&name).as_deref(),
            Some("1.2.840.113549.1.9.1=#1603614062")
        );
    }

    #[test]
    fn nobody_forges_a_part_within_a_part() {
        let name = part(&[0x55, 4, 3], 0x0c, b"#x,O=Other+CN=root");
        assert_eq!(
            distinguished_name(&name).as_deref(),
            Some("CN=\\#x\\,O\\=Other\\+CN\\=root")
        );
    }
}
