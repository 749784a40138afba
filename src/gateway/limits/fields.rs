//! `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-11 has them: lists of
//! names with parameters.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Counted;
use super::bucket::Bucket;

/// What an answer says of the limits that its request was counted under.
#[derive(Debug, Default)]
pub struct RateFields {
    policies: String,
    limits: String,
}

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl RateFields {
    /// Tells of one limit: so many (`q`) in so many seconds (`w`), and no more than so many left (`r`) for
    /// the next `t` seconds.
    ///
    /// `t` ends when the next one is there and not when all are: `Retry-After`, which says when the next
    /// one is there, must not come before it. `w` knows whole seconds only, and is left out otherwise.
    pub(super) fn tell(&mut self, limit: &Counted, bucket: Bucket, now: u64) {
        for list in [&mut self.policies, &mut self.limits] {
            if !list.is_empty() {
                list.push_str(", ");
            }
        }
        let (policy, count) = (&limit.policy, limit.count);
        let left = bucket.left(&limit.quota, now);
        let next = bucket.next_in(&limit.quota, now).div_ceil(SECOND);
        // Writing to a String cannot fail.
        let _ = write!(self.policies, "\"{policy}\";q={count}");
        if limit.window.subsec_nanos() == 0 {
            let _ = write!(self.policies, ";w={}", limit.window.as_secs());
        }
        let _ = write!(self.limits, "\"{policy}\";r={left};t={next}");
    }

    /// How much was told.
    pub(super) const fn length(&self) -> [usize; 2] {
        [self.policies.len(), self.limits.len()]
    }

    /// Takes back what was told since it was of this length.
    pub(super) fn truncate(&mut self, [policies, limits]: [usize; 2]) {
        self.policies.truncate(policies);
        self.limits.truncate(limits);
    }

    /// Says it, in place of what the service says of limits of its own.
    pub(in crate::gateway) fn put(&self, headers: &mut HeaderMap) {
        if self.policies.is_empty() {
            return;
        }
        for (name, list) in [
            (RATE_LIMIT_POLICY, &self.policies),
            (RATE_LIMIT, &self.limits),
        ] {
            if let Ok(value) = HeaderValue::from_str(list) {
                headers.insert(name, value);
            }
        }
    }
}
