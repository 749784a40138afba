//! A client that reads nothing is cut as well, with every buffer on the way full.

use crate::support::accounts::Key;
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::{BINARY, frame, upgrade};
use crate::support::wire::{End, Wire};
use crate::support::world::World;

async fn is_cut(mut client: Wire, mut upstream: Wire, sent: usize) {
    // The gateway lets the service go although the client has taken nothing yet.
    upstream.rest().await;
    let (received, end) = client.rest().await;
    assert_eq!(end, End::Reset);
    assert!(received.len() < sent, "{} of {sent} bytes", received.len());
}

#[tokio::test]
async fn a_download_that_nobody_reads_is_reset() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.narrow_wire().await;
    client.send(Call::get("/x").bearer(&key.key).bytes()).await;
    let mut upstream = service.begin_long_answer().await;
    let sent = upstream.flood().await;
    world.revoke(&key).await;

    is_cut(client, upstream, sent).await;
}

#[tokio::test]
async fn a_websocket_that_nobody_reads_is_reset() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = world.narrow_wire().await;
    client.send(upgrade("/ws").bearer(&key.key).bytes()).await;
    let mut upstream = service.accept().await;
    upstream.accept_websocket("").await;
    client.upgraded().await;
    let huge = frame(BINARY, &vec![7; 100_000_000]);
    upstream.send(&huge[..100]).await;
    let sent = upstream.flood().await;
    world.revoke(&key).await;

    is_cut(client, upstream, sent).await;
}

#[tokio::test]
async fn a_stream_on_a_connection_that_nobody_reads_is_cancelled() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).start().await;
    let key = world.new_key(world.administrator()).await;

    let mut client = stalled_http2(&world, &key).await;
    let mut upstream = service.begin_long_answer().await;
    let sent = upstream.flood().await;
    world.revoke(&key).await;

    upstream.rest().await;
    let mut received = 0;
    loop {
        let (kind, payload) = read_http2_frame(&mut client).await;
        match kind {
            DATA => received += payload.len(),
            RST_STREAM => {
                assert_eq!(payload, CANCEL.to_be_bytes()[..]);
                break;
            }
            _ => {}
        }
    }
    assert!(received < sent, "{received} of {sent} bytes");
}

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const CANCEL: u32 = 8;

async fn read_http2_frame(client: &mut Wire) -> (u8, bytes::Bytes) {
    let head = client.exactly(9).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let payload = client.exactly(length.try_into().unwrap()).await.unwrap();
    (head[3], payload)
}

/// A connection that asks for `/x`, opens every window of HTTP/2 wide and then reads nothing.
async fn stalled_http2(world: &World, key: &Key) -> Wire {
    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;
    const HEADERS: u8 = 1;
    const END_STREAM_AND_HEADERS: u8 = 5;
    const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
    let wide = i32::MAX.to_be_bytes();
    let more = (i32::MAX - 65_535).to_be_bytes();
    let authorization = format!("Bearer {}", key.key);
    let headers = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/x"),
        ("authorization", &authorization),
    ];
    let mut block = Vec::new();
    for (name, value) in headers {
        // RFC 7541 §6.2.2: a literal without indexing and Huffman; every length is below 127.
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(http2_frame(
        SETTINGS,
        0,
        0,
        &[&INITIAL_WINDOW_SIZE[..], &wide].concat(),
    ));
    bytes.extend(http2_frame(WINDOW_UPDATE, 0, 0, &more));
    bytes.extend(http2_frame(HEADERS, END_STREAM_AND_HEADERS, 1, &block));
    let mut client = world.narrow_http2_wire().await;
    client.send(bytes).await;
    client
}

fn http2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}
