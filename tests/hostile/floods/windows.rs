use std::time::Duration;

use crate::frames::{Frames, HEADERS, Outcome, SETTINGS, WHOLE, WINDOW_UPDATE, block, frame};
use crate::support::message::Call;
use crate::support::service::Service;

use super::Flooded;

/// A service of answers that are larger than what kernels take.
async fn large() -> Service {
    let body = vec![b'x'; 8 << 20];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    Service::answering_with(move |request| {
        if request.target == "/large" {
            [head.as_bytes(), &body].concat()
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
    })
    .await
}

async fn flooded() -> Flooded {
    Flooded::of("write_timeout = \"500ms\"", |setup| setup, large().await).await
}

#[tokio::test]
async fn streams_without_a_window_are_reset() {
    // CVE-2019-9517.
    let flooded = flooded().await;
    let mut frames = Frames::open(&flooded.world).await;

    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    frames
        .send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]))
        .await;
    let head = block(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/large"),
    ]);
    for stream in 0..30 {
        frames
            .send(frame(HEADERS, WHOLE, 2 * stream + 1, &head))
            .await;
    }
    flooded.others_are_answered().await;

    // The head goes out, the body never, and its end is a reset. The last one tells for all.
    let outcome = frames.end_of(59).await;
    assert_eq!(outcome, Outcome::Reset(2));
    drop(frames);
    flooded.is_over().await;
}

#[tokio::test]
async fn clients_that_read_nothing_are_let_go() {
    let flooded = flooded().await;
    let mut slow = Vec::new();
    for _ in 0..30 {
        let mut wire = flooded.world.narrow_wire().await;
        wire.send(Call::get("/large").bytes()).await;
        slow.push(wire);
    }
    flooded.others_are_answered().await;

    flooded.is_over().await;
    drop(slow);
}

#[tokio::test]
async fn a_stream_whose_window_opens_byte_by_byte_is_reset() {
    // CVE-2019-9511.
    let bounds = "min_rate = \"64KiB\"\nmin_rate_grace = \"1s\"";
    let flooded = Flooded::of(bounds, |setup| setup, large().await).await;
    let mut frames = Frames::open(&flooded.world).await;
    let head = block(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/large"),
    ]);
    frames
        .send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]))
        .await;
    frames.send(frame(HEADERS, WHOLE, 1, &head)).await;

    let mut opening = tokio::time::interval(Duration::from_millis(50));
    let update = frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    let outcome = loop {
        tokio::select! {
            outcome = frames.end_of(1) => break outcome,
            _ = opening.tick() => {}
        }
        frames.send(&update).await;
    };

    assert_eq!(outcome, Outcome::Reset(2));
    drop(frames);
    flooded.is_over().await;
}
