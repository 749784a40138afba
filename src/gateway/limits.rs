//! How often requests may come: the limits of the configuration, counted in this node's memory, so that
//! a request costs the store nothing.
//!
//! Where several nodes share a store, each has a batch of every limit on lease ([`debt`]): it lets so many
//! pass by itself, and tells the others of them behind the requests' back ([`desk`], [`settling`]).

mod bucket;
mod counted;
mod debt;
mod desk;
mod fields;
mod settling;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use self::bucket::Bucket;
use self::counted::{Counted, Known, OfRoute};
use self::desk::{Desk, Due};
use self::table::Table;
use crate::config::{Config, Per, StoreUrl};
use crate::domain::{CredentialId, Network, Principal};
use crate::http::ApiError;

pub use self::fields::RateFields;

/// The limits of all routes, and how much of them is used.
#[derive(Debug)]
pub struct Limits {
    /// What time is counted from: a clock that nobody sets.
    began: Instant,
    /// By route; the last ones are those of the gateway's own endpoints.
    by_route: Vec<OfRoute>,
    /// Apart from each other, so that a flood of addresses, which costs nothing, makes no user's count
    /// forgotten.
    addresses: Arc<Table>,
    principals: Arc<Table>,
    /// The limits by their names, so that one that stays in another configuration keeps its counts.
    known: Known,
    /// Where the other nodes are told of what passed here, if there are others.
    desk: Option<Arc<Desk>>,
    /// `rate_limit_headers`
    pub(super) says_fields: bool,
}

/// What a limit counts of one request.
#[derive(Debug, Clone, Copy)]
enum Subject {
    Address([u8; 16]),
    Principal([u8; 16]),
    Route,
}

impl Limits {
    /// The limits of this configuration, all unused.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let nothing = Self {
            began: Instant::now(),
            by_route: Vec::new(),
            addresses: Arc::default(),
            principals: Arc::default(),
            known: Known::default(),
            desk: matches!(config.store, StoreUrl::Redis(_)).then(Arc::default),
            says_fields: false,
        };
        nothing.next(config)
    }

    /// The limits of another configuration. Those that it has too stay as far used as they are, whoever
    /// goes on to count by the old ones.
    #[must_use]
    pub fn next(&self, config: &Config) -> Self {
        let (by_route, known) = OfRoute::all(config, &self.known);
        let has = |per: &[Per]| {
            let mut limits = by_route
                .iter()
                .flat_map(|route| route.before.iter().chain(&route.after));
            limits.any(|limit| per.contains(&limit.per))
        };
        if has(&[Per::Address]) {
            self.addresses.furnish();
        }
        if has(&[Per::Principal, Per::Key]) {
            self.principals.furnish();
        }
        Self {
            began: self.began,
            addresses: Arc::clone(&self.addresses),
            principals: Arc::clone(&self.principals),
            known,
            desk: self.desk.clone(),
            says_fields: config.server.rate_limit_headers,
            by_route,
        }
    }

    /// Counts a request from `client` before its credential is looked at. `route` is its place in the
    /// order of the file; the next one stands for the gateway's own endpoints.
    ///
    /// It waits only where more came at once than may pass before the other nodes were told.
    ///
    /// # Errors
    ///
    /// [`Code::RateLimited`](crate::http::Code::RateLimited): nothing was counted.
    pub async fn admit_address(
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
        let subject = |_| Some(Subject::Address(subject));
        Box::pin(self.take(limits, subject, at, fields)).await
    }

    /// Counts a request of `principal`, who may make it.
    ///
    /// # Errors
    ///
    /// As [`Self::admit_address`].
    pub async fn admit(
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
        Box::pin(self.take(limits, subject, at, fields)).await
    }

    /// Takes one from each limit, or from none when one is used up.
    ///
    /// To be boxed: the futures around it need no room for it where nothing is counted.
    async fn take(
        &self,
        limits: &[Arc<Counted>],
        subject: impl Fn(Per) -> Option<Subject>,
        at: Instant,
        fields: &mut RateFields,
    ) -> Result<(), ApiError> {
        match self.attempt(limits, &subject, self.nanos(at), fields) {
            Ok(()) => Ok(()),
            Err(Short::Over(error)) => Err(error),
            Err(Short::Owing) => Box::pin(self.take_in_time(limits, &subject, fields)).await,
        }
    }

    /// Takes one from each limit, or from none, once the other nodes were told of what passed before.
    async fn take_in_time(
        &self,
        limits: &[Arc<Counted>],
        subject: &impl Fn(Per) -> Option<Subject>,
        fields: &mut RateFields,
    ) -> Result<(), ApiError> {
        loop {
            // Before it is looked at, so that what is told in between is not waited for.
            let settled = self.desk.as_deref().map(Desk::settled);
            let now = self.nanos(Instant::now());
            match self.attempt(limits, subject, now, fields) {
                Ok(()) => return Ok(()),
                Err(Short::Over(error)) => return Err(error),
                Err(Short::Owing) => {}
            }
            if let Some(settled) = settled {
                settled.await;
            }
        }
    }

    fn attempt(
        &self,
        limits: &[Arc<Counted>],
        subject: &impl Fn(Per) -> Option<Subject>,
        now: u64,
        fields: &mut RateFields,
    ) -> Result<(), Short> {
        let said = fields.length();
        for (index, limit) in limits.iter().enumerate() {
            let Some(of) = subject(limit.per) else {
                continue;
            };
            let (taken, bucket) = self.take_one(limit, of, now);
            if self.says_fields {
                fields.tell(limit, bucket, now);
            }
            let Err(why) = taken else {
                continue;
            };
            for taken in limits.iter().take(index) {
                if let Some(of) = subject(taken.per) {
                    self.with(taken, &of, now, |bucket| bucket.put_back(&taken.quota));
                }
            }
            if matches!(why, NotTaken::Owing) {
                fields.truncate(said);
            }
            return Err(limit.short(why));
        }
        Ok(())
    }

    fn take_one(
        &self,
        limit: &Arc<Counted>,
        of: Subject,
        now: u64,
    ) -> (Result<(), NotTaken>, Bucket) {
        let Some(desk) = &self.desk else {
            return self.with(limit, &of, now, |bucket| {
                (bucket.take(&limit.quota, now).map_err(Into::into), *bucket)
            });
        };
        let is_open = desk.is_open(now);
        let (taken, is_due, bucket) = self.with(limit, &of, now, |bucket| {
            let taken = bucket.take_on_lease(limit, now, is_open);
            let is_due = is_open && bucket.debt.falls_due(&limit.quota, limit.batch, now);
            (taken, is_due, *bucket)
        });
        if is_due {
            let limit = Arc::clone(limit);
            desk.put(Due { limit, of });
        }
        (taken, bucket)
    }

    /// Does something with a bucket, which is full where it is not remembered.
    fn with<T>(
        &self,
        limit: &Counted,
        of: &Subject,
        now: u64,
        work: impl FnOnce(&mut Bucket) -> T,
    ) -> T {
        match of {
            Subject::Address(subject) => self.addresses.with(limit.key(*subject), now, work),
            Subject::Principal(subject) => self.principals.with(limit.key(*subject), now, work),
            Subject::Route => work(&mut limit.whole.lock()),
        }
    }

    /// Does something with a bucket, if it is remembered.
    fn look<T>(
        &self,
        limit: &Counted,
        of: &Subject,
        work: impl FnOnce(&mut Bucket) -> T,
    ) -> Option<T> {
        match of {
            Subject::Address(subject) => self.addresses.look(limit.key(*subject), work),
            Subject::Principal(subject) => self.principals.look(limit.key(*subject), work),
            Subject::Route => Some(work(&mut limit.whole.lock())),
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Why a request cannot pass now.
enum Short {
    /// A limit is used up.
    Over(ApiError),
    /// The other nodes must be told first of what passed.
    Owing,
}

/// Why nothing was taken from one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotTaken {
    /// It is used up for so many nanoseconds.
    Over(u64),
    /// As [`Short::Owing`].
    Owing,
}

impl From<u64> for NotTaken {
    fn from(wait: u64) -> Self {
        Self::Over(wait)
    }
}

impl Subject {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Address(bytes) | Self::Principal(bytes) => bytes,
            Self::Route => &[],
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
