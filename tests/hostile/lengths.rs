//! Two readings of where a body ends: `Content-Length` and `Transfer-Encoding` in every combination.

use crate::row::{Row, Wants, try_all};
use crate::stage::Route;

/// Messages whose end two readers may see in two places.
#[rustfmt::skip]
const REFUSED: &[Row] = &[
    // Both at once.
    ("a length, then chunks", "RFC 9112 §6.3, CVE-2019-18277", b"{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks, then a length", "RFC 9112 §6.3", b"{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ("a length of 0, then chunks", "RFC 9112 §6.3", b"{post}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("a length between two codings", "RFC 9112 §6.3", b"{post}Transfer-Encoding: chunked\r\nContent-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n"),
    ("a length and a coding that is unknown", "RFC 9112 §6.1", b"{post}Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello"),
    ("a length and the coding identity", "RFC 9112 §7 (obsolete)", b"{post}Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello"),
    ("a length and an empty coding", "RFC 9112 §6.1", b"{post}Content-Length: 5\r\nTransfer-Encoding:\r\n\r\nhello"),
    ("both, named in Connection", "RFC 9110 §7.6.1", b"{post}Connection: Transfer-Encoding, Content-Length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("both in a GET", "RFC 9112 §6.3", b"{get}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("both in a HEAD", "RFC 9112 §6.3", b"HEAD {path} HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 0 \r\nContent-Length: 5\r\n\r\n"),
    ("a length beside a folded coding", "RFC 9112 §5.2", b"{post}Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    // Several lengths.
    ("two equal lengths", "RFC 9112 §6.3", b"{post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("two lengths, the first longer", "RFC 9112 §6.3", b"{post}Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
    ("two lengths, the first shorter", "RFC 9112 §6.3", b"{post}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello"),
    ("two lengths in two cases", "RFC 9112 §6.3", b"{post}Content-Length: 0\r\ncontent-length: 5\r\n\r\nhello"),
    ("a list of two lengths", "RFC 9110 §8.6", b"{post}Content-Length: 0, 5\r\n\r\nhello"),
    ("a list of two equal lengths", "RFC 9110 §8.6", b"{post}Content-Length: 5, 5\r\n\r\nhello"),
    ("a list with one element", "RFC 9110 §8.6", b"{post}Content-Length: 5,\r\n\r\nhello"),
    ("a list without space", "RFC 9110 §8.6", b"{post}Content-Length: 5,5\r\n\r\nhello"),
    // Lengths that are no number to everyone.
    ("a length with a plus", "RFC 9110 §8.6, CVE-2018-7159", b"{post}Content-Length: +5\r\n\r\nhello"),
    ("a length with a minus", "RFC 9110 §8.6", b"{post}Content-Length: -1\r\n\r\nhello"),
    ("minus nothing", "RFC 9110 §8.6", b"{post}Content-Length: -0\r\n\r\n"),
    ("a hexadecimal length", "RFC 9110 §8.6", b"{post}Content-Length: 0x5\r\n\r\nhello"),
    ("a length with an exponent", "RFC 9110 §8.6", b"{post}Content-Length: 5e0\r\n\r\nhello"),
    ("a length with a fraction", "RFC 9110 §8.6", b"{post}Content-Length: 5.0\r\n\r\nhello"),
    ("a length with an underscore", "CVE-2023-47627 (int() of Python)", b"{post}Content-Length: 0_5\r\n\r\nhello"),
    ("a length in quotes", "RFC 9110 §8.6", b"{post}Content-Length: \"5\"\r\n\r\nhello"),
    ("a length with a space within", "CVE-2018-7159", b"{post}Content-Length: 0 5\r\n\r\nhello"),
    ("a length with a tab within", "CVE-2018-7159", b"{post}Content-Length: 0\t5\r\n\r\nhello"),
    ("a length with a semicolon", "RFC 9110 §8.6", b"{post}Content-Length: 5;\r\n\r\nhello"),
    ("a length and more words", "RFC 9110 §8.6", b"{post}Content-Length: 5 bytes\r\n\r\nhello"),
    ("a word", "RFC 9110 §8.6", b"{post}Content-Length: five\r\n\r\nhello"),
    ("no length", "RFC 9110 §8.6", b"{post}Content-Length:\r\n\r\n"),
    ("a blank length", "RFC 9110 §8.6", b"{post}Content-Length: \t \r\n\r\n"),
    ("a length of 20 digits", "RFC 9110 §8.6 (overflow)", b"{post}Content-Length: 18446744073709551621\r\n\r\nhello"),
    ("a length that is 5 modulo 2^32, and 20 digits", "RFC 9110 §8.6 (overflow)", b"{post}Content-Length: 00000000004294967301\r\n\r\nhello"),
    ("full-width digits", "RFC 9110 §8.6 (Unicode digits)", b"{post}Content-Length: \xef\xbc\x95\r\n\r\nhello"),
    ("a vertical tab before the length", "RFC 9110 §5.5", b"{post}Content-Length: \x0b5\r\n\r\nhello"),
    ("a form feed behind the length", "RFC 9110 §5.5", b"{post}Content-Length: 5\x0c\r\n\r\nhello"),
    ("a no-break space before the length", "RFC 9110 §5.5", b"{post}Content-Length: \xa05\r\n\r\nhello"),
    ("a folded length", "RFC 9112 §5.2", b"{post}Content-Length:\r\n 5\r\n\r\nhello"),
    // Codings that are not plainly `chunked`.
    ("chunked twice in a list", "RFC 9112 §6.1", b"{post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked twice", "RFC 9112 §6.1", b"{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked, then identity", "RFC 9112 §6.1", b"{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("identity, then chunked", "RFC 9112 §6.1", b"{post}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a list that ends in chunked", "RFC 9112 §6.1", b"{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("a list that begins with chunked", "RFC 9112 §6.3", b"{post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("an empty element before chunked", "RFC 9110 §5.6.1", b"{post}Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n"),
    ("an empty element behind chunked", "RFC 9110 §5.6.1", b"{post}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    ("identity alone", "RFC 9112 §7 (obsolete)", b"{post}Transfer-Encoding: identity\r\n\r\n"),
    ("gzip alone", "RFC 9112 §6.3", b"{post}Transfer-Encoding: gzip\r\n\r\n"),
    ("a letter before", "RFC 9112 §6.1, CVE-2020-11993", b"{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a letter behind", "RFC 9112 §6.1", b"{post}Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
    ("a space within", "RFC 9112 §6.1", b"{post}Transfer-Encoding: chu nked\r\n\r\n0\r\n\r\n"),
    ("a parameter", "RFC 9112 §7", b"{post}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    ("chunked in quotes", "RFC 9112 §6.1", b"{post}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ("chunked in single quotes", "RFC 9112 §6.1", b"{post}Transfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n"),
    ("no coding", "RFC 9112 §6.1", b"{post}Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ("a comma", "RFC 9112 §6.1", b"{post}Transfer-Encoding: ,\r\n\r\n0\r\n\r\n"),
    ("a vertical tab before chunked", "RFC 9110 §5.5, CVE-2019-16276", b"{post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("a form feed behind chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding: chunked\x0c\r\n\r\n0\r\n\r\n"),
    ("a NUL behind chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
    ("a backspace behind chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding: chunked\x08\r\n\r\n0\r\n\r\n"),
    ("a DEL behind chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding: chunked\x7f\r\n\r\n0\r\n\r\n"),
    ("a no-break space before chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n"),
    ("a byte order mark before chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding: \xef\xbb\xbfchunked\r\n\r\n0\r\n\r\n"),
    ("a long s in chunked's place", "RFC 9112 §6.1", b"{post}Transfer-Encoding: chun\xe2\x84\xaaed\r\n\r\n0\r\n\r\n"),
    ("a folded coding", "RFC 9112 §5.2", b"{post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("a coding folded with a tab", "RFC 9112 §5.2", b"{post}Transfer-Encoding: chunked\r\n\t, identity\r\n\r\n0\r\n\r\n"),
    ("a coding in HTTP/1.0", "RFC 9112 §6.1", b"POST {path} HTTP/1.0\r\nHost: a\r\n{auth}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    // The name of the header is another one to somebody.
    ("a space before the coding's colon", "RFC 9112 §5.1, CVE-2019-16869", b"{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("a tab before the coding's colon", "RFC 9112 §5.1", b"{post}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the coding's name", "RFC 9112 §5.2", b"{post} Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a tab before the coding's name", "RFC 9112 §5.2", b"{post}\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a vertical tab before the coding's colon", "RFC 9112 §5.1", b"{post}Transfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n"),
    ("a NUL before the coding's name", "RFC 9110 §5.1", b"{post}\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a NUL behind the coding's name", "RFC 9110 §5.1", b"{post}Transfer-Encoding\0: chunked\r\n\r\n0\r\n\r\n"),
    ("an underscore in the coding's name", "CVE-2021-33193 (CGI names)", b"{post}Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a dot in the coding's name", "CGI names", b"{post}Transfer.Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a byte beyond ASCII in the coding's name", "RFC 9110 §5.1", b"{post}Transfer-Encodin\xe7: chunked\r\n\r\n0\r\n\r\n"),
    ("a colon twice", "RFC 9112 §6.1", b"{post}Transfer-Encoding:: chunked\r\n\r\n0\r\n\r\n"),
    ("a coding behind a bare line feed", "RFC 9112 §2.2", b"{post}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a coding behind a bare carriage return", "RFC 9112 §2.2", b"{post}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a coding behind CR CR LF", "RFC 9112 §2.2", b"{post}X: y\r\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the length's colon", "RFC 9112 §5.1", b"{post}Content-Length : 5\r\n\r\nhello"),
    ("a space before the length's name", "RFC 9112 §5.2", b"{post} Content-Length: 5\r\n\r\nhello"),
    ("an underscore in the length's name", "CGI names", b"{post}Content_Length: 5\r\n\r\nhello"),
    ("a dot in the length's name", "CGI names", b"{post}Content.Length: 5\r\n\r\nhello"),
    ("a NUL behind the length's name", "RFC 9110 §5.1", b"{post}Content-Length\0: 5\r\n\r\nhello"),
    ("two spellings of the length", "CGI names", b"{post}Content-Length: 5\r\nContent_Length: 0\r\n\r\nhello"),
];

/// Odd, and yet everyone reads them alike.
#[rustfmt::skip]
const TAKEN: &[Row] = &[
    ("zeros before a length", "RFC 9110 §8.6", b"{post}Content-Length: 0005\r\n\r\nhello"),
    ("white space around a length", "RFC 9110 §5.5", b"{post}Content-Length: \t 5 \t\r\n\r\nhello"),
    ("no space before a length", "RFC 9112 §5", b"{post}Content-Length:5\r\n\r\nhello"),
    ("a length in capitals", "RFC 9110 §5.1", b"{post}CONTENT-LENGTH: 5\r\n\r\nhello"),
    ("chunked in capitals", "RFC 9112 §7", b"{post}Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("white space around chunked", "RFC 9110 §5.5", b"{post}Transfer-Encoding:\t chunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("the length named in Connection", "RFC 9110 §7.6.1", b"{post}Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello"),
    ("the coding named in Connection", "RFC 9110 §7.6.1", b"{post}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("a GET with a length", "RFC 9110 §9.3.1", b"{get}Content-Length: 5\r\n\r\nhello"),
    ("a GET with chunks", "RFC 9110 §9.3.1", b"{get}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("a DELETE with a length", "RFC 9110 §9.3.5", b"DELETE {path} HTTP/1.1\r\nHost: a\r\n{auth}Content-Length: 5\r\n\r\nhello"),
    ("an OPTIONS with chunks", "RFC 9110 §9.3.7", b"OPTIONS {path} HTTP/1.1\r\nHost: a\r\n{auth}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("an own method with a length", "RFC 9110 §9.1", b"PROPFIND {path} HTTP/1.1\r\nHost: a\r\n{auth}Content-Length: 5\r\n\r\nhello"),
    ("an expectation nobody knows", "RFC 9110 §10.1.1 (0.CL of 2025)", b"{post}Expect: y 100-continue\r\nContent-Length: 5\r\n\r\nhello"),
    ("one header more that looks like a length", "RFC 9110 §5.1", b"{post}Content-Length: 5\r\nX-Content-Length: 0\r\n\r\nhello"),
    ("a body that looks like a request", "RFC 9112 §6", b"{post}Content-Length: 5\r\n\r\nhello"),
];

#[tokio::test]
async fn a_message_with_two_ends_is_refused_and_nothing_behind_it_is_read() {
    let wants = Wants::Refused(400, "malformed_request");
    try_all("lengths refused", &Route::ALL, REFUSED, wants).await;
}

#[tokio::test]
async fn a_message_with_one_end_is_one_message() {
    try_all(
        "lengths taken",
        &Route::ANSWERING,
        TAKEN,
        Wants::Taken("hello"),
    )
    .await;
}
