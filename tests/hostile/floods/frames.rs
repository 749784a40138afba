use tokio::io::AsyncWriteExt as _;

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, Frames, HEADERS, Outcome, PING, SETTINGS, WHOLE,
    WINDOW_UPDATE, block, frame,
};
use crate::support::within;

use super::Flooded;

const PRIORITY: u8 = 2;
/// A kind that there is not, which is to be ignored (RFC 9113 §4.1).
const UNKNOWN: u8 = 0x55;
/// A whole header, `accept-encoding: gzip, deflate` (RFC 7541, Appendix A).
const ACCEPT_ENCODING: u8 = 0x90;
const ENHANCE_YOUR_CALM: Outcome = Outcome::Gone(Some(11));

fn post() -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/flood"),
    ])
}

#[tokio::test]
async fn a_head_in_continuations_without_end_ends_the_connection() {
    // CVE-2024-27316 and its like: empty ones, small ones, and ones as large as they may be.
    for payload in [0, 1, 16_384] {
        let flooded = Flooded::start("").await;
        let mut frames = Frames::open(&flooded.world).await;

        frames.send(frame(HEADERS, 0, 1, &post())).await;
        let more = frame(CONTINUATION, 0, 1, &vec![ACCEPT_ENCODING; payload]);
        frames.send(more.repeat(64)).await;

        assert_eq!(frames.outcome(1).await, ENHANCE_YOUR_CALM, "{payload}");
        drop(frames);
        flooded.is_over().await;
    }
}

#[tokio::test]
async fn a_body_of_empty_data_ends_the_connection() {
    // CVE-2019-9518.
    let flooded = Flooded::start("").await;
    let mut frames = Frames::open(&flooded.world).await;

    frames.send(frame(HEADERS, END_HEADERS, 1, &post())).await;
    let empty = frame(DATA, 0, 1, &[]).repeat(1_000);
    for _ in 0..200 {
        frames.send(&empty).await;
    }

    assert_eq!(frames.outcome(1).await, ENHANCE_YOUR_CALM);
    drop(frames);
    flooded.is_over().await;
}

#[tokio::test]
async fn frames_that_ask_for_answers_of_whoever_does_not_read_take_no_memory() {
    // CVE-2019-9512 and CVE-2019-9515: each asks for one in turn.
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
    for asking in [frame(PING, 0, 0, &[7; 8]), settings] {
        let flooded = Flooded::start("write_timeout = \"500ms\"").await;
        let mut io = flooded.world.narrow_http2_wire().await.into_io();
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        io.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();

        let many = asking.repeat(1_000);
        // Until what the kernels hold is full and `write_timeout` ends it, or nothing is left to be said.
        let flood = async {
            let mut left = 20;
            while left > 0 && io.write_all(&many).await.is_ok() {
                left -= 1;
            }
        };
        within("the flood to be over", flood).await;
        flooded.others_are_answered().await;

        drop(io);
        flooded.is_over().await;
    }
}

#[tokio::test]
async fn frames_that_ask_for_nothing_leave_nothing_behind() {
    let update = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
    let priority = frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 7]);
    let unknown = frame(UNKNOWN, 0xff, 0, &[0; 100]);
    for idle in [update, priority, unknown] {
        let flooded = Flooded::start("").await;
        let mut frames = Frames::open(&flooded.world).await;

        let many = idle.repeat(1_000);
        for _ in 0..100 {
            frames.send(&many).await;
        }
        flooded.others_are_answered().await;
        frames.send(frame(HEADERS, WHOLE, 3, &get())).await;
        let outcome = frames.outcome(3).await;

        // Either it is still served, or its bytes were too much for somebody.
        let is_fine = matches!(outcome, Outcome::Answer(200, _) | Outcome::Gone(_));
        assert!(is_fine, "{outcome}");
        drop(frames);
        flooded.is_over().await;
    }
}

fn get() -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/after"),
    ])
}
