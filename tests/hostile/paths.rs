//! Spellings of a path that lead past the rule for it.
//!
//! `/staff` is for administrators and everything else is public, before one and the same service: the
//! configuration in which each difference between the rule's reading and the service's is a way in.
//! A viewer asks for each spelling.

use crate::ask::{Ask, Speaks, all};
use crate::frames::Outcome;
use crate::recorder::Message;
use crate::stage::{Stage, verdict};
use crate::support::setup::Setup;

type Row = (&'static str, &'static str, &'static [u8], Wants);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// The rule for `/staff` holds.
    Forbidden,
    /// The request is refused as it is written.
    Refused,
    /// It is public, and this is what the service is asked for, which nobody reads as `/staff`.
    Asks(&'static str),
    /// It is the gateway's own, and nothing is there.
    Own,
    /// Nothing but that the rule holds, one way or the other.
    Kept,
}

use Wants::{Asks, Forbidden, Kept, Own, Refused};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Slashes.
    ("plainly", "SECURITY.md, To services", b"/staff", Forbidden),
    ("with a slash behind", "RFC 3986 §6.2.3", b"/staff/", Forbidden),
    ("with a slash twice in front", "CVE-2023-5044 (nginx merge_slashes)", b"//staff", Forbidden),
    ("with many slashes", "RFC 3986 §6.2.3", b"////staff//x", Forbidden),
    ("as a network path", "RFC 3986 §4.2, CVE-2021-32777", b"//localhost/staff", Asks("/localhost/staff")),
    ("an encoded slash in front", "CVE-2021-29492 (Envoy)", b"/%2fstaff", Refused),
    ("an encoded slash behind", "CVE-2021-29492", b"/staff%2f", Refused),
    ("an encoded slash and more", "CVE-2021-29492", b"/staff%2Fx", Refused),
    ("an encoded slash in another folder", "CVE-2021-29492", b"/x%2f..%2fstaff", Refused),
    ("a full-width slash", "Unicode NFKC", b"/x/..%EF%BC%8Fstaff", Asks("/x/..%EF%BC%8Fstaff")),
    ("a division slash", "Unicode", b"/x%E2%88%95..%E2%88%95staff", Asks("/x%E2%88%95..%E2%88%95staff")),
    // Dots.
    ("a dot segment in front", "RFC 3986 §5.2.4", b"/./staff", Forbidden),
    ("a dot segment behind", "RFC 3986 §5.2.4", b"/staff/.", Forbidden),
    ("by way of a public folder", "RFC 3986 §5.2.4", b"/x/../staff", Forbidden),
    ("by way of itself", "RFC 3986 §5.2.4", b"/staff/x/../y", Forbidden),
    ("out of it and in again", "RFC 3986 §5.2.4", b"/staff/../staff", Forbidden),
    ("out of it", "RFC 3986 §5.2.4", b"/staff/..", Asks("/")),
    ("out of it, to a public one", "RFC 3986 §5.2.4", b"/staff/../x", Asks("/x")),
    ("out of the root", "RFC 3986 §5.2.4", b"/../staff", Refused),
    ("far out of the root", "RFC 3986 §5.2.4", b"/x/../../staff", Refused),
    ("an encoded dot segment", "CVE-2021-41773 (Apache)", b"/x/%2e%2e/staff", Forbidden),
    ("half encoded dots", "CVE-2021-41773", b"/x/.%2e/staff", Forbidden),
    ("encoded dots in capitals", "CVE-2021-41773", b"/x/%2E%2E/staff", Forbidden),
    ("an encoded single dot", "RFC 3986 §6.2.2", b"/%2e/staff", Forbidden),
    ("encoded dots out of the root", "CVE-2021-42013", b"/%2e%2e/staff", Refused),
    ("dots encoded twice", "CVE-2021-42013", b"/x/%252e%252e/staff", Refused),
    ("dots whose digits are encoded", "CVE-2021-42013", b"/x/%%32%65%%32%65/staff", Refused),
    ("three dots", "RFC 3986 §3.3", b"/x/.../staff", Asks("/x/.../staff")),
    ("a dot behind the name", "Windows names", b"/x/staff.", Asks("/x/staff.")),
    // Percent-encoding.
    ("an encoded letter", "RFC 3986 §6.2.2.2", b"/%73taff", Forbidden),
    ("every letter encoded", "RFC 3986 §6.2.2.2", b"/%73%74%61%66%66", Forbidden),
    ("a letter encoded twice", "CVE-2019-9901 (Envoy)", b"/%2573taff", Refused),
    ("a letter encoded thrice", "CVE-2019-9901", b"/%252573taff", Refused),
    ("an encoded percent before no digits", "RFC 3986 §2.4", b"/x%25", Asks("/x%25")),
    ("half an escape", "RFC 3986 §2.1", b"/staff%", Refused),
    ("an escape of one digit", "RFC 3986 §2.1", b"/staff%2", Refused),
    ("an escape that is none", "RFC 3986 §2.1", b"/staff%zz", Refused),
    ("an escape of IIS", "%u escapes", b"/%u0073taff", Refused),
    ("an encoded NUL", "CWE-158", b"/staff%00", Refused),
    ("an encoded NUL and an ending", "CWE-158", b"/staff%00.html", Refused),
    ("an encoded line break", "CWE-93, CVE-2019-9740", b"/staff%0d%0aX-Auth-User-Role:%20admin", Refused),
    ("an encoded tab", "WHATWG URL (tabs are dropped)", b"/st%09aff", Refused),
    ("an encoded line feed", "WHATWG URL", b"/st%0aaff", Refused),
    ("an encoded space behind", "Windows names", b"/x/staff%20", Asks("/x/staff%20")),
    ("an encoded space behind the rule's name", "Windows names", b"/staff%20", Asks("/staff%20")),
    ("an encoded question mark", "CVE-2021-34798 (proxies)", b"/staff%3f", Refused),
    ("an encoded question mark and a name", "CVE-2021-34798", b"/staff%3Fx", Refused),
    ("an encoded question mark and a path", "CVE-2021-34798", b"/staff%3Fx/../y", Asks("/y")),
    ("an encoded question mark below", "CVE-2021-34798", b"/staff/x%3Fy", Forbidden),
    ("an encoded question mark elsewhere", "RFC 3986 §2.2", b"/x/why%3F", Asks("/x/why%3F")),
    ("dots before an encoded question mark", "CVE-2021-34798", b"/x/..%3F/staff", Refused),
    ("a dot before an encoded question mark", "CVE-2021-34798", b"/x/.%3F", Refused),
    ("an encoded fragment", "RFC 3986 §2.2", b"/staff%23", Refused),
    ("an encoded fragment and a name", "RFC 3986 §2.2", b"/staff%23x", Refused),
    ("an encoded fragment below", "RFC 3986 §2.2", b"/staff/%23x", Forbidden),
    ("an encoded fragment elsewhere", "RFC 3986 §2.2", b"/tags/%23staff", Asks("/tags/%23staff")),
    ("dots before an encoded fragment", "RFC 3986 §2.2", b"/x/..%23", Refused),
    ("dots far before an encoded fragment", "RFC 3986 §2.2", b"/x/y/..%23/../../staff", Refused),
    ("the gateway's own, before an encoded end", "SECURITY.md, To services", b"/api/auth%3Fx", Refused),
    ("an encoded fragment and dots", "RFC 3986 §2.2", b"/x%23/../staff", Forbidden),
    ("an overlong slash", "RFC 3629 §10, CVE-2000-0884", b"/x%c0%af..%c0%afstaff", Refused),
    ("an overlong slash of three bytes", "RFC 3629 §10", b"/x%e0%80%afstaff", Refused),
    ("an overlong dot", "RFC 3629 §10", b"/x/%c0%ae%c0%ae/staff", Refused),
    ("an overlong letter", "RFC 3629 §10", b"/%c1%b3taff", Refused),
    ("a byte that is no UTF-8", "RFC 3629", b"/staff%ff", Asks("/staff%FF")),
    ("a long s", "Unicode case folding", b"/%C5%BFtaff", Asks("/%C5%BFtaff")),
    ("a combining mark", "Unicode NFC", b"/staff%CC%81", Asks("/staff%CC%81")),
    ("a turn of the text's direction", "CVE-2021-42574", b"/staff%E2%80%AE", Asks("/staff%E2%80%AE")),
    ("another letter case", "RFC 3986 §6.2.2.1", b"/STAFF", Asks("/STAFF")),
    // Backslashes.
    ("a backslash", "WHATWG URL", b"/staff\\x", Refused),
    ("a backslash in front", "WHATWG URL", b"\\staff", Refused),
    ("backslashes and dots", "CVE-2020-15257 (Windows)", b"/x\\..\\staff", Refused),
    ("an encoded backslash", "CVE-2021-29492", b"/x%5c..%5cstaff", Refused),
    ("an encoded backslash in front", "CVE-2021-29492", b"/%5cstaff", Refused),
    ("an encoded backslash in capitals", "CVE-2021-29492", b"/staff%5C", Refused),
    // Parameters.
    ("a parameter", "Servlet §3.5, CVE-2024-38816", b"/staff;x=y", Refused),
    ("a parameter and more", "Servlet §3.5", b"/staff;x/y", Refused),
    ("a parameter before the rule's name", "Servlet §3.5", b"/;x/staff", Refused),
    ("dots with a parameter", "Servlet §3.5 (Tomcat)", b"/x/..;/staff", Refused),
    ("dots with a named parameter", "Servlet §3.5", b"/x/..;a=b/staff", Refused),
    ("a dot with a parameter", "Servlet §3.5", b"/.;/staff", Refused),
    ("an encoded semicolon", "Servlet §3.5", b"/staff%3bx", Refused),
    ("dots with an encoded semicolon", "Servlet §3.5", b"/x/..%3b/staff", Refused),
    ("an empty parameter", "Servlet §3.5", b"/staff;", Refused),
    ("a session id", "Servlet §7.1.3", b"/staff;jsessionid=1", Refused),
    // Queries and fragments.
    ("a query", "RFC 3986 §3.4", b"/staff?x", Forbidden),
    ("a query that looks like a path", "RFC 3986 §3.4", b"/staff?/../x", Forbidden),
    ("a path in the query of a public one", "RFC 3986 §3.4", b"/x?/../staff", Asks("/x?/../staff")),
    ("a fragment", "RFC 9112 §3.2", b"/staff#x", Kept),
    ("a path in the fragment of a public one", "RFC 9112 §3.2", b"/x#/../staff", Kept),
    ("a fragment before dots", "RFC 9112 §3.2", b"/x/#/../../staff", Kept),
    // Forms.
    ("no slash in front", "RFC 9112 §3.2.1", b"staff", Refused),
    ("a query alone", "RFC 9112 §3.2.1", b"?/staff", Refused),
    ("an asterisk", "RFC 9112 §3.2.4", b"*", Refused),
    ("a space", "RFC 9112 §3.2", b"/staff x", Refused),
    ("a byte beyond ASCII", "RFC 3986 §2", b"/staff\xc3\xa9", Refused),
    ("a stream of Windows", "Windows names", b"/x/staff::$DATA", Asks("/x/staff::$DATA")),
    ("a short name of Windows", "Windows names", b"/x/STAFF~1", Asks("/x/STAFF~1")),
    ("brackets", "RFC 3986 §3.3", b"/[staff]", Refused),
    ("a comma", "RFC 3986 §3.3", b"/staff,x", Asks("/staff,x")),
    ("quotes", "RFC 3986 §2", b"/\"staff\"", Asks("/%22staff%22")),
    ("the gateway's own, beside it", "SECURITY.md, To services", b"/api/auth/../../staff", Forbidden),
    ("the gateway's own, encoded", "SECURITY.md, To services", b"/api%2fauth/me", Own),
    ("the gateway's own, in another case", "SECURITY.md, To services", b"/api/AUTH/me", Asks("/api/AUTH/me")),
];

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_its_rule() {
    try_all("paths", "", |wants| wants).await;
}

/// Where the routes keep what is refused by default, what is passed on still leads nowhere else.
#[tokio::test]
async fn no_spelling_leads_past_a_rule_that_keeps_parameters_and_encoded_slashes() {
    let keep = "path_parameters = \"keep\"\nencoded_slash = \"keep\"\n";
    try_all("paths kept", keep, |_| Kept).await;
}

async fn try_all(table: &str, lines: &str, wants: impl Fn(Wants) -> Wants) {
    let mut stage = Stage::of(|service| {
        let staff = format!("{lines}allow = [{{ role = \"admin\" }}]");
        let public = format!("{lines}public = true");
        Setup::new()
            .plain()
            .upstream("service", service.address)
            .route("/staff", "service", &staff)
            .route("/", "service", &public)
    })
    .await;
    let tries = ROWS
        .iter()
        .flat_map(|row| Speaks::ALL.map(|speaks| (row, speaks)));
    let tries = all(tries.map(|(row, speaks)| {
        let (stage, id) = (&stage, stage.id());
        let ask = Ask::get(row.2).bearer(&stage.viewer.token);
        let ask = ask.field("X-Try", id.clone());
        async move { (row, speaks, id, ask.send(stage, speaks).await) }
    }))
    .await;
    let kept = stage.end().await;

    let wrong = tries
        .iter()
        .filter_map(|((name, rule, _, its), speaks, id, outcome)| {
            let arrived: Vec<_> = kept.about(id).collect();
            let why = judged(wants(*its), *speaks, outcome, &arrived).err()?;
            Some(format!("{name} ({rule}), {speaks:?}: {why}"))
        });
    let wrong: Vec<_> = wrong.collect();
    verdict(table, tries.len(), &wrong, &kept);
}

fn judged(
    wants: Wants,
    speaks: Speaks,
    outcome: &Outcome,
    arrived: &[&Message],
) -> Result<(), String> {
    if let Some(message) = arrived
        .iter()
        .find(|message| leads_to_staff(&message.target))
    {
        return Err(format!("it arrived: {}", message.text()));
    }
    let is_refused = match outcome {
        Outcome::Answer(400, _) => true,
        Outcome::Reset(_) => speaks == Speaks::Http2,
        _ => false,
    };
    let is_right = match wants {
        Forbidden => *outcome == Outcome::Answer(403, "not_allowed".to_owned()),
        Refused => is_refused,
        Own => *outcome == Outcome::Answer(404, "not_found".to_owned()),
        Asks(target) => {
            let is_asked = matches!(arrived, [only] if only.target == target);
            *outcome == Outcome::Answer(200, String::new()) && is_asked
        }
        Kept => true,
    };
    if is_right {
        return Ok(());
    }
    let targets: Vec<_> = arrived.iter().map(|message| &message.target).collect();
    Err(format!(
        "{outcome}, and the service was asked for {targets:?}"
    ))
}

/// Whether the most generous service that there is reads `/staff` in a target: one that decodes twice,
/// takes backslashes for slashes, drops parameters, and then walks the dots.
fn leads_to_staff(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let path = decoded(&decoded(path.as_bytes()));
    let path = String::from_utf8_lossy(&path).replace('\\', "/");
    let path = path.split(['?', '#', '\0']).next().unwrap_or_default();
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.first() == Some(&"staff")
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (b'%', Some(byte)) = (first, byte) {
            decoded.push(byte);
            rest = &tail[2..];
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    decoded
}
