//! What is said of the client behind a trusted proxy: who connected to it may forge what it passes on.

use serde_json::Value;

use crate::ask::{Ask, Speaks, all};
use crate::stage::{Route, Stage, verdict};
use crate::support::setup::Setup;

/// What arrives from a trusted proxy at 127.0.0.1, and whom the gateway takes for the client.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const PROXY: &str = "127.0.0.1";
const CLIENT: &str = "203.0.113.9";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("nothing", "SECURITY.md, Trust", &[], PROXY),
    ("a client", "SECURITY.md, Trust", &[("X-Forwarded-For", "203.0.113.9")], CLIENT),
    ("a client who forged one before", "RFC 7239 §8.1", &[("X-Forwarded-For", "6.6.6.6, 203.0.113.9")], CLIENT),
    ("a client who forged many", "RFC 7239 §8.1", &[("X-Forwarded-For", "6.6.6.6, 127.0.0.1, 10.0.0.1, 203.0.113.9")], CLIENT),
    ("a client who forged a header", "RFC 7239 §8.1", &[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.9")], CLIENT),
    ("two proxies", "SECURITY.md, Trust", &[("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 127.0.0.1")], CLIENT),
    ("junk before", "SECURITY.md, Trust", &[("X-Forwarded-For", "evil, 203.0.113.9")], CLIENT),
    ("junk behind", "SECURITY.md, Trust", &[("X-Forwarded-For", "203.0.113.9, evil")], PROXY),
    ("unknown", "RFC 7239 §6.2", &[("X-Forwarded-For", "unknown")], PROXY),
    ("nothing in the list", "SECURITY.md, Trust", &[("X-Forwarded-For", "")], PROXY),
    ("a port", "SECURITY.md, Trust", &[("X-Forwarded-For", "203.0.113.9:4711")], CLIENT),
    ("IPv4 as IPv6", "RFC 4291 §2.5.5", &[("X-Forwarded-For", "::ffff:203.0.113.9")], CLIENT),
    ("IPv6 in brackets", "SECURITY.md, Trust", &[("X-Forwarded-For", "[2001:db8::9]:4711")], "2001:db8::9"),
    ("octal numbers", "CVE-2021-29923", &[("X-Forwarded-For", "0313.0.113.9")], PROXY),
    ("zeros before", "CVE-2021-29923", &[("X-Forwarded-For", "203.000.113.009")], PROXY),
    ("three numbers", "CVE-2021-29923", &[("X-Forwarded-For", "203.0.28937")], PROXY),
    ("one number", "CVE-2021-29923", &[("X-Forwarded-For", "3405803785")], PROXY),
    ("hexadecimal", "CVE-2021-29923", &[("X-Forwarded-For", "0xcb.0.113.9")], PROXY),
    ("a zone", "RFC 6874", &[("X-Forwarded-For", "fe80::1%eth0")], PROXY),
    ("a name", "RFC 7239 §6", &[("X-Forwarded-For", "localhost")], PROXY),
    ("an underscore in the name", "CGI names", &[("X_Forwarded_For", "6.6.6.6")], PROXY),
    ("a dot in the name", "CGI names", &[("X.Forwarded.For", "6.6.6.6")], PROXY),
    ("another header", "SECURITY.md, Trust", &[("X-Real-IP", "6.6.6.6"), ("True-Client-IP", "6.6.6.6")], PROXY),
    ("Forwarded", "RFC 7239 §4", &[("Forwarded", "for=203.0.113.9;proto=https")], CLIENT),
    ("Forwarded, forged before", "RFC 7239 §8.1", &[("Forwarded", "for=6.6.6.6, for=203.0.113.9")], CLIENT),
    ("Forwarded in capitals", "RFC 7239 §4", &[("Forwarded", "FOR=203.0.113.9")], CLIENT),
    ("a comma within quotes", "RFC 7239 §4", &[("Forwarded", "for=\"6.6.6.6, for=203.0.113.9\"")], PROXY),
    ("quotes that do not end", "RFC 7239 §4", &[("Forwarded", "for=203.0.113.9, for=\"6.6.6.6")], PROXY),
    ("quotes over two headers", "RFC 7239 §4", &[("Forwarded", "for=\"6.6.6.6"), ("Forwarded", "\", for=203.0.113.9")], PROXY),
    ("for twice in an element", "RFC 7239 §4", &[("Forwarded", "for=203.0.113.9;for=6.6.6.6")], PROXY),
    ("a hidden client", "RFC 7239 §6.3", &[("Forwarded", "for=_hidden")], PROXY),
    ("the two disagree", "SECURITY.md, Trust", &[("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=6.6.6.6")], PROXY),
    ("the two agree", "SECURITY.md, Trust", &[("X-Forwarded-For", "6.6.6.6, 203.0.113.9"), ("Forwarded", "for=203.0.113.9")], CLIENT),
    ("one of the two is junk", "SECURITY.md, Trust", &[("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "junk")], PROXY),
];

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_is_whom_that_proxy_named() {
    let setup = Setup::new().server("trusted_proxies = [\"127.0.0.1\"]");
    let mut stage = Stage::with(setup).await;
    let tries = ROWS
        .iter()
        .flat_map(|row| Speaks::ALL.map(|speaks| (row, speaks)));
    let tries = all(tries.map(|(row, speaks)| {
        let (stage, id) = (&stage, stage.id());
        let mut ask = Ask::get(stage.target(Route::Public, &id));
        for (name, value) in row.2 {
            ask = ask.field(*name, *value);
        }
        async move { (row, speaks, id, ask.send(stage, speaks).await) }
    }))
    .await;
    let access = stage.world.node().access.clone();
    let kept = stage.end().await;

    let lines = access.json();
    let wrong = tries.iter().filter_map(|(row, speaks, id, outcome)| {
        let (name, rule, _, client) = row;
        let is_its = |line: &&Value| line["path"].as_str().is_some_and(|path| path.contains(id));
        let line = lines.iter().find(is_its);
        let is_right = line.is_some_and(|line| line["client.ip"] == *client);
        (!is_right).then(|| format!("{name} ({rule}), {speaks:?}: {outcome}, {line:?}"))
    });
    let wrong: Vec<_> = wrong.collect();
    verdict("proxies", tries.len(), &wrong, &kept);
}
