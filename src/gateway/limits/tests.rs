use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

use super::*;
use crate::config::Environment;
use crate::domain::{Email, KeyId, Role, SessionId, UserId, UserName};
use crate::http::Code;
use crate::store::{Answer, Spent, Tally};

fn limits(toml: &str) -> Limits {
    let text = format!("[upstreams.a]\nservers = ['http://a']\n{toml}");
    let config = Config::parse(&text, "gateway.toml", Path::new(""), &Environment::new());
    Limits::new(&config.unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

fn principal(user: UserId, credential: CredentialId) -> Principal {
    Principal {
        user,
        email: Email::parse("ada@example.com").unwrap(),
        name: UserName::parse("Ada").unwrap(),
        role: Role::Viewer,
        credential,
    }
}

/// What is decided without waiting.
fn now<T>(deciding: impl Future<Output = T>) -> T {
    deciding.now_or_never().expect("nobody to wait for")
}

/// How many of ten requests at once come through.
fn passed(take: impl Fn() -> Result<(), ApiError>) -> usize {
    (0..10).filter(|_| take().is_ok()).count()
}

fn by_address(limits: &Limits, route: usize, client: &str, at: Instant) -> Result<(), ApiError> {
    let client = client.parse().unwrap();
    now(limits.admit_address(route, client, at, &mut RateFields::default()))
}

const ROUTES: &str =
    "[[routes]]\npath = '/a'\nupstream = 'a'\n[[routes]]\npath = '/b'\nupstream = 'a'\n";

#[test]
fn an_address_is_one_address_or_half_of_one() {
    let limits = limits(&format!(
        "[[limits]]\nper = 'address'\nrate = '3 per 1m'\n{ROUTES}"
    ));
    let at = Instant::now();
    for (client, times) in [
        ("192.0.2.1", 3),
        ("::ffff:192.0.2.1", 0),
        ("192.0.2.2", 3),
        ("2001:db8::1", 3),
        ("2001:db8::2", 0),
        ("2001:db8:0:1::1", 3),
        // The bytes of 192.0.2.3 and nothing else.
        ("c000:203::", 3),
        ("192.0.2.3", 3),
    ] {
        let passed = passed(|| by_address(&limits, 0, client, at));
        assert_eq!(passed, times, "{client}");
    }
    // The same count on every route, and on the gateway's own endpoints.
    for route in [1, 2] {
        assert!(by_address(&limits, route, "192.0.2.1", at).is_err());
    }
    let later = at + Duration::from_secs(20);
    assert!(by_address(&limits, 1, "192.0.2.1", later).is_ok());
    assert!(by_address(&limits, 1, "192.0.2.1", later).is_err());
}

#[test]
fn a_user_is_counted_whatever_they_come_with_and_a_key_by_itself() {
    let limits = limits(
        "[[routes]]\npath = '/a'\nupstream = 'a'\nlimits = [{ per = 'principal', rate = '6 per 1m' }, \
         { per = 'key', rate = '2 per 1m' }]",
    );
    let at = Instant::now();
    let ada = UserId::new();
    let key = |user| principal(user, CredentialId::Key(KeyId::new()));
    let session = |user| principal(user, CredentialId::Session(SessionId::new()));
    let take = |who: &Principal| now(limits.admit(0, Some(who), at, &mut RateFields::default()));
    let (first, second) = (key(ada), key(ada));

    assert_eq!(passed(|| take(&first)), 2);
    // What the key's limit refused did not count for its user.
    assert_eq!(passed(|| take(&second)), 2);
    assert_eq!(passed(|| take(&session(ada))), 2);
    let other = session(UserId::new());
    assert_eq!(passed(|| take(&other)), 6);
}

#[test]
fn each_route_has_its_own_count_of_a_limit_per_route() {
    let limits = limits(&format!(
        "[[limits]]\nper = 'route'\nrate = '2 per 1m'\nburst = 4\n{ROUTES}"
    ));
    let at = Instant::now();
    for (route, times) in [(0, 4), (0, 0), (1, 4), (2, 10)] {
        let take = || now(limits.admit(route, None, at, &mut RateFields::default()));
        assert_eq!(passed(take), times, "{route}");
    }
}

#[test]
fn a_refusal_says_when_to_come_again() {
    let limits = limits(&format!(
        "[[limits]]\nper = 'route'\nrate = '2 per 1m'\n{ROUTES}"
    ));
    let at = Instant::now();
    let take = || now(limits.admit(0, None, at, &mut RateFields::default()));
    let refused = (take(), take(), take()).2.unwrap_err();
    assert_eq!(refused.code, Code::RateLimited);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(
        refused.to_string(),
        "more than 2 per 1m for this route; wait as long as Retry-After says"
    );
}

#[test]
fn the_fields_tell_of_every_limit_that_counted() {
    let limits = limits(&format!(
        "[server]\nrate_limit_headers = true\n[[limits]]\nper = 'route'\nrate = '100 per 1m'\n\
         [[limits]]\nper = 'route'\nrate = '2 per 1h'\n\
         [[limits]]\nper = 'route'\nrate = '9 per 1500ms'\nburst = 20\n{ROUTES}"
    ));
    let mut fields = RateFields::default();
    now(limits.admit(0, None, limits.began, &mut fields)).unwrap();
    let mut headers = http::HeaderMap::new();
    fields.put(&mut headers);
    assert_eq!(
        headers["ratelimit-policy"],
        "\"route\";q=100;w=60, \"route-2\";q=2;w=3600, \"route-3\";q=9"
    );
    assert_eq!(
        headers["ratelimit"],
        "\"route\";r=99;t=1, \"route-2\";r=1;t=1800, \"route-3\";r=19;t=1"
    );
}

/// Answers as often as it is let, and with nothing that others did.
#[derive(Debug)]
struct Gate(Semaphore);

impl Tally for Gate {
    fn settle<'a>(&'a self, spent: &'a [Spent]) -> Answer<'a, Vec<Option<Duration>>> {
        Box::pin(async {
            let let_in = self.0.acquire().await;
            let_in.expect("a gate that stays").forget();
            Ok(vec![Some(Duration::ZERO); spent.len()])
        })
    }
}

#[tokio::test]
async fn more_than_a_batch_waits_until_the_others_were_told_or_cannot_be() {
    let store = "[store]\nurl = 'redis://127.0.0.1'\n[sessions]\nissuer = 'https://a.example'\n\
                 [[sessions.signing_keys]]\nfile = 'k'\n";
    let limits = Arc::new(limits(&format!(
        "{store}[[limits]]\nper = 'route'\nrate = '1 per 1h'\nburst = 40\n{ROUTES}"
    )));
    let take = async || {
        let mut fields = RateFields::default();
        let taken = limits.admit(0, None, Instant::now(), &mut fields);
        taken.await.is_ok()
    };
    let gate = Arc::new(Gate(Semaphore::new(0)));
    let tally: Arc<dyn Tally> = Arc::<Gate>::clone(&gate);
    let settling = tokio::spawn(Arc::clone(&limits).settle_over(tally));
    tokio::task::yield_now().await;

    for _ in 0..4 {
        assert!(now(take()));
    }
    let mut fifth = pin!(take());
    assert_eq!(fifth.as_mut().now_or_never(), None);
    gate.0.add_permits(1);
    assert!(fifth.await);

    for _ in 0..3 {
        assert!(take().await);
    }
    let mut ninth = pin!(take());
    assert_eq!(ninth.as_mut().now_or_never(), None);
    settling.abort();
    assert!(ninth.await);
    // By itself it gives what is left of the burst.
    assert_eq!((0..100).filter(|_| now(take())).count(), 31);
}
