//! Requests to switch protocols, by clients and by services that do not mean what they say.

use crate::ask::{all, answer};
use crate::frames::Outcome;
use crate::row::{Row, Wants, try_all};
use crate::stage::{Listener, Place, Route, Stage, verdict};
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::websocket::upgrade;

/// Upgrades that two readers would see differently.
#[rustfmt::skip]
const REFUSED: &[Row] = &[
    ("by POST", "RFC 6455 §4.1", b"POST {path} HTTP/1.1\r\nHost: a\r\n{auth}\r\n"),
    ("by HEAD's sister OPTIONS", "RFC 6455 §4.1", b"OPTIONS {path} HTTP/1.1\r\nHost: a\r\n{auth}\r\n"),
    ("with a body", "CVE-2021-21295 (tunnels)", b"GET {path} HTTP/1.1\r\nHost: a\r\n{auth}Content-Length: 5\r\n\r\nhello"),
    ("with chunks", "tunnels", b"GET {path} HTTP/1.1\r\nHost: a\r\n{auth}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("with two keys", "RFC 6455 §11.3.1", b"GET {path} HTTP/1.1\r\nHost: a\r\n{auth}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"),
];

#[tokio::test]
async fn an_upgrade_that_is_none_is_refused() {
    let wants = Wants::Denied(400, "malformed_request");
    try_all("upgrades refused", &[Route::WebSocket], REFUSED, wants).await;
}

/// What asks for another protocol than WebSocket, or does not ask. It is a plain request to the service.
#[rustfmt::skip]
const PLAIN: &[Row] = &[
    ("h2c", "RFC 7540 §3.2 (h2c smuggling)", b"{get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"),
    ("h2c without its settings named", "h2c smuggling", b"{get}Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),
    ("h2c in capitals", "h2c smuggling", b"{get}Connection: UPGRADE\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),
    ("TLS", "RFC 2817", b"{get}Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n"),
    ("HTTP/2.0", "RFC 9110 §7.8", b"{get}Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n"),
    ("a tunnel of another name", "RFC 9298", b"{get}Connection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n"),
    ("WebSocket with a version", "RFC 9110 §7.8", b"{get}Connection: Upgrade\r\nUpgrade: websocket/13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
    ("WebSocket that Connection does not name", "RFC 9110 §7.8", b"{get}Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
    ("WebSocket that Connection names otherwise", "RFC 9110 §7.6.1", b"{get}Connection: Upgrade-Insecure\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
    ("WebSocket with an underscore", "CGI names", b"{get}Connection: Upgrade\r\nUp_grade: websocket\r\n\r\n"),
    ("Connection alone", "RFC 9110 §7.8", b"{get}Connection: Upgrade\r\n\r\n"),
];

#[tokio::test]
async fn no_other_protocol_is_ever_switched_to() {
    let table = "upgrades that are none";
    try_all(table, &Route::ANSWERING, PLAIN, Wants::Taken("")).await;
}

#[tokio::test]
async fn a_request_for_another_protocol_is_never_passed_on() {
    let mut stage = Stage::start().await;
    let rows = PLAIN
        .iter()
        .flat_map(|row| Listener::ALL.map(|listener| (row, listener)));
    let tries = all(rows.map(|(row, listener)| {
        let (stage, id) = (&stage, stage.id());
        let place = Place {
            listener,
            route: Route::Public,
        };
        async move {
            let mut wire = stage.wire(listener).await;
            wire.send(stage.fill(row.2, place, &id)).await;
            (row, id, answer(&mut wire, "GET").await)
        }
    }))
    .await;
    let kept = stage.end().await;

    let names = ["connection", "upgrade", "http2-settings"];
    let wrong = tries.iter().filter_map(|((name, rule, _), id, outcome)| {
        let is_clean = kept
            .about(id)
            .all(|message| !names.iter().any(|name| message.fields.has(name)));
        let is_right = is_clean && *outcome == Outcome::Answer(200, String::new());
        (!is_right).then(|| format!("{name} ({rule}): {outcome}"))
    });
    let wrong: Vec<_> = wrong.collect();
    verdict("upgrades passed on", tries.len(), &wrong, &kept);
}

/// What a service says to a WebSocket, what the client gets, and whether the tunnel opens.
type Said = (&'static str, &'static str, &'static str, u16);

#[rustfmt::skip]
const SAID: &[Said] = &[
    ("it refuses", "RFC 6455 §4.2.2", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
    ("it wants another version", "RFC 6455 §4.4", "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n", 426),
    ("it answers as if nothing had been asked", "CVE-2022-41721 (tunnel without 101)", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
    ("it answers 200 and says upgrade", "tunnel without 101", "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok", 200),
    ("it answers 101 to another protocol", "h2c smuggling", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 502),
    ("it answers 101 and names no protocol", "RFC 9110 §7.8", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n", 502),
    ("it answers 101 without Connection", "RFC 6455 §4.2.2", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", 502),
    ("it answers 100 and then refuses", "RFC 9110 §15.2", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
    ("it answers 101 to WebSocket among others that it does not name in Connection", "RFC 6455 §4.1", "HTTP/1.1 101 Switching Protocols\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n", 502),
    ("it answers what is no HTTP", "RFC 9112 §4", "SSH-2.0-OpenSSH\r\n\r\n", 502),
];

/// The client speaks on at once, as if a tunnel were there; it is not, and the service hears nothing.
#[tokio::test]
async fn a_tunnel_opens_only_when_both_sides_agreed_on_it() {
    let service = Scripted::start().await;
    let world = Setup::before(service.address).plain().start().await;
    let mut wrong = Vec::new();
    for (name, rule, said, status) in SAID {
        for listener in Listener::ALL {
            let mut wire = match listener {
                Listener::Plain => crate::support::wire::Wire::plain(world.http()).await,
                Listener::Tls => world.wire().await,
            };
            let ask = upgrade("/socket").bearer(&world.administrator().token);
            wire.send(ask.bytes()).await;
            let mut upstream = service.accept().await;
            upstream.head().await;
            upstream.send(said).await;
            let outcome = answer(&mut wire, "GET").await;
            let _ = wire
                .try_send("GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await;
            wire.finish().await;
            let rest = tokio::time::timeout(QUIET * 50, wire.rest()).await;
            let rest = rest.map_or("still open".into(), |(bytes, _)| bytes);
            drop(wire);
            // A kept connection is closed once the gateway has no use for it; the bytes would be there.
            let heard = tokio::time::timeout(QUIET, upstream.rest()).await;
            let heard = heard.map(|(bytes, _)| bytes).unwrap_or_default();
            let is_status = matches!(&outcome, Outcome::Answer(got, _) if got == status);
            let rest = String::from_utf8_lossy(&rest);
            let is_refused = rest.is_empty() || rest.starts_with("HTTP/1.1 401 ");
            if !is_status || !is_refused || !heard.is_empty() {
                wrong.push(format!(
                    "{name} ({rule}), {listener:?}: {outcome}, {rest:?}, {heard:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How long to listen for what must not come, where its absence cannot be waited for.
const QUIET: std::time::Duration = std::time::Duration::from_millis(100);
