//! Durations, sizes and rates as people write them.

use std::fmt;
use std::time::Duration;

use super::Rate;

/// How to write a duration.
pub(super) const DURATION: &str =
    r#"write a number and a unit, such as "250ms", "5s", "1m30s" or "8h""#;
/// How to write a size.
pub(super) const SIZE: &str = r#"write a number and a unit, such as "512B", "64KiB" or "1MiB""#;
/// How to write a rate.
pub(super) const RATE: &str = r#"write how many in which time, such as "5 per 15m""#;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads `"1m30s"`: whole numbers with the units d, h, m, s and ms, each at most once, largest first.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = DURATION_UNITS.iter();
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (number, unit, behind) = leading(rest)?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.checked_mul(*factor)?)?;
        rest = behind;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// Reads `"64KiB"`: a whole number of B, KiB, MiB or GiB.
pub(super) fn size(text: &str) -> Option<usize> {
    let (number, unit, behind) = leading(text)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
    let bytes = number.checked_mul(*factor)?;
    usize::try_from(bytes).ok().filter(|_| behind.is_empty())
}

/// Reads `"5 per 15m"`.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once(" per ")?;
    let count = digits(count.trim())
        .filter(|(_, behind)| behind.is_empty())?
        .0;
    Some(Rate {
        count: u32::try_from(count).ok()?,
        per: duration(per.trim())?,
    })
}

/// A number and the unit behind it.
fn leading(text: &str) -> Option<(u64, &str, &str)> {
    let (number, behind) = digits(text)?;
    let end = behind
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(behind.len());
    let (unit, behind) = behind.split_at(end);
    Some((number, unit, behind))
}

fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, behind) = text.split_at(end);
    Some((digits.parse().ok()?, behind))
}

/// A duration as [`duration`] reads it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in DURATION_UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

/// A size as [`size`] reads it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Bytes(pub(super) usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as u64;
        let (unit, factor) = SIZE_UNITS
            .into_iter()
            .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", bytes / factor)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.count, Span(self.per))
    }
}

/// Reads `0.25` as 250.
pub(super) fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 3 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("1m30s", 90_000),
            ("8h", 28_800_000),
            ("1d12h", 129_600_000),
            ("0s", 0),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "5S",
            "1.5s",
            "-1s",
            "5s5s",
            "5s1m",
            "5sec",
            "1h ",
            "٣s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_binary_and_have_a_unit() {
        assert_eq!(size("512B"), Some(512));
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("1MiB"), Some(1_048_576));
        for text in [
            "",
            "64",
            "64K",
            "64KB",
            "64kib",
            "1.5MiB",
            "1MiB2KiB",
            "99999999999GiB",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_count_in_a_span() {
        let per = Duration::from_secs(900);
        assert_eq!(rate("5 per 15m"), Some(Rate { count: 5, per }));
        for text in [
            "",
            "5",
            "5/15m",
            "5 per",
            "per 15m",
            "-5 per 15m",
            "5 per 15",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_reads_back_as_it_was_written(millis in any::<u64>()) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(duration(&Span(span).to_string()), Some(span));
        }

        #[test]
        fn a_size_reads_back_as_it_was_written(bytes in any::<usize>()) {
            prop_assert_eq!(size(&Bytes(bytes).to_string()), Some(bytes));
        }

        #[test]
        fn a_rate_reads_back_as_it_was_written(count in any::<u32>(), millis in any::<u64>()) {
            let written = Rate { count, per: Duration::from_millis(millis) };
            prop_assert_eq!(rate(&written.to_string()), Some(written));
        }
    }

    #[test]
    fn shares_are_read_as_thousandths() {
        for (text, share) in [
            ("0.2", 200),
            ("0", 0),
            ("1.0", 1_000),
            ("0.125", 125),
            ("1.", 1_000),
        ] {
            assert_eq!(thousandths(text), Some(share), "{text}");
        }
        for text in ["", ".5", "-0.1", "0.1234", "1e-1", "inf", "9999999999"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }
}
