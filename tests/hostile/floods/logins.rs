use futures_util::future::join_all;
use serde_json::json;

use crate::support::accounts::ADMINISTRATOR;
use crate::support::message::Call;
use crate::support::service::Service;

use super::Flooded;

const LOGIN: &str = "/api/auth/login";

#[tokio::test]
async fn a_flood_of_log_ins_waits_in_a_short_queue_or_not_at_all() {
    // As dear as by default: all at once would take 3 GB.
    let hashes = "[passwords]\nmemory = \"19MiB\"\niterations = 2\nthreads = 1";
    let service = Service::echo().await;
    let flooded = Flooded::of("", |setup| setup.toml(hashes), service).await;

    let guesses = (0..160).map(|at| {
        let email = if at % 2 == 0 {
            ADMINISTRATOR.to_owned()
        } else {
            format!("nobody-{at}@example.com")
        };
        let body = json!({"email": email, "password": "a guess"});
        let world = &flooded.world;
        async move { world.call(&Call::post(LOGIN).json(&body)).await.status }
    });
    let (statuses, ()) = tokio::join!(join_all(guesses), async {
        for _ in 0..5 {
            flooded.others_are_answered().await;
        }
    });

    let count = |status| statuses.iter().filter(|one| **one == status).count();
    // 64 wait and one is hashed; those behind are told to come again.
    assert!(count(401) >= 64, "{statuses:?}");
    assert!(count(503) > 0, "{statuses:?}");
    assert_eq!(count(401) + count(503), statuses.len(), "{statuses:?}");
    flooded.is_over().await;
}

#[tokio::test]
async fn guesses_from_one_address_are_braked() {
    let brakes = "[login]\nper_address = \"10 per 1h\"";
    let service = Service::echo().await;
    let flooded = Flooded::of("", |setup| setup.toml(brakes), service).await;

    let guesses = (0..100).map(|at| {
        let body = json!({"email": format!("{at}@example.com"), "password": "a guess"});
        let world = &flooded.world;
        async move { world.call(&Call::post(LOGIN).json(&body)).await.status }
    });
    let statuses = join_all(guesses).await;

    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(401), count(429)), (10, 90), "{statuses:?}");
    flooded.is_over().await;
}

#[tokio::test]
async fn hashing_takes_only_what_requests_leave_of_the_processor() {
    let flooded = Flooded::start("").await;
    let threads = flooded.process.threads();

    let nice = |name: &str| {
        let of = threads
            .iter()
            .filter(|thread| thread.name.starts_with(name));
        of.map(|thread| thread.nice).collect::<Vec<_>>()
    };
    let (hashers, workers) = (nice("hasher-"), nice("worker-"));
    assert!(!hashers.is_empty() && hashers.iter().all(|nice| *nice == 19));
    assert!(!workers.is_empty() && workers.iter().all(|nice| *nice < 19));
}
