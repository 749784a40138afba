//! How often requests may come: the limits of the configuration, counted on this node alone and in
//! memory, so that a request costs the store nothing.

mod bucket;
mod fields;
mod table;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::bucket::{Bucket, Quota};
use self::table::{Key, Table};
use crate::config::{Config, Limit, Per};
use crate::domain::{CredentialId, Network, Principal};
use crate::http::{ApiError, Code};

pub(super) use self::fields::RateFields;

/// The limits of all routes, and how much of them is used.
#[derive(Debug)]
pub struct Limits {
    /// What time is counted from: a clock that nobody sets.
    began: Instant,
    /// By route; the last ones are those of the gateway's own endpoints.
    by_route: Vec<OfRoute>,
    /// Apart from each other, so that a flood of addresses, which costs nothing, makes no user's count
    /// forgotten.
    addresses: Table,
    principals: Table,
    /// By [`Counted::id`]; only those of limits per route are used.
    routes: Vec<Mutex<Bucket>>,
    /// `rate_limit_headers`
    pub(super) says_fields: bool,
}

/// The limits of one route.
#[derive(Debug, Default)]
struct OfRoute {
    /// Per address: looked at before the credential is.
    before: Vec<Counted>,
    /// The others.
    after: Vec<Counted>,
}

/// A limit as it is counted.
#[derive(Debug, Clone)]
struct Counted {
    /// Requests under the same id are counted together.
    id: u32,
    per: Per,
    quota: Quota,
    /// What the answers call it.
    policy: String,
    /// What a refusal says.
    detail: String,
    /// The rate, as `RateLimit-Policy` says it.
    count: u32,
    window: Duration,
}

/// What a limit counts of one request.
enum Subject {
    Address([u8; 16]),
    Principal([u8; 16]),
    Route,
}

impl Limits {
    /// The limits of this configuration, all unused.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut ids = 0..;
        let mut next_id = || ids.next().unwrap_or(u32::MAX);
        let global: Vec<(u32, &Limit)> = config
            .limits
            .iter()
            .map(|limit| (next_id(), limit))
            .collect();
        let mut by_route: Vec<OfRoute> = Vec::with_capacity(config.routes.len() + 1);
        for route in &config.routes {
            let mut limits = OfRoute::default();
            for (id, limit) in &global {
                // Each route is counted by itself.
                let is_own = limit.per == Per::Route;
                limits.add(if is_own { next_id() } else { *id }, limit);
            }
            for limit in &route.limits {
                limits.add(next_id(), limit);
            }
            by_route.push(limits);
        }
        let mut own = OfRoute::default();
        for (id, limit) in &global {
            own.add(*id, limit);
        }
        // Who asks is found out in the endpoint, and there are brakes of their own.
        own.after.clear();
        by_route.push(own);
        let has = |per: &[Per]| {
            let mut limits = by_route
                .iter()
                .flat_map(|route| route.before.iter().chain(&route.after));
            limits.any(|limit| per.contains(&limit.per))
        };
        Self {
            began: Instant::now(),
            addresses: Table::new(has(&[Per::Address])),
            principals: Table::new(has(&[Per::Principal, Per::Key])),
            routes: (0..next_id()).map(|_| Mutex::default()).collect(),
            says_fields: config.server.rate_limit_headers,
            by_route,
        }
    }

    /// Counts a request from `client` before its credential is looked at. `route` is its place in the
    /// order of the file; the next one stands for the gateway's own endpoints.
    pub(super) fn admit_address(
        &self,
        route: usize,
        client: IpAddr,
        at: Instant,
        fields: &mut RateFields,
    ) -> Result<(), ApiError> {
        let limits = self.by_route.get(route).map(|limits| &limits.before);
        let Some(limits) = limits.filter(|limits| !limits.is_empty()) else {
            return Ok(());
        };
        let mut subject = [0; 16];
        let network = Network::of(client);
        for (to, from) in subject.iter_mut().zip(network.bytes()) {
            *to = *from;
        }
        // No network of the one kind is taken for one of the other.
        if let Some(last) = subject.last_mut() {
            *last = matches!(network, Network::V4(_)).into();
        }
        self.take(limits, |_| Some(Subject::Address(subject)), at, fields)
    }

    /// Counts a request of `principal`, who may make it.
    pub(super) fn admit(
        &self,
        route: usize,
        principal: Option<&Principal>,
        at: Instant,
        fields: &mut RateFields,
    ) -> Result<(), ApiError> {
        let limits = self.by_route.get(route).map(|limits| &limits.after);
        let Some(limits) = limits.filter(|limits| !limits.is_empty()) else {
            return Ok(());
        };
        let subject = |per| match (per, principal?.credential) {
            (Per::Principal, _) => Some(Subject::Principal(*principal?.user.as_bytes())),
            (Per::Key, CredentialId::Key(key)) => Some(Subject::Principal(*key.as_bytes())),
            _ => None,
        };
        let subject = |per| match per {
            Per::Route => Some(Subject::Route),
            _ => subject(per),
        };
        self.take(limits, subject, at, fields)
    }

    /// Takes one from each limit, or from none when one is used up.
    fn take(
        &self,
        limits: &[Counted],
        subject: impl Fn(Per) -> Option<Subject>,
        at: Instant,
        fields: &mut RateFields,
    ) -> Result<(), ApiError> {
        let now = at.saturating_duration_since(self.began);
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        for (index, limit) in limits.iter().enumerate() {
            let Some(of) = subject(limit.per) else {
                continue;
            };
            let (taken, bucket) = self.bucket(limit, &of, now, |bucket| {
                (bucket.take(&limit.quota, now), *bucket)
            });
            if self.says_fields {
                fields.tell(limit, bucket, now);
            }
            let Err(wait) = taken else {
                continue;
            };
            for taken in limits.iter().take(index) {
                if let Some(of) = subject(taken.per) {
                    self.bucket(taken, &of, now, |bucket| bucket.refill(&taken.quota, 1));
                }
            }
            return Err(ApiError::new(Code::RateLimited)
                .detail(limit.detail.clone())
                .retry_after(Duration::from_nanos(wait)));
        }
        Ok(())
    }

    fn bucket<T>(
        &self,
        limit: &Counted,
        of: &Subject,
        now: u64,
        work: impl FnOnce(&mut Bucket) -> T,
    ) -> T {
        let key = |subject| Key {
            subject,
            limit: limit.id,
        };
        match of {
            Subject::Address(subject) => self.addresses.with(key(*subject), now, work),
            Subject::Principal(subject) => self.principals.with(key(*subject), now, work),
            Subject::Route => match self.routes.get(usize::try_from(limit.id).unwrap_or(0)) {
                Some(bucket) => work(&mut bucket.lock()),
                None => work(&mut Bucket::default()),
            },
        }
    }
}

impl OfRoute {
    fn add(&mut self, id: u32, limit: &Limit) {
        let limits = match limit.per {
            Per::Address => &mut self.before,
            Per::Principal | Per::Key | Per::Route => &mut self.after,
        };
        let per = limit.per.as_str();
        let same = limits.iter().filter(|other| other.per == limit.per).count();
        limits.push(Counted {
            id,
            per: limit.per,
            quota: Quota::of(limit),
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
        });
    }
}

#[cfg(test)]
mod tests;
