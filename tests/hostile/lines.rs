//! Lines of a head that two readers would split or join in two ways, and targets that are none.

use crate::row::{Row, Wants, try_all};
use crate::stage::Route;

#[rustfmt::skip]
const REFUSED: &[Row] = &[
    // Ends of lines.
    ("line feeds alone", "RFC 9112 §2.2", b"GET {path} HTTP/1.1\nHost: a\n\n"),
    ("a line feed alone behind the request line", "RFC 9112 §2.2", b"GET {path} HTTP/1.1\nHost: a\r\n{auth}\r\n"),
    ("a line feed alone behind a header", "RFC 9112 §2.2", b"{get}X: y\nZ: z\r\n\r\n"),
    ("a line feed alone at the end", "RFC 9112 §2.2", b"{get}X: y\r\n\n"),
    ("carriage returns alone", "RFC 9112 §2.2", b"{get}X: y\rZ: z\r\n\r\n"),
    ("a carriage return before CRLF", "RFC 9112 §2.2", b"{get}X: y\r\r\n\r\n"),
    ("a carriage return at the start of a name", "RFC 9112 §2.2", b"{get}\rX: y\r\n\r\n"),
    ("a carriage return in the target", "RFC 9112 §2.2", b"GET {path}\r HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two empty lines first", "RFC 9112 §2.2", b"\r\n\r\n{get}\r\n"),
    ("a line feed first", "RFC 9112 §2.2", b"\n{get}\r\n"),
    ("a space first", "RFC 9112 §2.2", b" {get}\r\n"),
    ("a NUL first", "RFC 9112 §3", b"\0{get}\r\n"),
    ("a byte order mark first", "RFC 9112 §3", b"\xef\xbb\xbf{get}\r\n"),
    // Headers.
    ("a folded header", "RFC 9112 §5.2", b"{get}X: y\r\n z\r\n\r\n"),
    ("a header folded with a tab", "RFC 9112 §5.2", b"{get}X: y\r\n\tz\r\n\r\n"),
    ("a fold behind the request line", "RFC 9112 §2.2", b"GET {path} HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n"),
    ("a fold with nothing in it", "RFC 9112 §5.2", b"{get}X: y\r\n \r\n\r\n"),
    ("a space before a colon", "RFC 9112 §5.1", b"{get}X : y\r\n\r\n"),
    ("a tab before a colon", "RFC 9112 §5.1", b"{get}X\t: y\r\n\r\n"),
    ("no colon", "RFC 9112 §5", b"{get}no colon\r\n\r\n"),
    ("no name", "RFC 9112 §5", b"{get}: y\r\n\r\n"),
    ("a NUL in a value", "RFC 9110 §5.5", b"{get}X: a\0b\r\n\r\n"),
    ("a NUL in a name", "RFC 9110 §5.1", b"{get}X\0: y\r\n\r\n"),
    ("a control character in a value", "RFC 9110 §5.5", b"{get}X: a\x01b\r\n\r\n"),
    ("a vertical tab in a value", "RFC 9110 §5.5", b"{get}X: a\x0bb\r\n\r\n"),
    ("a DEL in a value", "RFC 9110 §5.5", b"{get}X: a\x7fb\r\n\r\n"),
    ("a name in quotes", "RFC 9110 §5.1", b"{get}\"X\": y\r\n\r\n"),
    ("a name with a slash", "RFC 9110 §5.1", b"{get}X/Y: y\r\n\r\n"),
    ("a name with brackets", "RFC 9110 §5.1", b"{get}X[]: y\r\n\r\n"),
    ("a name with an at", "RFC 9110 §5.1", b"{get}X@Y: y\r\n\r\n"),
    ("a name beyond ASCII", "RFC 9110 §5.1", b"{get}X\xc3\xa9: y\r\n\r\n"),
    // The request line.
    ("two spaces behind the method", "RFC 9112 §3", b"GET  {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two spaces behind the target", "RFC 9112 §3", b"GET {path}  HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space at the line's end", "RFC 9112 §3", b"GET {path} HTTP/1.1 \r\nHost: a\r\n\r\n"),
    ("a tab behind the method", "RFC 9112 §3", b"GET\t{path} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tab behind the target", "RFC 9112 §3", b"GET {path}\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space in the target", "RFC 9112 §3.2", b"GET {path} b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a request within the target", "RFC 9112 §3.2", b"GET {path} HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no version", "HTTP/0.9", b"GET {path}\r\n\r\n"),
    ("no target", "RFC 9112 §3", b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no method", "RFC 9112 §3", b" {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HTTP/1.2", "RFC 9112 §2.3", b"GET {path} HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("HTTP/0.9", "RFC 9112 §2.3", b"GET {path} HTTP/0.9\r\nHost: a\r\n\r\n"),
    ("HTTP/2.0", "RFC 9112 §2.3", b"GET {path} HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("HTTP/1.10", "RFC 9112 §2.3", b"GET {path} HTTP/1.10\r\nHost: a\r\n\r\n"),
    ("HTTP/01.1", "RFC 9112 §2.3", b"GET {path} HTTP/01.1\r\nHost: a\r\n\r\n"),
    ("HTTP/1,1", "RFC 9112 §2.3", b"GET {path} HTTP/1,1\r\nHost: a\r\n\r\n"),
    ("HTTP/1", "RFC 9112 §2.3", b"GET {path} HTTP/1\r\nHost: a\r\n\r\n"),
    ("http in small letters", "RFC 9112 §2.3", b"GET {path} http/1.1\r\nHost: a\r\n\r\n"),
    ("another protocol", "RFC 9112 §2.3", b"GET {path} RTSP/1.0\r\nHost: a\r\n\r\n"),
    ("the start of HTTP/2", "RFC 9113 §3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a method with a colon", "RFC 9110 §9.1", b"GET:X {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a method with a NUL", "RFC 9110 §9.1", b"GE\0T {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a method with a slash", "RFC 9110 §9.1", b"GET/X {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a NUL in the target", "RFC 9112 §3.2", b"GET {path}\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a control character in the target", "RFC 9112 §3.2", b"GET {path}\x1f HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a byte beyond ASCII in the target", "RFC 9112 §3.2", b"GET {path}\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a fragment", "RFC 9112 §3.2", b"GET {path}#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a fragment behind a query", "RFC 9112 §3.2", b"GET {path}?a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a DEL in the target", "RFC 9112 §3.2", b"GET {path}\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Host.
    ("no Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\n{auth}\r\n"),
    ("no Host beside an absolute target", "RFC 9112 §3.2.2", b"GET http://localhost{path} HTTP/1.1\r\n{auth}\r\n"),
    ("two Hosts", "RFC 9112 §3.2", b"{get}Host: evil.example\r\n\r\n"),
    ("two equal Hosts", "RFC 9112 §3.2", b"{get}Host: localhost\r\n\r\n"),
    ("two Hosts in two cases", "RFC 9112 §3.2", b"{get}hOsT: evil.example\r\n\r\n"),
    ("a second Host with a space", "RFC 9112 §5.1", b"{get}Host : evil.example\r\n\r\n"),
    ("a folded Host", "RFC 9112 §5.2", b"GET {path} HTTP/1.1\r\nHost: localhost\r\n evil.example\r\n{auth}\r\n"),
    ("a list of Hosts", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost, evil.example\r\n{auth}\r\n"),
    ("a space in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost evil.example\r\n{auth}\r\n"),
    ("a path in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost/evil\r\n{auth}\r\n"),
    ("a query in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost?evil\r\n{auth}\r\n"),
    ("a fragment in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost#evil\r\n{auth}\r\n"),
    ("a backslash in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost\\evil\r\n{auth}\r\n"),
    ("a user in Host", "RFC 9110 §4.2.4", b"GET {path} HTTP/1.1\r\nHost: localhost@evil.example\r\n{auth}\r\n"),
    ("a NUL in Host", "RFC 9110 §5.5", b"GET {path} HTTP/1.1\r\nHost: localhost\0\r\n{auth}\r\n"),
    ("a byte beyond ASCII in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost\xff\r\n{auth}\r\n"),
    ("a quote in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: localhost\"x\r\n{auth}\r\n"),
    ("a scheme in Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost: http://localhost\r\n{auth}\r\n"),
];

/// Hosts that are none. Where the next request begins is clear, so that the connection may go on.
#[rustfmt::skip]
const DENIED: &[Row] = &[
    ("two ports in Host", "RFC 3986 §3.2.3", b"GET {path} HTTP/1.1\r\nHost: localhost:80:81\r\n{auth}\r\n"),
    ("a port of letters in Host", "RFC 3986 §3.2.3", b"GET {path} HTTP/1.1\r\nHost: localhost:http\r\n{auth}\r\n"),
    ("a port beyond all in Host", "RFC 3986 §3.2.3", b"GET {path} HTTP/1.1\r\nHost: localhost:99999\r\n{auth}\r\n"),
    ("half an IPv6 address in Host", "RFC 3986 §3.2.2", b"GET {path} HTTP/1.1\r\nHost: [::1\r\n{auth}\r\n"),
    ("an IPv6 address without brackets in Host", "RFC 3986 §3.2.2", b"GET {path} HTTP/1.1\r\nHost: ::1\r\n{auth}\r\n"),
    ("a port with a sign in Host", "RFC 3986 §3.2.3", b"GET {path} HTTP/1.1\r\nHost: localhost:+80\r\n{auth}\r\n"),
    ("an empty Host", "RFC 9112 §3.2", b"GET {path} HTTP/1.1\r\nHost:\r\n{auth}\r\n"),
    ("a closing bracket alone in Host", "RFC 3986 §3.2.2", b"GET {path} HTTP/1.1\r\nHost: ::1]\r\n{auth}\r\n"),
    ("a user in an absolute target", "RFC 9110 §4.2.4", b"GET http://localhost@evil.example{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("an absolute target with a port of letters", "RFC 3986 §3.2.3", b"GET http://localhost:http{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
    ("an absolute target with a port beyond all", "RFC 3986 §3.2.3", b"GET http://localhost:99999{path} HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n"),
];

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read() {
    let wants = Wants::Refused(400, "malformed_request");
    try_all("lines refused", &Route::ALL, REFUSED, wants).await;
}

#[tokio::test]
async fn a_host_that_is_none_is_refused() {
    let wants = Wants::Denied(400, "malformed_request");
    try_all("hosts denied", &Route::ALL, DENIED, wants).await;
}
