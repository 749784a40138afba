use std::time::Duration;

use super::section::Section;

/// How long the steps of an exchange with an upstream may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// `connect_timeout` (5s)
    pub connect: Duration,
    /// `response_timeout` from the request sent to the head of the answer (60s).
    pub response: Duration,
    /// `idle_timeout` between two pieces of a body, either way (60s); WebSockets and event streams are exempt.
    pub idle: Duration,
    /// `timeout` from the head of the request to the end of the answer; none unless it is set, and
    /// WebSockets and event streams are exempt.
    pub whole: Option<Duration>,
}

/// What a route says of deadlines: what it leaves out its upstream says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteDeadlines {
    /// `connect_timeout`
    pub connect: Option<Duration>,
    /// `response_timeout`
    pub response: Option<Duration>,
    /// `idle_timeout`
    pub idle: Option<Duration>,
    /// `timeout`
    pub whole: Option<Duration>,
}

impl Deadlines {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self::default().with(&RouteDeadlines::read(section))
    }

    /// These, where a route says nothing else.
    #[must_use]
    pub fn with(&self, route: &RouteDeadlines) -> Self {
        Self {
            connect: route.connect.unwrap_or(self.connect),
            response: route.response.unwrap_or(self.response),
            idle: route.idle.unwrap_or(self.idle),
            whole: route.whole.or(self.whole),
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            whole: None,
        }
    }
}

impl RouteDeadlines {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut wait = |key| {
            let bounds = Duration::from_millis(1)..=Duration::from_secs(86_400);
            section.value(key)?.duration(bounds)
        };
        Self {
            connect: wait("connect_timeout"),
            response: wait("response_timeout"),
            idle: wait("idle_timeout"),
            whole: wait("timeout"),
        }
    }
}
