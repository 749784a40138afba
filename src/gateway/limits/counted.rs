use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::bucket::{Bucket, Quota};
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
    /// The bucket of all requests together; only that of a limit per route is used.
    pub(super) whole: Arc<Mutex<Bucket>>,
}

/// The limits of a configuration by their names, and what is counted of each.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_name: HashMap<Digest, (u32, Arc<Mutex<Bucket>>)>,
    /// An id is never given again: the buckets of a limit that is gone are forgotten by and by.
    next_id: u32,
}

impl Known {
    /// Under which id the limit with this name is counted: as in `old`, if it was there.
    fn find(&mut self, name: Digest, old: &Self) -> (u32, Arc<Mutex<Bucket>>) {
        let next_id = &mut self.next_id;
        let found = self.by_name.entry(name).or_insert_with(|| {
            old.by_name.get(&name).cloned().unwrap_or_else(|| {
                let id = *next_id;
                *next_id = id.wrapping_add(1);
                (id, Arc::default())
            })
        });
        found.clone()
    }
}

impl OfRoute {
    /// Those of every route, and last those of the gateway's own endpoints; and all of them by name.
    pub(super) fn all(config: &Config, old: &Known) -> (Vec<Self>, Known) {
        let mut known = Known {
            by_name: HashMap::new(),
            next_id: old.next_id,
        };
        let known_as = &mut |name| known.find(name, old);
        let mut by_route: Vec<Self> = Vec::with_capacity(config.routes.len() + 1);
        let names = Routes::names(&config.routes);
        for (route, place) in config.routes.iter().zip(&names) {
            let mut limits = Self::default();
            for limit in &config.limits {
                // Each route is counted by itself.
                let of = if limit.per == Per::Route { place } else { "" };
                limits.add(of, limit, known_as);
            }
            for limit in &route.limits {
                limits.add(place, limit, known_as);
            }
            by_route.push(limits);
        }
        let mut own = Self::default();
        for limit in &config.limits {
            own.add("", limit, known_as);
        }
        // Who asks is found out in the endpoint, and there are brakes of their own.
        own.after.clear();
        by_route.push(own);
        (by_route, known)
    }

    /// Adds a limit that belongs to the route `of`, or to all.
    fn add(
        &mut self,
        of: &str,
        limit: &Limit,
        known_as: &mut impl FnMut(Digest) -> (u32, Arc<Mutex<Bucket>>),
    ) {
        let ordinal = self.like(of, limit);
        let name = name(of, limit, ordinal);
        let (id, whole) = known_as(name);
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
            whole,
        }));
    }

    /// How many there are before it that say the same.
    fn like(&self, of: &str, limit: &Limit) -> usize {
        let all = || self.before.iter().chain(&self.after);
        let is_there = |ordinal: &usize| all().any(|one| one.name == name(of, limit, *ordinal));
        (0..).take_while(is_there).count()
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
