use crate::frames::{END_HEADERS, Frames, HEADERS, Outcome, RST_STREAM, WHOLE, block, frame};
use crate::support::service::Service;

use super::Flooded;

/// `CANCEL` (RFC 9113 §7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: Outcome = Outcome::Gone(Some(11));

fn head() -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/flood"),
    ])
}

/// Streams of a client, counted from 0.
fn stream(at: u32) -> u32 {
    2 * at + 1
}

#[tokio::test]
async fn streams_that_are_reset_before_they_are_looked_at_end_the_connection() {
    let mut flooded = Flooded::start("").await;
    let _ = flooded.service.taken();
    let mut frames = Frames::open(&flooded.world).await;

    // CVE-2023-44487: as many as fit into a write.
    let rapid: Vec<u8> = (0..5_000)
        .flat_map(|at| {
            let head = frame(HEADERS, WHOLE, stream(at), &head());
            [head, frame(RST_STREAM, 0, stream(at), &CANCEL)].concat()
        })
        .collect();
    frames.send(rapid).await;

    assert_eq!(frames.outcome(stream(4_999)).await, ENHANCE_YOUR_CALM);
    drop(frames);
    flooded.is_over().await;
    let arrived = flooded.service.taken();
    let arrived = arrived.iter().filter(|request| request.target == "/flood");
    assert!(arrived.count() <= 256, "max_resets");
}

#[tokio::test]
async fn streams_that_are_reset_after_they_were_passed_on_end_the_connection() {
    let mut flooded = Flooded::of(
        "[server.http2]\nmax_resets = \"5 per 1h\"",
        |setup| setup,
        // Nobody's answer has an end.
        Service::answering_with(|request| {
            let length = if request.target == "/flood" { 10 } else { 0 };
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes()
        })
        .await,
    )
    .await;
    let _ = flooded.service.taken();
    let mut frames = Frames::open(&flooded.world).await;

    for at in 0..6 {
        frames
            .send(frame(HEADERS, WHOLE, stream(at), &head()))
            .await;
        flooded.service.next().await;
        frames.send(frame(RST_STREAM, 0, stream(at), &CANCEL)).await;
    }
    frames.send(frame(HEADERS, WHOLE, 99, &head())).await;

    assert_eq!(frames.outcome(99).await, ENHANCE_YOUR_CALM);
    assert!(flooded.service.is_quiet());
}

#[tokio::test]
async fn uploads_that_are_reset_count_too() {
    let flooded = Flooded::start("[server.http2]\nmax_resets = \"5 per 1h\"").await;
    let mut frames = Frames::open(&flooded.world).await;

    for at in 0..200 {
        frames
            .send(frame(HEADERS, END_HEADERS, stream(at), &head()))
            .await;
        frames.send(frame(RST_STREAM, 0, stream(at), &CANCEL)).await;
    }

    assert_eq!(frames.outcome(stream(200)).await, ENHANCE_YOUR_CALM);
    drop(frames);
    flooded.is_over().await;
}

#[tokio::test]
async fn whoever_lets_as_many_end_as_they_cancel_is_served_on() {
    let mut flooded = Flooded::start("[server.http2]\nmax_resets = \"2 per 1h\"").await;
    let _ = flooded.service.taken();
    let mut frames = Frames::open(&flooded.world).await;

    for at in 0..40 {
        let whole = frame(HEADERS, WHOLE, stream(2 * at), &head());
        frames.send(whole).await;
        let answered = frames.outcome(stream(2 * at)).await;
        assert_eq!(answered, Outcome::Answer(200, String::new()));
        flooded.service.next().await;
        let cut = stream(2 * at + 1);
        // Its body never comes, so that it cannot have ended before it is reset.
        frames.send(frame(HEADERS, END_HEADERS, cut, &head())).await;
        frames.send(frame(RST_STREAM, 0, cut, &CANCEL)).await;
    }

    drop(frames);
    flooded.is_over().await;
}
