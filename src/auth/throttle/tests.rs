use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use super::*;
use crate::domain::{KeyId, SessionId};
use crate::store::{
    Answer, KeyRecord, OwnedKey, Recorded, RevokedSession, SessionView, UserRecord,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const HOME: &str = "192.0.2.1";

const RATES: Login = Login {
    per_account_and_address: rate(5),
    per_address: rate(30),
    per_account: rate(50),
    forgot_per_address: rate(10),
    forgot_per_account: rate(3),
};

const fn rate(count: u32) -> Rate {
    Rate {
        count,
        per: Duration::from_secs(900),
    }
}

/// Limits and known addresses, and nothing else.
#[derive(Debug, Default)]
struct Counts {
    recovered_at: Mutex<HashMap<LimitKey, Timestamp>>,
    known: Mutex<HashSet<(UserId, Digest)>>,
    is_down: bool,
}

impl Counts {
    fn taken(&self, limits: &[Limit], now: Timestamp) -> Verdict {
        let mut times = self.recovered_at.lock();
        let after = |limit: &Limit, times: &HashMap<_, Timestamp>| {
            let at = times.get(&limit.key).copied().unwrap_or(now);
            at.max(now).after(limit.every)
        };
        for limit in limits {
            let wait = after(limit, &times).since(now.after(limit.every * limit.burst));
            if !wait.is_zero() {
                return Verdict::Wait(wait);
            }
        }
        for limit in limits {
            let at = after(limit, &times);
            times.insert(limit.key, at);
        }
        Verdict::Pass
    }

    fn answer<'a, T: Send + 'a>(&self, value: T) -> Answer<'a, T> {
        let answer = if self.is_down {
            Err(StoreError::OutcomeUnknown)
        } else {
            Ok(value)
        };
        Box::pin(async { answer })
    }
}

fn not_asked<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { panic!("a brake does not ask this") })
}

#[rustfmt::skip]
impl Store for Counts {
    fn take<'a>(&'a self, limits: &'a [Limit], now: Timestamp) -> Answer<'a, Verdict> {
        self.answer(self.taken(limits, now))
    }
    fn knows_address(&self, user: UserId, address: Digest, _: Timestamp) -> Answer<'_, bool> {
        self.answer(self.known.lock().contains(&(user, address)))
    }
    fn remember_address(&self, user: UserId, address: Digest, _: Timestamp) -> Answer<'_, ()> {
        self.known.lock().insert((user, address));
        self.answer(())
    }
    fn session(&self, _: SessionId, _: UserId) -> Answer<'_, SessionView> { not_asked() }
    fn owned_key(&self, _: Digest) -> Answer<'_, Option<OwnedKey>> { not_asked() }
    fn user(&self, _: UserId) -> Answer<'_, Option<UserRecord>> { not_asked() }
    fn user_by_email<'a>(&'a self, _: &'a Email) -> Answer<'a, Option<UserRecord>> { not_asked() }
    fn user_by_reset(&self, _: Digest) -> Answer<'_, Option<UserRecord>> { not_asked() }
    fn users(&self, _: Option<UserId>, _: usize) -> Answer<'_, Vec<UserRecord>> { not_asked() }
    fn key(&self, _: KeyId) -> Answer<'_, Option<KeyRecord>> { not_asked() }
    fn keys_of(&self, _: UserId) -> Answer<'_, Vec<KeyRecord>> { not_asked() }
    fn create_user(&self, _: UserRecord) -> Answer<'_, Recorded> { not_asked() }
    fn update_user(&self, _: UserRecord) -> Answer<'_, Recorded> { not_asked() }
    fn delete_user(&self, _: UserId, _: Timestamp) -> Answer<'_, Recorded> { not_asked() }
    fn create_key(&self, _: KeyRecord, _: Option<u64>, _: usize) -> Answer<'_, Recorded> { not_asked() }
    fn revoke_key(&self, _: KeyId, _: Timestamp) -> Answer<'_, Recorded> { not_asked() }
    fn revoke_session(&self, _: RevokedSession) -> Answer<'_, Recorded> { not_asked() }
    fn last_used<'a>(&'a self, _: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>> { not_asked() }
    fn note_used(&self, _: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()> { not_asked() }
    fn sweep(&self, _: Timestamp) -> Answer<'_, u64> { not_asked() }
}

/// An account, its owner if any, and the brake before it.
struct World {
    brake: LoginBrake,
    account: Email,
    user: Option<UserId>,
}

impl World {
    fn new(user: Option<UserId>) -> Self {
        Self {
            brake: LoginBrake::new(Arc::new(Counts::default()), RATES),
            account: Email::parse("ada@example.com").unwrap(),
            user,
        }
    }

    async fn attempt(&self, client: &str, now: Timestamp) -> Result<(), Throttled> {
        let client = client.parse().unwrap();
        let admitted = self
            .brake
            .admit_attempt(&self.account, self.user, client, now);
        admitted.await
    }

    async fn log_in(&self, client: &str, now: Timestamp) -> Result<(), Throttled> {
        self.attempt(client, now).await?;
        let client = client.parse().unwrap();
        self.brake.succeeded(self.user.unwrap(), client, now).await;
        Ok(())
    }

    /// How many attempts in a row are admitted.
    async fn admitted(&self, clients: impl Iterator<Item = String>) -> usize {
        let mut count = 0;
        for client in clients {
            if self.attempt(&client, NOW).await.is_err() {
                break;
            }
            count += 1;
        }
        count
    }
}

fn strangers() -> impl Iterator<Item = String> {
    (0..200).map(|number| format!("198.51.100.{number}"))
}

fn always(client: &str) -> impl Iterator<Item = String> {
    std::iter::repeat_n(client.to_owned(), 200)
}

#[tokio::test]
async fn wrong_passwords_from_one_address_are_braked_after_five() {
    for user in [Some(UserId::new()), None] {
        let world = World::new(user);
        assert_eq!(world.admitted(always(HOME)).await, 5);
        let refused = world.attempt(HOME, NOW).await.unwrap_err();
        let expected = Duration::from_secs(180);
        assert!(matches!(refused, Throttled::TooMany { retry_after } if retry_after == expected));
        let answer = ApiError::from(refused);
        assert_eq!(answer.code, Code::TooManyAttempts);
        assert_eq!(answer.retry_after, Some(expected));

        assert!(world.attempt(HOME, NOW.after(expected)).await.is_ok());
    }
}

#[tokio::test]
async fn known_and_unknown_accounts_are_braked_alike() {
    for user in [Some(UserId::new()), None] {
        assert_eq!(World::new(user).admitted(strangers()).await, 50);
    }
}

#[tokio::test]
async fn one_address_cannot_try_many_accounts() {
    let mut world = World::new(None);
    let mut count = 0;
    while world.attempt(HOME, NOW).await.is_ok() {
        count += 1;
        world.account = Email::parse(&format!("user{count}@example.com")).unwrap();
    }
    assert_eq!(count, 30);
}

#[tokio::test]
async fn letter_case_is_no_way_around() {
    let mut world = World::new(None);
    assert_eq!(world.admitted(always(HOME)).await, 5);
    world.account = Email::parse(" ADA@Example.COM").unwrap();
    assert!(world.attempt(HOME, NOW).await.is_err());
}

#[tokio::test]
async fn strangers_cannot_lock_the_owner_out() {
    let world = World::new(Some(UserId::new()));
    world.log_in(HOME, NOW).await.unwrap();
    assert_eq!(world.admitted(strangers()).await, 50);
    assert!(world.attempt("203.0.113.7", NOW).await.is_err());
    assert!(world.log_in(HOME, NOW).await.is_ok());
}

#[tokio::test]
async fn right_passwords_do_not_count() {
    let world = World::new(Some(UserId::new()));
    for _ in 0..200 {
        world.log_in(HOME, NOW).await.unwrap();
    }
    assert_eq!(world.admitted(always(HOME)).await, 5);
}

#[tokio::test]
async fn a_script_may_log_in_as_often_as_it_likes() {
    for pause in [1, 20, 179, 180, 181, 1000] {
        let world = World::new(Some(UserId::new()));
        for number in 0..200 {
            let now = NOW.after(Duration::from_secs(number * pause));
            world.log_in(HOME, now).await.unwrap();
        }
    }
}

#[tokio::test]
async fn credits_never_add_to_the_limit() {
    let world = World::new(Some(UserId::new()));
    let end = 4 * 900;
    for second in 0..end {
        // Five at once are open all the time, and all of them turn out right.
        let now = NOW.after(Duration::from_secs(second));
        let mut open = 0;
        while world.attempt(HOME, now).await.is_ok() {
            open += 1;
        }
        assert!((5..=6).contains(&open), "{open}");
        for _ in 0..open {
            let client = HOME.parse().unwrap();
            world
                .brake
                .succeeded(world.user.unwrap(), client, now)
                .await;
        }
    }
}

#[tokio::test]
async fn a_right_password_does_not_forgive_wrong_ones() {
    let world = World::new(Some(UserId::new()));
    for _ in 0..4 {
        world.attempt(HOME, NOW).await.unwrap();
    }
    world.log_in(HOME, NOW).await.unwrap();
    assert_eq!(world.admitted(always(HOME)).await, 1);
}

#[tokio::test]
async fn many_at_once_get_no_further_than_one_after_the_other() {
    let world = World::new(Some(UserId::new()));
    world.log_in(HOME, NOW).await.unwrap();
    // None of them has an answer yet.
    assert_eq!(world.admitted(always(HOME)).await, 5);
}

#[tokio::test]
async fn an_attempt_that_was_not_made_does_not_count() {
    for user in [Some(UserId::new()), None] {
        let world = World::new(user);
        for _ in 0..60 {
            world.attempt(HOME, NOW).await.unwrap();
            let client = HOME.parse().unwrap();
            let taken_back = world.brake.not_tried(&world.account, user, client, NOW);
            taken_back.await;
        }
        assert_eq!(world.admitted(always(HOME)).await, 5);
    }
}

#[tokio::test]
async fn a_refused_attempt_costs_no_credit() {
    let world = World::new(Some(UserId::new()));
    let neighbour = World {
        brake: LoginBrake::new(Arc::clone(&world.brake.store), RATES),
        account: Email::parse("bob@example.com").unwrap(),
        user: Some(UserId::new()),
    };
    world.log_in(HOME, NOW).await.unwrap();
    // The address is spent on another node, so what the credit does not pay for is refused.
    for number in 0..29 {
        let other = World {
            user: Some(UserId::new()),
            brake: LoginBrake::new(Arc::clone(&world.brake.store), RATES),
            account: neighbour.account.clone(),
        };
        assert!(other.attempt(HOME, NOW).await.is_ok(), "{number}");
    }
    assert!(neighbour.attempt(HOME, NOW).await.is_err());
    assert!(world.log_in(HOME, NOW).await.is_ok());
    assert!(world.log_in(HOME, NOW).await.is_ok());
}

#[tokio::test]
async fn an_ipv6_customer_has_one_address() {
    let world = World::new(None);
    let inside = (0..200).map(|number| format!("2001:db8:1:2::{number:x}"));
    assert_eq!(world.admitted(inside).await, 5);
    assert!(world.attempt("2001:db8:1:3::1", NOW).await.is_ok());
    assert_eq!(
        Network::of("::ffff:192.0.2.1".parse().unwrap()),
        Network::of(HOME.parse().unwrap())
    );
}

#[tokio::test]
async fn without_the_store_nobody_tries_anything() {
    let store: Arc<dyn Store> = Arc::new(Counts {
        is_down: true,
        ..Counts::default()
    });
    let world = World {
        brake: LoginBrake::new(Arc::clone(&store), RATES),
        ..World::new(None)
    };
    let forgot = ForgotBrake::new(store, RATES);
    let client = HOME.parse().unwrap();
    for refused in [
        world.attempt(HOME, NOW).await,
        forgot.admit_request(client, NOW).await,
        forgot.admit_mail(UserId::new(), NOW).await,
    ] {
        let answer = ApiError::from(refused.unwrap_err());
        assert_eq!(answer.code, Code::StoreUnavailable);
    }
}

#[tokio::test]
async fn reset_mails_are_bounded_per_address_and_per_account() {
    let forgot = ForgotBrake::new(Arc::new(Counts::default()), RATES);
    let client = HOME.parse().unwrap();
    for _ in 0..10 {
        forgot.admit_request(client, NOW).await.unwrap();
    }
    assert!(forgot.admit_request(client, NOW).await.is_err());
    let user = UserId::new();
    for _ in 0..3 {
        forgot.admit_mail(user, NOW).await.unwrap();
    }
    assert!(forgot.admit_mail(user, NOW).await.is_err());
    assert!(forgot.admit_mail(UserId::new(), NOW).await.is_ok());
}

#[test]
fn a_limit_lets_its_count_come_at_once_and_recovers_steadily() {
    let limit = limit(rate(5), LimitKey::new("x", &[]));
    assert_eq!((limit.burst, limit.every), (5, Duration::from_secs(180)));
}
