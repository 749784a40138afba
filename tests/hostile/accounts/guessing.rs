//! Guessing: one account from many addresses, many accounts from one, and every way to look like
//! somebody else to the brake. And the brake as a weapon: strangers lock nobody out.

use super::{LOGIN, from, log_in, setup};
use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::{Answer, Call};
use crate::support::setup::Setup;
use crate::support::world::World;

const BRAKES: &str = "[login]\nper_account_and_address = \"5 per 15m\"\n\
    per_address = \"30 per 15m\"\nper_account = \"50 per 15m\"\n\
    forgot_per_address = \"10 per 1h\"\nforgot_per_account = \"3 per 1h\"\n";

const REFUSED: (u16, &str) = (401, "login_failed");
const BRAKED: (u16, &str) = (429, "too_many_attempts");

fn is(answer: &Answer, refusal: (u16, &str)) -> bool {
    answer.refusal() == (refusal.0, refusal.1.to_owned())
}

/// Tries wrong passwords until the brake holds; how many were looked at.
async fn tries(world: &World, calls: impl Iterator<Item = Call>) -> usize {
    let mut wire = world.wire().await;
    let mut count = 0;
    for call in calls {
        let answer = wire.call(&call).await;
        if is(&answer, BRAKED) {
            return count;
        }
        assert!(is(&answer, REFUSED), "{answer:?}");
        count += 1;
    }
    panic!("{count} tries, and no brake");
}

#[tokio::test]
async fn no_other_spelling_of_an_account_has_tries_of_its_own() {
    let world = setup().toml(BRAKES).start().await;
    let spellings = [
        "root@example.com",
        "ROOT@EXAMPLE.COM",
        " root@example.com",
        "root@example.com ",
        "Root@Example.Com",
        "root@example\u{3002}com",
        "root@ex\u{ff41}mple.com",
        "root@EXAMPLE.com",
    ];
    let calls = spellings
        .iter()
        .map(|email| from(log_in(email, "wrong password"), "198.51.100.1"));

    assert_eq!(tries(&world, calls).await, 5);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_braked_with_the_same_bytes() {
    let world = setup().toml(BRAKES).start().await;
    let mut braked = Vec::new();
    for email in [ADMINISTRATOR, "nobody@example.com", "no address"] {
        let call = from(log_in(email, "wrong password"), "198.51.100.2");
        let count = tries(&world, std::iter::repeat_n(call.clone(), 9)).await;
        assert_eq!(count, 5, "{email}");
        let answer = world.call(&call).await;
        let mut problem = answer.json();
        problem["request_id"].take();
        let wait: i64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
        braked.push((problem, wait));
    }
    for (problem, wait) in &braked {
        assert_eq!(problem, &braked[0].0);
        assert!((wait - braked[0].1).abs() <= 2, "{braked:?}");
    }
}

#[tokio::test]
async fn one_address_that_sprays_over_accounts_is_braked() {
    let world = setup().toml(BRAKES).start().await;
    let user = world.new_user("grace", "viewer").await;
    let calls = (0..60).map(|n| {
        let email = format!("user-{n}@example.com");
        from(log_in(&email, "Winter2026!"), "198.51.100.3")
    });

    assert_eq!(tries(&world, calls).await, 30);

    // Who is right is braked there as well: the answer would be the guesser's prize.
    let right = log_in(&user.email, PASSWORD);
    let answer = world.call(&from(right.clone(), "198.51.100.3")).await;
    assert!(is(&answer, BRAKED), "{answer:?}");
    world.call(&from(right, "198.51.100.4")).await.expect(200);
}

#[tokio::test]
async fn many_addresses_that_guess_at_one_account_are_braked_and_its_owner_is_not() {
    let world = setup().toml(BRAKES).start().await;
    let right = log_in(ADMINISTRATOR, PASSWORD);
    world
        .call(&from(right.clone(), "192.0.2.77"))
        .await
        .expect(200);
    let calls = (0..80).map(|n| {
        let address = format!("203.0.113.{n}");
        from(log_in(ADMINISTRATOR, "wrong password"), &address)
    });

    assert_eq!(tries(&world, calls).await, 50);

    let stranger = world.call(&from(right.clone(), "198.51.100.5")).await;
    assert!(is(&stranger, BRAKED), "{stranger:?}");
    // From where they logged in before, the owner goes on, and strangers cannot change that.
    for _ in 0..3 {
        world
            .call(&from(right.clone(), "192.0.2.77"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_are_one() {
    let world = setup().toml(BRAKES).start().await;
    let calls = (0..20).map(|n| {
        let address = format!("2001:db8:0:1::{n:x}");
        from(log_in("grace@example.com", "wrong password"), &address)
    });
    assert_eq!(tries(&world, calls).await, 5);

    let calls = (0..40).map(|n| {
        let address = format!("2001:db8:0:2:{n:x}::1");
        from(
            log_in(&format!("user-{n}@example.com"), "wrong password"),
            &address,
        )
    });
    assert_eq!(tries(&world, calls).await, 30);
}

/// Headers that would make every try another client's, from somebody whom nobody trusts.
#[tokio::test]
async fn a_forged_address_has_no_tries_of_its_own() {
    let world = Setup::new().toml(BRAKES).start().await;
    let names = [
        "X-Forwarded-For",
        "X_Forwarded_For",
        "Forwarded",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
        "Via",
    ];
    let calls = names.iter().cycle().take(20).enumerate().map(|(n, name)| {
        let address = match *name {
            "Forwarded" => format!("for=203.0.113.{n}"),
            _ => format!("203.0.113.{n}"),
        };
        log_in(ADMINISTRATOR, "wrong password").header(name, &address)
    });

    assert_eq!(tries(&world, calls).await, 5);
}

#[tokio::test]
async fn a_log_in_between_gives_a_guesser_no_tries_at_others() {
    let world = setup().toml(BRAKES).start().await;
    let own = world.new_user("mallory", "viewer").await;
    let own = from(log_in(&own.email, PASSWORD), "198.51.100.6");
    let mut count = 0;
    for n in 0..60 {
        let email = format!("user-{n}@example.com");
        let guess = from(log_in(&email, "wrong password"), "198.51.100.6");
        if is(&world.call(&guess).await, BRAKED) {
            break;
        }
        count += 1;
        world.call(&own).await;
    }

    assert_eq!(count, 30);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_one_after_the_other() {
    let world = setup().toml(BRAKES).start().await;
    let call = from(Call::post(LOGIN), "198.51.100.7");
    let call =
        call.json(&serde_json::json!({"email": ADMINISTRATOR, "password": "wrong password"}));

    let answers = super::at_once(&world, &vec![call; 24]).await;

    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 401 | 429 | 503))
    );
}
