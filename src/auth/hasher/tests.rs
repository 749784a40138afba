use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use super::*;

fn settings(threads: usize) -> config::Passwords {
    config::Passwords {
        min_length: 8,
        memory: 64 * 1024,
        iterations: 2,
        threads,
    }
}

fn hasher() -> Hasher {
    Hasher::new(settings(1))
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

async fn verify(hasher: &Hasher, text: &str, stored: Option<&str>) -> bool {
    let verified = hasher.verify(Lane::Login, password(text), stored);
    verified.await.unwrap()
}

fn waits(future: Pin<&mut impl Future>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    future.poll(&mut context).is_pending()
}

/// A hash of `text` made elsewhere, at another cost.
fn foreign(text: &str, memory: u32, rounds: u32, lanes: u32) -> String {
    use argon2::PasswordHasher;

    let cost = Params::new(memory, rounds, lanes, None).unwrap();
    let hash = argon2::Argon2::from(cost).hash_password_with_salt(text.as_bytes(), b"saltsalt");
    hash.unwrap().to_string()
}

#[tokio::test]
async fn a_password_is_known_again_and_no_other() {
    let hasher = hasher();
    let stored = hasher
        .hash(Lane::Change, password("correct horse"))
        .await
        .unwrap();

    assert!(
        stored.starts_with("$argon2id$v=19$m=64,t=2,p=1$"),
        "{stored}"
    );
    assert!(verify(&hasher, "correct horse", Some(&stored)).await);
    assert!(!verify(&hasher, "Correct horse", Some(&stored)).await);
    assert!(!verify(&hasher, "correct horse ", Some(&stored)).await);
    assert!(!verify(&hasher, "", Some(&stored)).await);
    assert!(!verify(&hasher, "correct horse", None).await);
    assert!(!verify(&hasher, "", None).await);
}

#[tokio::test]
async fn two_hashes_of_one_password_differ() {
    let hasher = hasher();
    let hash = || hasher.hash(Lane::Change, password("correct horse"));
    assert_ne!(hash().await.unwrap(), hash().await.unwrap());
}

#[tokio::test]
async fn both_ways_to_type_an_accent_are_one_password() {
    let hasher = hasher();
    let stored = hasher
        .hash(Lane::Change, password("caf\u{e9} noir"))
        .await
        .unwrap();
    assert!(verify(&hasher, "cafe\u{301} noir", Some(&stored)).await);
}

#[tokio::test]
async fn a_password_that_is_too_long_is_never_right() {
    let hasher = hasher();
    let long = "x".repeat(5000);
    let stored = foreign("", 64, 2, 1);
    let refused = hasher.hash(Lane::Change, password(&long)).await;
    assert_eq!(refused, Err(HashError::TooLong));
    assert!(verify(&hasher, "", Some(&stored)).await);
    assert!(!verify(&hasher, &long, Some(&stored)).await);
}

#[tokio::test]
async fn hashes_of_another_cost_are_understood_and_due_for_renewal() {
    let hasher = hasher();
    for (memory, rounds, lanes) in [(8, 1, 1), (64, 3, 1), (1024, 1, 4), (65, 2, 1)] {
        let stored = foreign("correct horse", memory, rounds, lanes);
        assert!(
            verify(&hasher, "correct horse", Some(&stored)).await,
            "{stored}"
        );
        assert!(
            !verify(&hasher, "wrong horse", Some(&stored)).await,
            "{stored}"
        );
        assert!(hasher.needs_rehash(&stored));
    }
    let own = hasher
        .hash(Lane::Change, password("correct horse"))
        .await
        .unwrap();
    assert!(!hasher.needs_rehash(&own));
}

#[tokio::test]
async fn a_stored_hash_cannot_ask_for_any_cost() {
    let hasher = hasher();
    let good = hasher
        .hash(Lane::Change, password("correct horse"))
        .await
        .unwrap();
    for stored in [
        good.replace("m=64", "m=4294967295"),
        good.replace("m=64", "m=262145"),
        good.replace("t=2", "t=4294967295"),
        good.replace("p=1", "p=8388608"),
        good.replace("argon2id", "argon2i"),
        good.replace("v=19", "v=16"),
        good.replace("m=64", "m=0"),
        good[..good.len() / 2].to_owned(),
        good.rsplit_once('$').unwrap().0.to_owned(),
        String::new(),
        "plain".to_owned(),
        "$argon2id$".repeat(1000),
    ] {
        assert!(
            !verify(&hasher, "correct horse", Some(&stored)).await,
            "{stored}"
        );
        assert!(hasher.needs_rehash(&stored));
    }
}

#[tokio::test]
async fn a_full_lane_says_so_and_the_other_goes_on() {
    let mut hasher = hasher();
    // Nobody works, so that everything waits.
    hasher.queue.close();
    for thread in hasher.threads.drain(..) {
        thread.join().unwrap();
    }
    hasher.queue = Arc::new(HashQueue::new());
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut job = Box::pin(hasher.verify(Lane::Login, password("x"), None));
        assert!(waits(job.as_mut()));
        waiting.push(job);
    }

    let begin = tokio::time::Instant::now();
    let refused = hasher.verify(Lane::Login, password("x"), None).await;
    assert_eq!(refused, Err(HashError::Busy));
    assert!(begin.elapsed() >= PATIENCE, "as often as they like");
    let mut change = pin!(hasher.hash(Lane::Change, password("x")));
    assert!(waits(change.as_mut()));

    drop(waiting);
    assert!(
        hasher
            .queue
            .pop()
            .is_some_and(|job| matches!(job, Job::Hash { .. }))
    );
    hasher.queue.close();
}

#[test]
fn the_threads_end_with_the_hasher() {
    let mut hasher = Hasher::new(settings(3));
    let threads = std::mem::take(&mut hasher.threads);
    assert_eq!(threads.len(), 3);
    drop(hasher);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_still_hash() {
    let mut settings = settings(0);
    settings.memory = 0;
    settings.iterations = 0;
    let hasher = Hasher::new(settings);
    assert!(hasher.hash(Lane::Login, password("x")).await.is_ok());
}

#[test]
fn a_full_hasher_asks_to_come_again_in_a_second() {
    let answer = ApiError::from(HashError::Busy);
    assert_eq!(answer.code, Code::Overloaded);
    assert_eq!(answer.retry_after, Some(Duration::from_secs(1)));
}
