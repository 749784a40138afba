use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;

use crate::config::section::Section;
use crate::config::value::Value;

/// `[upstreams.NAME.health_check]`: each server is asked how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `path` of the question, with its query.
    pub path: PathAndQuery,
    /// `status` of a healthy server's answer (2xx).
    pub status: RangeInclusive<u16>,
    /// `interval` between two questions (5s).
    pub interval: Duration,
    /// `timeout` of one (2s).
    pub timeout: Duration,
    /// `healthy_after` so many good answers in a row a server is healthy again (2).
    pub healthy_after: u32,
    /// `unhealthy_after` so many bad answers in a row it is not (3).
    pub unhealthy_after: u32,
    /// `host` of the question; by default the server's own.
    pub host: Option<HeaderValue>,
}

impl HealthCheck {
    /// Nothing when there is no path to ask for, which was reported.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let seconds = Duration::from_secs;
        let path = section.required("path", "\"/health\"");
        let path = path.and_then(|value| path_of(&value));
        let any_success = Some(200..=299);
        let status = section.value("status");
        let status = status.map_or(any_success, |value| status_of(&value));
        let host = section.value("host");
        let host = host.and_then(|value| host_of(&value));
        let span = Duration::from_millis(10)..=seconds(3_600);
        let interval = section.duration("interval", seconds(5), span.clone());
        let timeout = section.duration("timeout", seconds(2), span);
        let healthy_after = section.count("healthy_after", 2, 1..=100);
        let unhealthy_after = section.count("unhealthy_after", 3, 1..=100);
        Some(Self {
            path: path?,
            status: status?,
            interval,
            timeout,
            healthy_after,
            unhealthy_after,
            host,
        })
    }
}

fn path_of(value: &Value<'_>) -> Option<PathAndQuery> {
    let text = value.text()?;
    let path = Some(text.as_str()).filter(|path| path.starts_with('/'));
    let path = path.and_then(|path| path.parse().ok());
    if path.is_none() {
        text.wrong("is not a path to ask for", "write such as \"/health\"");
    }
    path
}

fn host_of(value: &Value<'_>) -> Option<HeaderValue> {
    let text = value.text()?;
    let host = text.as_str();
    // What can stand in a URL before its path is a host with or without a port.
    let is_host = http::uri::Authority::try_from(host).is_ok() && !host.contains('@');
    let host = HeaderValue::from_str(host).ok().filter(|_| is_host);
    if host.is_none() {
        text.wrong("is not a host", "write such as \"app.internal\"");
    }
    host
}

/// `"2xx"`, `"204"`, `"200-399"`, or the number alone.
fn status_of(value: &Value<'_>) -> Option<RangeInclusive<u16>> {
    if !value.value.is_str() {
        let status = value.count(&(100..=599))?;
        return Some(status..=status);
    }
    let text = value.text()?;
    let range = status_range(text.as_str());
    if range.is_none() {
        text.wrong(
            "is not a status, a class or a range of them",
            "write such as \"2xx\", \"200\" or \"200-399\"",
        );
    }
    range
}

fn status_range(text: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| {
        let status = text.parse().ok()?;
        (text.len() == 3 && (100..=599).contains(&status)).then_some(status)
    };
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some(class * 100..=class * 100 + 99);
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (status(from)?, status(to)?);
    (from <= to).then_some(from..=to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_class_a_number_or_a_range() {
        assert_eq!(status_range("2xx"), Some(200..=299));
        assert_eq!(status_range("204"), Some(204..=204));
        assert_eq!(status_range("200-399"), Some(200..=399));
        for text in [
            "", "xx", "6xx", "2", "600", "399-200", "+20", "200-", "2xx-3xx",
        ] {
            assert_eq!(status_range(text), None, "{text:?}");
        }
    }
}
