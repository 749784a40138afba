use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::credit::Credits;
use crate::config::{Login, Rate};
use crate::domain::{Digest, Email, Network, Timestamp, UserId};
use crate::http::{ApiError, Code};
use crate::store::{Limit, LimitKey, Store, StoreError, Verdict};

/// How often passwords may be tried: tight for an account from one address, and for an address. The
/// account as a whole brakes only addresses that its owner did not log in from lately, so that
/// strangers cannot lock the owner out.
///
/// In the end only wrong passwords count.
#[derive(Debug)]
pub struct LoginBrake {
    store: Arc<dyn Store>,
    rates: Mutex<Login>,
    credits: Credits,
}

impl LoginBrake {
    /// A brake with the rates of `[login]`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, rates: Login) -> Self {
        Self {
            store,
            rates: Mutex::new(rates),
            credits: Credits::default(),
        }
    }

    /// Goes by other rates from now on; what was counted stays.
    pub fn adopt(&self, rates: Login) {
        *self.rates.lock() = rates;
    }

    /// Counts an attempt at a password, before the password is looked at. `account` is what was
    /// typed, `user` whose it is, if anybody's: for both the answers are the same.
    ///
    /// # Errors
    ///
    /// [`Throttled`]: the password must not be looked at.
    pub async fn admit_attempt(
        &self,
        account: &Email,
        user: Option<UserId>,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<(), Throttled> {
        let subject = Subject::of(account, user);
        let limits = self.limits(subject, Network::of(client), now).await?;
        let (paid, due) = self.credits.spend(limits, now);
        let taken = take(&*self.store, &due, now).await;
        match &taken {
            Ok(()) => self.credits.charge(&due, now),
            Err(_) => self.credits.give_back(&paid),
        }
        taken
    }

    /// Takes back an admitted attempt whose password was not looked at after all.
    pub async fn not_tried(
        &self,
        account: &Email,
        user: Option<UserId>,
        client: IpAddr,
        now: Timestamp,
    ) {
        let subject = Subject::of(account, user);
        if let Err(error) = self.give_back(subject, Network::of(client), now).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "attempt not given back");
        }
    }

    /// The password was right: the attempt does not count, and the address is the owner's.
    pub async fn succeeded(&self, user: UserId, client: IpAddr, now: Timestamp) {
        if let Err(error) = self.remember(user, Network::of(client), now).await {
            // The log-in stands; the next one may be braked as a stranger's.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "log-in address not remembered");
        }
    }

    async fn remember(
        &self,
        user: UserId,
        network: Network,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let subject = Subject::known(user);
        self.give_back(subject, network, now).await?;
        let address = subject.address(network);
        self.store.remember_address(user, address, now).await
    }

    async fn give_back(
        &self,
        subject: Subject,
        network: Network,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let limits = self.limits(subject, network, now).await?;
        self.credits.give_back(&limits);
        Ok(())
    }

    async fn limits(
        &self,
        subject: Subject,
        network: Network,
        now: Timestamp,
    ) -> Result<Vec<Limit>, StoreError> {
        let address = subject.address(network);
        // Asked for unknown accounts too, so that the time tells nothing.
        let is_known = self.store.knows_address(subject.id, address, now).await?;
        let rates = *self.rates.lock();
        Ok(attempt_limits(&rates, subject, network, is_known))
    }
}

/// How often reset mails may be asked for, and sent.
#[derive(Debug)]
pub struct ForgotBrake {
    store: Arc<dyn Store>,
    rates: Mutex<Login>,
}

impl ForgotBrake {
    /// A brake with the rates of `[login]`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, rates: Login) -> Self {
        let rates = Mutex::new(rates);
        Self { store, rates }
    }

    /// Goes by other rates from now on.
    pub fn adopt(&self, rates: Login) {
        *self.rates.lock() = rates;
    }

    /// Counts a request from `client`, before it is queued.
    ///
    /// # Errors
    ///
    /// [`Throttled`]: the request must not be queued.
    pub async fn admit_request(&self, client: IpAddr, now: Timestamp) -> Result<(), Throttled> {
        let network = Network::of(client);
        let key = LimitKey::new("forgot-address", &[network.bytes()]);
        let rate = self.rates.lock().forgot_per_address;
        take(&*self.store, &[limit(rate, key)], now).await
    }

    /// Counts a mail to `user`, behind the queue, where the time tells nothing to who asked.
    ///
    /// # Errors
    ///
    /// [`Throttled`]: the mail must not be sent, and nothing may change.
    pub async fn admit_mail(&self, user: UserId, now: Timestamp) -> Result<(), Throttled> {
        let key = LimitKey::new("forgot-account", &[user.as_bytes()]);
        let rate = self.rates.lock().forgot_per_account;
        take(&*self.store, &[limit(rate, key)], now).await
    }
}

/// An attempt may not be made now.
#[derive(Debug, thiserror::Error)]
pub enum Throttled {
    /// Too many were made.
    #[error("too many attempts")]
    TooMany {
        /// When the next may be made.
        retry_after: Duration,
    },
    /// The store cannot say how many were made; so none may be.
    #[error("the attempt cannot be counted")]
    Uncounted(#[from] StoreError),
}

impl From<Throttled> for ApiError {
    fn from(error: Throttled) -> Self {
        match error {
            Throttled::TooMany { retry_after } => {
                Self::new(Code::TooManyAttempts).retry_after(retry_after)
            }
            // Whether it was counted or not: nothing that the person asked for was done.
            Throttled::Uncounted(StoreError::OutcomeUnknown) => {
                Self::new(Code::StoreUnavailable).retry_after(Duration::from_secs(1))
            }
            Throttled::Uncounted(error) => error.into(),
        }
    }
}

/// Whose password is tried. Unknown accounts have an id too, one that no user has.
#[derive(Debug, Clone, Copy)]
struct Subject {
    id: UserId,
}

impl Subject {
    fn of(account: &Email, user: Option<UserId>) -> Self {
        user.map_or_else(|| Self::unknown(account), Self::known)
    }

    const fn known(user: UserId) -> Self {
        Self { id: user }
    }

    fn unknown(account: &Email) -> Self {
        let digest = Digest::of(&[b"unknown account", account.normal().as_bytes()]);
        let mut id = [0; 16];
        for (byte, from) in id.iter_mut().zip(digest.as_bytes()) {
            *byte = *from;
        }
        Self {
            id: UserId::from_bytes(id),
        }
    }

    /// What the store remembers of an address that the owner logged in from.
    fn address(self, network: Network) -> Digest {
        Digest::of(&[b"known address", self.id.as_bytes(), network.bytes()])
    }
}

/// What one attempt at a password takes from.
fn attempt_limits(rates: &Login, subject: Subject, network: Network, is_known: bool) -> Vec<Limit> {
    let id = subject.id.as_bytes().as_slice();
    let pair = LimitKey::new("login-pair", &[id, network.bytes()]);
    let address = LimitKey::new("login-address", &[network.bytes()]);
    let account = LimitKey::new("login-account", &[id]);
    let mut limits = vec![
        limit(rates.per_account_and_address, pair),
        limit(rates.per_address, address),
    ];
    if !is_known {
        limits.push(limit(rates.per_account, account));
    }
    limits
}

fn limit(rate: Rate, key: LimitKey) -> Limit {
    let burst = rate.count.max(1);
    Limit {
        key,
        burst,
        every: rate.per / burst,
    }
}

async fn take(store: &dyn Store, limits: &[Limit], now: Timestamp) -> Result<(), Throttled> {
    if limits.is_empty() {
        return Ok(());
    }
    match store.take(limits, now).await? {
        Verdict::Pass => Ok(()),
        Verdict::Wait(retry_after) => Err(Throttled::TooMany { retry_after }),
    }
}

#[cfg(test)]
mod tests;
