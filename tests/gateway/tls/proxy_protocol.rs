use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::http2::Http2;
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::{End, Wire};
use crate::support::within;
use crate::support::world::{Client, World};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 10.0.0.7 56324 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A gateway whose second listener is for load balancers at `trusted`, and its third one without TLS.
async fn started(service: SocketAddr, trusted: &str) -> World {
    Setup::new()
        .listener("address = \"127.0.0.1:0\", proxy_protocol = true")
        .listener("address = \"http://127.0.0.1:0\", proxy_protocol = true")
        .server(&format!(
            "trusted_proxies = [{trusted:?}]\nhandshake_timeout = \"1s\""
        ))
        .upstream("service", service)
        .route("/", "service", "public = true")
        .start_empty()
        .await
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

async fn connected(listener: SocketAddr) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(listener)).await;
    let stream = stream.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Speaks this protocol over TLS, and HTTP/1.1 without where there is none.
async fn client_over(stream: TcpStream, world: &World, protocol: &[u8]) -> Client {
    if protocol.is_empty() {
        return Client::Http1(Box::new(Wire::of_plain(stream)));
    }
    let wire = Wire::of_tls(world.tls_over(stream, &[protocol]).await);
    match protocol {
        b"h2" => Client::Http2(Http2::over(wire).await),
        _ => Client::Http1(Box::new(wire)),
    }
}

#[tokio::test]
async fn the_client_is_whom_the_load_balancer_names() {
    let mut service = Service::echo().await;
    let world = started(service.address, "127.0.0.1").await;
    let listeners = world.node().listeners();
    let v4 = [192, 0, 2, 1, 10, 0, 0, 7, 0xdc, 4, 1, 0xbb];
    let extended = [&v4[..], &[4, 0, 3, 1, 2, 3, 0x20, 0, 1, 0]].concat();
    let v6 = [
        &[0x20, 1, 0xd, 0xb8][..],
        &[0; 11],
        &[1],
        &[0; 16],
        &[0, 80, 1, 0xbb],
    ]
    .concat();
    let long = [&v4[..], &[4, 0x0f, 0x00], &[0; 0xf00]].concat();

    let rows = [
        (LINE.to_vec(), "192.0.2.1"),
        (
            b"PROXY TCP6 2001:db8::1 ::1 80 443\r\n".to_vec(),
            "2001:db8::1",
        ),
        (
            b"PROXY TCP6 ::ffff:192.0.2.1 ::1 80 443\r\n".to_vec(),
            "192.0.2.1",
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (v2(0x21, 0x11, &v4), "192.0.2.1"),
        (v2(0x21, 0x11, &extended), "192.0.2.1"),
        (v2(0x21, 0x11, &long), "192.0.2.1"),
        (v2(0x21, 0x21, &v6), "2001:db8::1"),
        (v2(0x20, 0x00, &[]), "127.0.0.1"),
        (v2(0x20, 0x11, &v4), "127.0.0.1"),
        (v2(0x21, 0x00, &[]), "127.0.0.1"),
    ];
    for (row, (header, client)) in rows.into_iter().enumerate() {
        for (listener, protocol) in [
            (listeners[1], &b"http/1.1"[..]),
            (listeners[1], b"h2"),
            (listeners[2], b""),
        ] {
            let mut stream = connected(listener).await;
            stream.write_all(&header).await.unwrap();
            let mut balancer = client_over(stream, &world, protocol).await;

            // The load balancer passes on what the client wrote: nothing of it is to be believed.
            let target = format!("/{row}-{}-{}", listener.port(), protocol.len());
            let call = Call::get(&target)
                .header("X-Forwarded-For", "203.0.113.9")
                .header("X-Real-IP", "203.0.113.9")
                .header("X-Request-Id", "forged");
            balancer.call(&call).await.expect(200);

            let seen = service.next().await.headers;
            let path = seen.get("x-forwarded-for").unwrap();
            assert_eq!(path, client, "{header:x?}");
            assert_eq!(seen.get("x-real-ip"), None, "{header:x?}");
            assert_ne!(seen.get("x-request-id"), Some("forged"), "{header:x?}");
            let access = &world.node().access;
            let line = access.wait_for("the access line", |line| line["path"] == target);
            assert_eq!(line.await["client.ip"], client, "{header:x?}");
        }
    }
}

#[tokio::test]
async fn connections_that_nobody_is_named_for_are_bounded_as_one_client() {
    let service = Service::echo().await;
    let world = Setup::new()
        .listener("address = \"http://127.0.0.1:0\", proxy_protocol = true")
        .server("trusted_proxies = [\"127.0.0.1\"]\nmax_connections_per_address = 1")
        .upstream("service", service.address)
        .route("/", "service", "public = true")
        .start_empty()
        .await;
    let listener = world.node().listeners()[1];
    let kept = async |header: &[u8]| {
        let mut stream = connected(listener).await;
        stream.write_all(header).await.unwrap();
        let _ = stream.write_all(&Call::get("/x").bytes()).await;
        let mut wire = Wire::of_plain(stream);
        let is_answered = wire.try_answer("GET").await.is_ok();
        (wire, is_answered)
    };

    for unnamed in [b"PROXY UNKNOWN\r\n".to_vec(), v2(0x20, 0x00, &[])] {
        let (_first, is_first) = kept(&unnamed).await;
        let (_second, is_second) = kept(&unnamed).await;
        let (_named, is_named) = kept(LINE).await;
        assert_eq!((is_first, is_second, is_named), (true, false, true));
        drop((_first, _named));
        world.metric("dariet_connections_open 0").await;
    }
}

#[tokio::test]
async fn the_header_may_come_in_any_pieces() {
    let mut service = Service::echo().await;
    let world = started(service.address, "127.0.0.1").await;
    let listener = world.node().listeners()[2];
    let binary = v2(
        0x21,
        0x11,
        &[192, 0, 2, 1, 10, 0, 0, 7, 0, 80, 1, 0xbb, 4, 0, 1, 9],
    );

    for header in [LINE, &binary] {
        let bytes = [header, &Call::get("/x").bytes()].concat();
        for split in (1..header.len() + 2).step_by(3) {
            let mut stream = connected(listener).await;
            stream.write_all(&bytes[..split]).await.unwrap();
            // Time enough that the two pieces are two reads, most of the times.
            tokio::task::yield_now().await;
            stream.write_all(&bytes[split..]).await.unwrap();
            Wire::of_plain(stream).answer("GET").await.expect(200);
            let seen = service.next().await.headers;
            assert_eq!(seen.get("x-forwarded-for"), Some("192.0.2.1"), "{split}");
        }
        let mut stream = connected(listener).await;
        for byte in &bytes {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        Wire::of_plain(stream).answer("GET").await.expect(200);
        service.next().await;
    }
}

#[tokio::test]
async fn a_connection_that_begins_otherwise_gets_not_a_byte() {
    let service = Service::echo().await;
    let world = started(service.address, "127.0.0.1").await;
    let listener = world.node().listeners()[2];
    let request = Call::get("/x").bytes();
    let v4 = [192, 0, 2, 1, 10, 0, 0, 7, 0xdc, 4, 1, 0xbb];

    let rows: [(&str, Vec<u8>); 12] = [
        ("no header", Vec::new()),
        ("tls at once", vec![0x16, 3, 1, 2, 0]),
        (
            "another word",
            b"PROXI TCP4 192.0.2.1 10.0.0.7 1 2\r\n".to_vec(),
        ),
        (
            "an address that is none",
            b"PROXY TCP4 192.0.2.256 10.0.0.7 1 2\r\n".to_vec(),
        ),
        (
            "a bare line feed",
            b"PROXY TCP4 192.0.2.1 10.0.0.7 1 2\n".to_vec(),
        ),
        ("a line without end", vec![b'x'; 0]),
        ("version 3", v2(0x31, 0x11, &v4)),
        ("a command there is not", v2(0x2f, 0x11, &v4)),
        ("a family there is not", v2(0x21, 0x51, &v4)),
        ("too few bytes for addresses", v2(0x21, 0x11, &v4[..8])),
        (
            "an extension past the end",
            v2(0x21, 0x11, &[&v4[..], &[4, 0, 9, 1]].concat()),
        ),
        ("too long", v2(0x21, 0x11, &[0; 5000])),
    ];
    for (what, header) in rows {
        let header = match what {
            "a line without end" => [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat(),
            _ => header,
        };
        let mut stream = connected(listener).await;
        // The gateway may have closed by then.
        let _ = stream.write_all(&[header, request.clone()].concat()).await;
        let (rest, end) = Wire::of_plain(stream).rest().await;
        assert!(rest.is_empty(), "{what}: {rest:?}");
        assert_ne!(end, End::CloseNotify);
    }
    let answer = world.ask_ops("/metrics").await.expect(200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        text.contains("dariet_proxy_headers_refused_total 12"),
        "{text}"
    );
    assert!(service.is_quiet());
}

#[tokio::test]
async fn nobody_but_the_load_balancer_connects_there() {
    let service = Service::echo().await;
    let world = started(service.address, "10.9.9.9").await;
    let listeners = world.node().listeners();

    for listener in [listeners[1], listeners[2]] {
        for header in [LINE, b"", b"PROXY UNKNOWN\r\n"] {
            let mut stream = connected(listener).await;
            let _ = stream.write_all(header).await;
            let _ = stream.write_all(&Call::get("/x").bytes()).await;
            let (rest, _) = Wire::of_plain(stream).rest().await;
            assert!(rest.is_empty(), "{rest:?}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_header_is_no_header_where_none_is_asked_for() {
    let service = Service::echo().await;
    let world = Setup::before(service.address)
        .plain()
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .start_empty()
        .await;

    let mut stream = connected(world.http()).await;
    stream.write_all(LINE).await.unwrap();
    stream.write_all(&Call::get("/x").bytes()).await.unwrap();

    Wire::of_plain(stream).answer("GET").await.expect(400);
}

#[tokio::test]
async fn a_header_that_does_not_come_ends_the_connection() {
    let service = Service::echo().await;
    let world = started(service.address, "127.0.0.1").await;

    for listener in &world.node().listeners()[1..] {
        for begun in [&b""[..], b"PROXY TCP4 192.0", &SIGNATURE[..5]] {
            let mut stream = connected(*listener).await;
            stream.write_all(begun).await.unwrap();
            let mut rest = Vec::new();
            // A reset ends it as well.
            let _ = within("the end", stream.read_to_end(&mut rest)).await;
            assert!(rest.is_empty());
        }
    }
}
