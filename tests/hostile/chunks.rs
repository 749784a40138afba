//! Chunked bodies that two readers would cut at two places (RFC 9112 §7.1).

use crate::row::{Row, Wants, try_all};
use crate::stage::Route;

/// Bodies that break their own framing. The request may have begun to be forwarded by then.
#[rustfmt::skip]
const BROKEN: &[Row] = &[
    // Sizes.
    ("no size", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n"),
    ("a size that is no number", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    ("a size with a letter behind", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5g\r\nhello\r\n0\r\n\r\n"),
    ("a size with 0x", "CVE-2022-24766 (int() of Python)", b"{post}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    ("a size with a plus", "CVE-2022-24766", b"{post}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"),
    ("a size with a minus", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
    ("a size with an underscore", "CVE-2023-47627", b"{post}Transfer-Encoding: chunked\r\n\r\n0_5\r\nhello\r\n0\r\n\r\n"),
    ("a size in quotes", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n\"5\"\r\nhello\r\n0\r\n\r\n"),
    ("a size of 17 digits", "RFC 9112 §7.1 (overflow)", b"{post}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a size of many zeros", "RFC 9112 §7.1 (overflow)", b"{post}Transfer-Encoding: chunked\r\n\r\n000000000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a size that wraps 32 bits, 16 digits", "CVE-2013-2028", b"{post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffe0\r\nhello\r\n0\r\n\r\n"),
    ("a space before the size", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n"),
    ("a space behind the size", "RFC 9112 §7.1.1, CVE-2021-3449 (differs)", b"{post}Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"),
    ("a tab behind the size", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\t\r\nhello\r\n0\r\n\r\n"),
    ("a NUL behind the size", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\0\r\nhello\r\n0\r\n\r\n"),
    ("full-width digits", "RFC 9112 §7.1 (Unicode digits)", b"{post}Transfer-Encoding: chunked\r\n\r\n\xef\xbc\x95\r\nhello\r\n0\r\n\r\n"),
    ("a comma in the size", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n0,5\r\nhello\r\n0\r\n\r\n"),
    ("a decimal point", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5.0\r\nhello\r\n0\r\n\r\n"),
    // Ends of lines.
    ("a line feed alone behind the size", "RFC 9112 §2.2, CVE-2025-55315 (TERM.EXT)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
    ("a carriage return alone behind the size", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\rhello\r\n0\r\n\r\n"),
    ("CR CR LF behind the size", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\r\nhello\r\n0\r\n\r\n"),
    ("a line feed alone behind the data", "RFC 9112 §7.1 (SPILL.TERM)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"),
    ("nothing behind the data", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n"),
    ("two bytes in the place of CRLF", "RFC 9112 §7.1, CVE-2024-53008 (SPILL)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"),
    ("a space in the place of the line feed", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r 0\r\n\r\n"),
    ("more data than the size", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n"),
    ("CR CR LF behind the data", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\r\n0\r\n\r\n"),
    ("a line feed alone behind the last size", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\r\n"),
    ("a line feed alone at the end", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n"),
    // Extensions.
    ("a line feed in an extension", "CVE-2025-66373, TERM.EXT of 2025", b"{post}Transfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n"),
    ("a carriage return in an extension", "EXT.TERM of 2025", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("a NUL in an extension", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a\0\r\nhello\r\n0\r\n\r\n"),
    ("a control character in an extension", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a=\x01\r\nhello\r\n0\r\n\r\n"),
    ("a DEL in an extension", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a=\x7f\r\nhello\r\n0\r\n\r\n"),
    ("a line feed in a quoted extension", "CVE-2025-55315", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
    ("a line feed in the last chunk's extension", "CVE-2025-55315", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0;\n\r\n\r\n"),
    ("an extension of 300 bytes", "CVE-2023-39326 (cost of extensions)", b"{post}Transfer-Encoding: chunked\r\n\r\n5;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nhello\r\n0\r\n\r\n"),
    ("a space before an extension", "RFC 9112 §7.1.1 (BWS)", b"{post}Transfer-Encoding: chunked\r\n\r\n5 ;a\r\nhello\r\n0\r\n\r\n"),
    // Trailers.
    ("a trailer without colon", "RFC 9112 §7.1.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nbad trailer\r\n\r\n"),
    ("a trailer with a space before the colon", "RFC 9112 §5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
    ("a folded trailer", "RFC 9112 §5.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"),
    ("a trailer with a NUL", "RFC 9110 §5.5", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: \0\r\n\r\n"),
    ("a trailer behind a line feed", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\nZ: z\r\n\r\n"),
    ("a trailer with a carriage return", "RFC 9112 §2.2", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\rZ: z\r\n\r\n"),
    ("a request line among the trailers", "RFC 9112 §7.1.2 (TRAILER.MERGE)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
];

/// Odd, and yet everyone reads them alike; what arrives is written anew.
#[rustfmt::skip]
const TAKEN: &[Row] = &[
    ("one chunk", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("five chunks", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n"),
    ("zeros before a size", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n0000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("more zeros at the end", "RFC 9112 §7.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n000\r\n\r\n"),
    ("an extension", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n"),
    ("an empty extension", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0;\r\n\r\n"),
    ("an extension in quotes", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n"),
    ("an extension that looks like a size", "RFC 9112 §7.1.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5;0\r\nhello\r\n0\r\n\r\n"),
    ("a trailer that frames", "RFC 9110 §6.5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
    ("a trailer that names chunks", "RFC 9110 §6.5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("a trailer in disguise", "CGI names", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent_Length: 50\r\n\r\n"),
];

#[tokio::test]
async fn a_body_that_breaks_its_framing_is_never_a_whole_one_and_nothing_behind_it_is_read() {
    try_all("chunks broken", &Route::ANSWERING, BROKEN, Wants::Broken).await;
}

#[tokio::test]
async fn a_body_in_odd_chunks_arrives_as_what_it_is() {
    try_all(
        "chunks taken",
        &Route::ANSWERING,
        TAKEN,
        Wants::Taken("hello"),
    )
    .await;
}
