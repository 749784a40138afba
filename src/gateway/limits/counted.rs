use std::sync::Arc;
use std::time::Duration;

use super::bucket::Quota;
use super::table::Key;
use super::{NotTaken, Short, debt};
use crate::config::{Config, Limit, Per};
use crate::domain::Digest;
use crate::gateway::Routes;
use crate::http::{ApiError, Code};

/// The limits of one route.
#[derive(Debug, Default)]
pub(super) struct OfRoute {
    /// Per address: looked at before the credential is.
    pub(super) before: Vec<Arc<Counted>>,
    /// The others.
    pub(super) after: Vec<Arc<Counted>>,
}

/// A limit as it is counted.
#[derive(Debug)]
pub(super) struct Counted {
    /// Requests under the same id are counted together.
    pub(super) id: u32,
    /// What all nodes call it.
    pub(super) name: Digest,
    pub(super) per: Per,
    pub(super) quota: Quota,
    pub(super) burst: u32,
    /// How many this node lets pass before it must tell the others.
    pub(super) batch: u32,
    /// What the answers call it.
    pub(super) policy: String,
    /// What a refusal says.
    pub(super) detail: String,
    /// The rate, as `RateLimit-Policy` says it.
    pub(super) count: u32,
    pub(super) window: Duration,
}

impl OfRoute {
    /// Those of every route, and last those of the gateway's own endpoints; and how many ids there are.
    pub(super) fn all(config: &Config) -> (Vec<Self>, u32) {
        let mut ids = 0..;
        let mut next_id = || ids.next().unwrap_or(u32::MAX);
        let global: Vec<(u32, usize, &Limit)> = (0..)
            .zip(&config.limits)
            .map(|(ordinal, limit)| (next_id(), ordinal, limit))
            .collect();
        let mut by_route: Vec<Self> = Vec::with_capacity(config.routes.len() + 1);
        let names = Routes::names(&config.routes);
        for (route, place) in config.routes.iter().zip(&names) {
            let mut limits = Self::default();
            for (id, ordinal, limit) in &global {
                // Each route is counted by itself.
                if limit.per == Per::Route {
                    limits.add(next_id(), name(place, limit, *ordinal), limit);
                } else {
                    limits.add(*id, name("", limit, *ordinal), limit);
                }
            }
            for (ordinal, limit) in (global.len()..).zip(&route.limits) {
                limits.add(next_id(), name(place, limit, ordinal), limit);
            }
            by_route.push(limits);
        }
        let mut own = Self::default();
        for (id, ordinal, limit) in &global {
            own.add(*id, name("", limit, *ordinal), limit);
        }
        // Who asks is found out in the endpoint, and there are brakes of their own.
        own.after.clear();
        by_route.push(own);
        (by_route, next_id())
    }

    fn add(&mut self, id: u32, name: Digest, limit: &Limit) {
        let limits = match limit.per {
            Per::Address => &mut self.before,
            Per::Principal | Per::Key | Per::Route => &mut self.after,
        };
        let per = limit.per.as_str();
        let same = limits.iter().filter(|other| other.per == limit.per).count();
        limits.push(Arc::new(Counted {
            id,
            name,
            per: limit.per,
            quota: Quota::new(limit),
            burst: limit.burst,
            batch: debt::batch(limit.burst),
            policy: match same {
                0 => per.to_owned(),
                same => format!("{per}-{}", same.saturating_add(1)),
            },
            detail: format!(
                "more than {} for this {per}; wait as long as Retry-After says",
                limit.rate
            ),
            count: limit.rate.count,
            window: limit.rate.per,
        }));
    }
}

impl Counted {
    /// Whose bucket it is.
    pub(super) const fn key(&self, subject: [u8; 16]) -> Key {
        Key {
            subject,
            limit: self.id,
        }
    }

    /// What a request hears of it.
    pub(super) fn short(&self, why: NotTaken) -> Short {
        match why {
            NotTaken::Owing => Short::Owing,
            NotTaken::Over(wait) => Short::Over(
                ApiError::new(Code::RateLimited)
                    .detail(self.detail.clone())
                    .retry_after(Duration::from_nanos(wait)),
            ),
        }
    }
}

/// What a limit is called on every node whose configuration has it: its own words, and those of the route
/// that it belongs to. `ordinal` tells limits apart that say the same.
fn name(route: &str, limit: &Limit, ordinal: usize) -> Digest {
    let rate = limit.rate.to_string();
    let rest = format!("{} {}", limit.burst, ordinal);
    let words = [route, limit.per.as_str(), &rate, &rest];
    let words = words.join("\0");
    Digest::of(&[words.as_bytes()])
}
