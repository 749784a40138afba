//! Credentials in every place that somebody might read one in: one counts, and only where it may stand.

use crate::ask::{Ask, Speaks, all};
use crate::frames::Outcome;
use crate::stage::{Listener, Route, Stage, verdict};
use crate::support::accounts::Key;

/// An attack, the fields it sends, and the answer. `{token}` is a viewer's session, `{key}` a viewer's
/// key, `{admin}` an administrator's session.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    Wants,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// It speaks for the viewer, and is not passed on.
    Viewer,
    Refused(u16, &'static str),
}

use Wants::{Refused, Viewer};

const TWO: Wants = Refused(400, "two_credentials");
const NONE: Wants = Refused(401, "credential_missing");
const BAD: Wants = Refused(401, "credential_malformed");

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // One, as it may stand.
    ("a session", "RFC 6750 §2.1", &[("Authorization", "Bearer {token}")], Viewer),
    ("a key", "docs/api.md, Credentials", &[("Authorization", "Bearer {key}")], Viewer),
    ("a key in its own header", "docs/api.md, Credentials", &[("X-API-Key", "{key}")], Viewer),
    ("a scheme in small letters", "RFC 9110 §11.1", &[("Authorization", "bearer {token}")], Viewer),
    ("a scheme in capitals", "RFC 9110 §11.1", &[("AUTHORIZATION", "BEARER {token}")], Viewer),
    ("two spaces behind the scheme", "RFC 9110 §11.4", &[("Authorization", "Bearer  {token}")], Viewer),
    ("a key, and a scheme that is not ours", "docs/api.md, Credentials", &[("Authorization", "Basic dTpw"), ("X-API-Key", "{key}")], Viewer),
    ("a session, and somebody else's key", "docs/api.md, Credentials", &[("Authorization", "Bearer {token}"), ("X-API-Key", "sk_other")], Viewer),
    // Two.
    ("two equal sessions", "CVE-2021-32640 (two readings)", &[("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")], TWO),
    ("two sessions, the admin's first", "two readings", &[("Authorization", "Bearer {admin}"), ("Authorization", "Bearer {token}")], TWO),
    ("two sessions, the admin's second", "two readings", &[("Authorization", "Bearer {token}"), ("Authorization", "Bearer {admin}")], TWO),
    ("two cases of the header", "RFC 9110 §5.1", &[("Authorization", "Bearer {token}"), ("authorization", "Bearer {admin}")], TWO),
    ("a session and a key", "docs/api.md, Credentials", &[("Authorization", "Bearer {token}"), ("X-API-Key", "{key}")], TWO),
    ("a key and the same key", "docs/api.md, Credentials", &[("Authorization", "Bearer {key}"), ("X-API-Key", "{key}")], TWO),
    ("the same key twice", "docs/api.md, Credentials", &[("X-API-Key", "{key}"), ("X-API-Key", "{key}")], TWO),
    ("a key and somebody else's", "docs/api.md, Credentials", &[("X-API-Key", "{key}"), ("X-API-Key", "sk_other")], TWO),
    ("somebody else's key and ours", "docs/api.md, Credentials", &[("X-API-Key", "sk_other"), ("X-API-Key", "{key}")], TWO),
    ("a session and another scheme", "docs/api.md, Credentials", &[("Authorization", "Bearer {token}"), ("Authorization", "Basic dTpw")], TWO),
    ("another scheme and a session", "docs/api.md, Credentials", &[("Authorization", "Basic dTpw"), ("Authorization", "Bearer {token}")], TWO),
    ("a session and junk that begins as a key", "docs/api.md, Credentials", &[("Authorization", "Bearer {token}"), ("X-API-Key", "dk_")], TWO),
    ("junk and a key", "docs/api.md, Credentials", &[("Authorization", "Bearer !"), ("X-API-Key", "{key}")], TWO),
    // One that cannot be read.
    ("nothing behind the scheme", "RFC 6750 §2.1", &[("Authorization", "Bearer")], BAD),
    ("a list of two", "RFC 9110 §11.6.2", &[("Authorization", "Bearer {token}, Bearer {admin}")], BAD),
    ("a session and a word", "RFC 6750 §2.1", &[("Authorization", "Bearer {token} x")], BAD),
    ("a session and a comma", "RFC 6750 §2.1", &[("Authorization", "Bearer {token},")], BAD),
    ("a session in quotes", "RFC 6750 §2.1", &[("Authorization", "Bearer \"{token}\"")], BAD),
    ("a tab behind the scheme", "RFC 9110 §11.4", &[("Authorization", "Bearer\t{token}")], BAD),
    ("a tab in the session", "RFC 6750 §2.1", &[("Authorization", "Bearer {token}\tx")], BAD),
    ("a parameter", "RFC 6750 §2.1", &[("Authorization", "Bearer token={token}")], BAD),
    ("bytes beyond ASCII", "RFC 6750 §2.1", &[("Authorization", "Bearer {token}\u{e9}")], BAD),
    ("the scheme twice", "RFC 6750 §2.1", &[("Authorization", "Bearer Bearer {token}")], BAD),
    ("percent-encoding", "RFC 6750 §2.1", &[("Authorization", "Bearer %65yJ")], BAD),
    ("a word", "RFC 6750 §2.1", &[("Authorization", "Bearer hello")], BAD),
    ("the bytes before a key", "docs/api.md, Credentials", &[("Authorization", "Bearer dk_")], BAD),
    ("a key with a wrong checksum", "docs/api.md, Credentials", &[("X-API-Key", "dk_000000000000000000000000000000000000000000000000")], BAD),
    ("a key in capitals", "docs/api.md, Credentials", &[("X-API-Key", "dk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")], BAD),
    ("a key with more behind", "docs/api.md, Credentials", &[("X-API-Key", "{key}0")], BAD),
    ("a key and a space", "docs/api.md, Credentials", &[("X-API-Key", "{key} x")], BAD),
    ("a list of keys", "docs/api.md, Credentials", &[("X-API-Key", "{key}, {key}")], BAD),
    // None, as far as we can see; what is there must not be read by anybody.
    ("nothing", "docs/api.md, Credentials", &[], NONE),
    ("another scheme", "RFC 9110 §11.6.2", &[("Authorization", "Basic {token}")], NONE),
    ("no scheme", "RFC 9110 §11.6.2", &[("Authorization", "{token}")], NONE),
    ("a scheme that begins as ours", "RFC 9110 §11.1", &[("Authorization", "BearerX {token}")], NONE),
    ("a scheme with a dash", "RFC 9110 §11.1", &[("Authorization", "Bearer-{token}")], NONE),
    ("a session where a key belongs", "docs/api.md, Credentials", &[("X-API-Key", "{token}")], NONE),
    ("a key in capitals' prefix", "docs/api.md, Credentials", &[("X-API-Key", "DK_0000")], NONE),
    ("a space in the key's prefix", "docs/api.md, Credentials", &[("X-API-Key", "d k_0000")], NONE),
    ("a key's header with underscores", "CGI names", &[("X_API_Key", "{key}")], NONE),
    ("another header with an underscore", "CGI names", &[("Author_ization", "Bearer {token}")], NONE),
    ("a cookie", "CWE-352", &[("Cookie", "access_token={token}; token={token}; Authorization={token}")], NONE),
    ("the proxy's header", "RFC 9110 §11.7.2", &[("Proxy-Authorization", "Bearer {token}")], NONE),
    ("the original header", "Traefik, nginx", &[("X-Forwarded-Access-Token", "{token}"), ("X-Original-Authorization", "Bearer {token}")], NONE),
    ("the protocols of no WebSocket", "docs/api.md, Credentials", &[("Sec-WebSocket-Protocol", "dariet.bearer.{token}")], NONE),
    ("an empty header", "RFC 9110 §5.5", &[("Authorization", "")], NONE),
    ("an empty key", "RFC 9110 §5.5", &[("X-API-Key", "")], NONE),
];

#[tokio::test]
async fn one_credential_counts_and_only_where_it_may_stand() {
    let mut stage = Stage::start().await;
    let key = stage.world.new_key(&stage.viewer).await;
    let tries = ROWS.iter().flat_map(|row| {
        let routes = [Route::Protected, Route::Restricted].into_iter();
        routes.flat_map(move |route| Speaks::ALL.map(|speaks| (row, route, speaks)))
    });
    let tries = all(tries.map(|(row, route, speaks)| {
        let (stage, id) = (&stage, stage.id());
        let mut ask = Ask::get(stage.target(route, &id));
        for (name, value) in row.2 {
            ask = ask.field(*name, filled(stage, &key, value));
        }
        async move { (row, route, speaks, id, ask.send(stage, speaks).await) }
    }))
    .await;
    let kept = stage.end().await;

    let wrong = tries
        .iter()
        .filter_map(|((name, rule, _, wants), route, speaks, id, outcome)| {
            let arrived: Vec<_> = kept.about(id).collect();
            let is_right = match (wants, route) {
                (Viewer, Route::Restricted) => is_answer(outcome, 403, "not_allowed"),
                (Viewer, _) => is_answer(outcome, 200, ""),
                (Refused(status, code), _) => is_answer(outcome, *status, code),
            };
            // White space within a credential's header may be refused for what it is.
            let is_right = is_right
                || (*speaks == Speaks::Http2 && is_answer(outcome, 400, "malformed_request"));
            let is_passed = is_answer(outcome, 200, "");
            let is_kept = arrived.iter().all(|message| {
                !message.has(&stage.viewer.token)
                    && !message.has(&key.key)
                    && message.fields.all("x-auth-user-id") == [&stage.viewer.user]
            });
            let is_right = is_right && is_kept && arrived.len() == usize::from(is_passed);
            (!is_right)
                .then(|| format!("{name} ({rule}), {speaks:?} {route:?}: {outcome}, {arrived:?}"))
        });
    let wrong: Vec<_> = wrong.collect();
    verdict("credentials", tries.len(), &wrong, &kept);
}

/// Targets and bodies that carry a credential, which RFC 6750 knows and this gateway does not.
#[rustfmt::skip]
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("access_token in the query", "RFC 6750 §2.3", "{path}?access_token={token}"),
    ("token in the query", "docs/api.md, Credentials", "{path}?token={token}"),
    ("a key in the query", "docs/api.md, Credentials", "{path}?api_key={key}&key={key}&X-API-Key={key}"),
    ("Authorization in the query", "docs/api.md, Credentials", "{path}?Authorization=Bearer%20{token}"),
    ("a token in the path", "docs/api.md, Credentials", "{path}/{token}"),
    ("a token as the user", "RFC 9110 §4.2.4", "http://{token}@localhost{path}"),
    ("a key as the user", "RFC 9110 §4.2.4", "http://u:{key}@localhost{path}"),
];

#[tokio::test]
async fn a_credential_in_the_address_counts_nowhere() {
    let mut stage = Stage::start().await;
    let key = stage.world.new_key(&stage.viewer).await;
    let tries = ELSEWHERE
        .iter()
        .flat_map(|row| Listener::ALL.map(|listener| (row, listener)));
    let tries = all(tries.map(|(row, listener)| {
        let (stage, id) = (&stage, stage.id());
        let target = row
            .2
            .replace("{path}", &stage.target(Route::Protected, &id));
        let ask = Ask::get(filled(stage, &key, &target));
        async move {
            (
                row,
                listener,
                id,
                ask.send(stage, Speaks::Http1(listener)).await,
            )
        }
    }))
    .await;
    let log = stage.world.node().access.clone();
    let kept = stage.end().await;

    let wrong = tries
        .iter()
        .filter_map(|((name, rule, _), listener, id, outcome)| {
            let is_refused = is_answer(outcome, 401, "credential_missing")
                || is_answer(outcome, 400, "malformed_request");
            let is_right = is_refused && kept.about(id).next().is_none();
            (!is_right).then(|| format!("{name} ({rule}), {listener:?}: {outcome}"))
        });
    let wrong: Vec<_> = wrong.collect();
    verdict("credentials in addresses", tries.len(), &wrong, &kept);
    assert!(
        !log.text()
            .contains(&format!("token={}", stage.viewer.token))
    );
}

fn filled(stage: &Stage, key: &Key, text: &str) -> String {
    text.replace("{token}", &stage.viewer.token)
        .replace("{admin}", &stage.world.administrator().token)
        .replace("{key}", &key.key)
}

fn is_answer(outcome: &Outcome, status: u16, code: &str) -> bool {
    *outcome == Outcome::Answer(status, code.to_owned())
}
