/// Whether a text in lower case is only a repetition, or only runs of four or more along the
/// alphabet, the digits or the keyboard, in either direction.
pub(super) fn is_pattern(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    repeats(&chars) || runs(&chars) * MIN_RUN <= chars.len()
}

/// Whether it is a unit of at most [`MAX_UNIT`] characters over and over.
fn repeats(chars: &[char]) -> bool {
    (1..=MAX_UNIT)
        .filter(|unit| chars.len() >= 2 * unit)
        .any(|unit| {
            chars
                .iter()
                .zip(chars.iter().skip(unit))
                .all(|(a, b)| a == b)
        })
}

/// How many runs it is made of. A run keeps to one sequence and one direction.
fn runs(chars: &[char]) -> usize {
    let mut count = 1;
    let mut kept = u32::MAX;
    for (a, b) in chars.iter().zip(chars.iter().skip(1)) {
        kept &= steps(*a, *b);
        if kept == 0 {
            count += 1;
            kept = u32::MAX;
        }
    }
    count
}

/// In which sequences `b` stands beside `a`: one bit for each sequence and direction, and one when
/// they are equal.
fn steps(a: char, b: char) -> u32 {
    let mut bits = u32::from(a == b);
    for (index, sequence) in SEQUENCES.iter().enumerate() {
        let pairs = || sequence.chars().zip(sequence.chars().skip(1));
        let forth = pairs().any(|pair| pair == (a, b));
        let back = pairs().any(|pair| pair == (b, a));
        bits |= (u32::from(forth) << (2 * index + 1)) | (u32::from(back) << (2 * index + 2));
    }
    bits
}

/// What fingers follow; at most fifteen, so that each has two bits.
const SEQUENCES: [&str; 11] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiopü",
    "yxcvbnm,.-",
    "azertyuiop",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
];
const MIN_RUN: usize = 4;
const MAX_UNIT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fingers_do_is_a_pattern() {
        for text in [
            "aaaaaaaa",
            "12121212",
            "abcabcab",
            "12345678",
            "09876543",
            "abcdefgh",
            "zyxwvuts",
            "qwertyuiop",
            "poiuytre",
            "asdfghjkl",
            "qwer1234",
            "abcd4321",
            "aaaabbbb",
            "qwertzuiop",
            "1q2w3e4r",
            "1qaz2wsx",
            "!@#$%^&*",
            "abcd1234wxyz",
            "ööööööööö",
        ] {
            assert!(is_pattern(text), "{text}");
        }
    }

    #[test]
    fn what_people_think_is_none() {
        for text in [
            "",
            "a",
            "first fruits",
            "hijacked stuff",
            "xk7qp2vm",
            "tomorrow",
            "abc-river-789",
            "über alle berge",
            "12 monkeys sang",
        ] {
            assert!(!is_pattern(text), "{text}");
        }
    }
}
