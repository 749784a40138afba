use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment in UTC, in whole milliseconds since 1970.
///
/// It is written as `2026-03-18T10:00:00`, without fraction and offset, and stored as the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A text is no moment that we understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time such as 2026-03-18T10:00:00 (UTC) or 2026-03-18T10:00:00+01:00")]
pub struct TimestampError;

impl Timestamp {
    /// The moment `millis` milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment `secs` seconds after 1970.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `span` more, held at the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// `span` before this moment, held at the beginning of time.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let span = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(span).unwrap_or(0))
    }

    /// The moment as HTTP headers have it (RFC 9110 §5.6.7): `Wed, 18 Mar 2026 10:00:00 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        let moment = jiff::Timestamp::from_second(self.as_secs()).unwrap_or(jiff::Timestamp::MAX);
        let civil = jiff::tz::Offset::UTC.to_datetime(moment);
        civil.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The moment to the millisecond, as other programs read it (RFC 3339): `2026-03-18T10:00:00.123Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        format!("{moment:.3}")
    }

    /// Reads a time of day as people and programs write it (RFC 3339); without an offset it is UTC.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] when the text is no date and time.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(moment.as_millisecond()));
        }
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| TimestampError)?;
        let moment = jiff::tz::Offset::UTC
            .to_timestamp(civil)
            .map_err(|_| TimestampError)?;
        Ok(Self(moment.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_second(self.as_secs()).unwrap_or(jiff::Timestamp::MAX);
        let civil = jiff::tz::Offset::UTC.to_datetime(moment);
        write!(f, "{}", civil.strftime("%Y-%m-%dT%H:%M:%S"))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_without_fraction_and_offset() {
        let moment = Timestamp::from_millis(1_773_828_000_999);
        assert_eq!(moment.to_string(), "2026-03-18T10:00:00");
    }

    #[test]
    fn headers_have_the_day_and_gmt() {
        let moment = Timestamp::from_millis(1_773_828_000_999);
        assert_eq!(moment.http_date(), "Wed, 18 Mar 2026 10:00:00 GMT");
    }

    #[test]
    fn offsets_are_understood_and_their_absence_is_utc() {
        let utc = Timestamp::parse("2026-03-18T10:00:00").unwrap();
        for text in [
            "2026-03-18T11:00:00+01:00",
            "2026-03-18T10:00:00Z",
            "2026-03-18 10:00:00",
        ] {
            assert_eq!(Timestamp::parse(text), Ok(utc), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-13-01T00:00:00",
            "2026-03-18T25:00:00Z",
            "12",
        ] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text}");
        }
    }
}
