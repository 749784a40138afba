//! Forms of a request target and methods that are not for a service, over HTTP/1.1.

use crate::recorder::{Kept, Message};
use crate::row::{Row, Wants, judged, try_all, try_on};
use crate::stage::{Route, Stage, verdict};

/// What asks for a tunnel, or to be shown what we told the service, or is another method to us than to some
/// services.
#[rustfmt::skip]
const NOT_DONE: &[Row] = &[
    ("CONNECT to a host", "RFC 9110 §9.3.6", b"CONNECT {path}.example:443 HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("CONNECT to a path", "RFC 9110 §9.3.6", b"CONNECT {path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("CONNECT to a URL", "RFC 9110 §9.3.6", b"CONNECT http://localhost{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("TRACE", "RFC 9110 §9.3.8 (XST)", b"TRACE {path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("TRACE, as far as it goes", "RFC 9110 §7.6.2", b"TRACE {path} HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n{auth}\r\n"),
    ("small letters in the method", "RFC 9110 §9.1 (Django, Werkzeug)", b"get {path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a small letter in the method", "RFC 9110 §9.1", b"DELETe {path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("TRACE in small letters", "RFC 9110 §9.3.8 (XST)", b"trace {path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("CONNECT in small letters", "RFC 9110 §9.3.6", b"connect {path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
];

/// Targets that have no path.
#[rustfmt::skip]
const NO_PATH: &[Row] = &[
    ("an asterisk", "RFC 9112 §3.2.4", b"GET * HTTP/1.1\r\nHost: localhost\r\nX: {path}\r\n{auth}\r\n"),
    ("OPTIONS of everything", "RFC 9110 §9.3.7", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nX: {path}\r\n{auth}\r\n"),
    ("a word", "RFC 9112 §3.2.1", b"GET open HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a host and a port", "RFC 9112 §3.2.3", b"GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
];

/// Targets that nobody can read.
#[rustfmt::skip]
const MALFORMED: &[Row] = &[
    ("a query alone", "RFC 9112 §3.2.1", b"GET ?{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a path without slash", "RFC 9112 §3.2.1", b"GET x{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a URL without host", "RFC 9112 §3.2.2", b"GET http://{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a URL with half a scheme", "RFC 9112 §3.2.2", b"GET http:{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a URL with half an address", "RFC 9112 §3.2.2", b"GET http://[::1{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("CONNECT with a body", "RFC 9110 §9.3.6", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n{auth}\r\nhello"),
    ("CONNECT with chunks", "RFC 9110 §9.3.6", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{auth}\r\n0\r\n\r\n"),
];

/// Targets that name a host. It counts in the place of `Host` (RFC 9112 §3.2.2), and decides nothing
/// but which route it is: the service is the configuration's.
#[rustfmt::skip]
const ABSOLUTE: &[Row] = &[
    ("another host than Host", "RFC 9112 §3.2.2", b"GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("another port than Host", "RFC 9112 §3.2.2", b"GET http://localhost:81{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("https in the target", "RFC 9112 §3.2.2", b"GET https://localhost{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("another scheme", "RFC 9112 §3.2.2", b"GET ftp://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("an address of ours", "CVE-2021-40438 (SSRF)", b"GET http://169.254.169.254{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("the node itself", "SSRF", b"GET http://127.0.0.1:1{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("capitals", "RFC 3986 §3.1", b"GET HTTP://LOCALHOST{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("a Host of somebody else", "password reset poisoning", b"GET {path} HTTP/1.1\r\nHost: evil.example\r\n{auth}\r\n"),
    ("a Host with a dot behind", "RFC 1034 §3.1", b"GET {path} HTTP/1.1\r\nHost: localhost.\r\n{auth}\r\n"),
    ("a URL in the path", "SSRF", b"GET {path}/http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
];

#[tokio::test]
async fn a_tunnel_and_a_trace_are_for_nobody() {
    let wants = Wants::Denied(501, "not_implemented");
    try_all("targets not done", &Route::ANSWERING, NOT_DONE, wants).await;
}

#[tokio::test]
async fn a_target_without_a_path_reaches_nobody() {
    let wants = Wants::Denied(400, "path_refused");
    try_all("targets without path", &Route::ANSWERING, NO_PATH, wants).await;
}

#[tokio::test]
async fn a_target_that_is_none_reaches_nobody() {
    let wants = Wants::Denied(400, "malformed_request");
    try_all("targets malformed", &Route::ANSWERING, MALFORMED, wants).await;
}

#[tokio::test]
async fn the_host_that_a_client_names_is_never_where_a_request_goes() {
    let mut stage = Stage::start().await;
    let wants = Wants::Taken("");
    let tries = try_on(&mut stage, &Route::ANSWERING, ABSOLUTE, wants).await;
    let kept = stage.end().await;
    let mut wrong = judged(&tries, &kept);
    wrong.extend(hosts_that_differ(&kept));
    verdict("targets", tries.len(), &wrong, &kept);
}

/// The service is told one host, everywhere the same, and a path without it.
fn hosts_that_differ(kept: &Kept) -> Vec<String> {
    let wrong = kept.messages.iter().filter(|message| {
        let host = message.fields.get("host").unwrap_or_default();
        let told = message.fields.get("x-forwarded-host");
        let forwarded = message.fields.get("forwarded").unwrap_or_default();
        told != Some(host)
            || !forwarded.contains(&format!("host=\"{host}\""))
            || !message.target.starts_with('/')
    });
    wrong.map(Message::text).collect()
}
