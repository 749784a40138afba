//! Headers that a client sends in the place of the gateway's: who asks, what they ask for, and from
//! where. None of it reaches the service, and what the gateway says stands there once.

use crate::headers::{Row, try_all};
use crate::recorder::Message;
use crate::row;
use crate::stage::{Route, Stage};
use crate::support::setup::Setup;

/// Everything forged says `forged`.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Identity, in every spelling that some service reads as its name.
    ("the user's id", "SECURITY.md, To services, CVE-2025-64484 (oauth2-proxy)", &[("X-Auth-User-Id", "forged")]),
    ("the user's email", "SECURITY.md, To services", &[("X-Auth-User-Email", "forged")]),
    ("the user's name", "SECURITY.md, To services", &[("X-Auth-User-Name", "forged")]),
    ("the user's role", "SECURITY.md, To services", &[("X-Auth-User-Role", "forged")]),
    ("the method", "SECURITY.md, To services", &[("X-Auth-Method", "forged")]),
    ("the key's id", "SECURITY.md, To services", &[("X-Auth-Key-Id", "forged")]),
    ("small letters", "RFC 9110 §5.1", &[("x-auth-user-id", "forged")]),
    ("capitals", "RFC 9110 §5.1", &[("X-AUTH-USER-ID", "forged")]),
    ("mixed letters", "RFC 9110 §5.1", &[("x-AuTh-uSeR-iD", "forged")]),
    ("underscores", "CVE-2025-64484 (CGI, WSGI)", &[("X_Auth_User_Id", "forged")]),
    ("the first underscore", "CVE-2025-64484", &[("X_Auth-User-Id", "forged")]),
    ("the second underscore", "CVE-2025-64484", &[("X-Auth_User-Id", "forged")]),
    ("the third underscore", "CVE-2025-64484", &[("X-Auth-User_Id", "forged")]),
    ("underscores in capitals", "CVE-2025-64484", &[("X_AUTH_USER_ROLE", "forged")]),
    ("dots", "CGI names (PHP)", &[("X.Auth.User.Id", "forged")]),
    ("a dot", "CGI names (PHP)", &[("X-Auth.User-Role", "forged")]),
    ("dots and underscores", "CGI names", &[("X.Auth_User-Email", "forged")]),
    ("an underscore in the method", "CGI names", &[("X_Auth_Method", "forged")]),
    ("a dot in the key's id", "CGI names", &[("X-Auth-Key.Id", "forged")]),
    ("tildes", "CGI names (lighttpd)", &[("X~Auth~User~Role", "forged")]),
    ("a sign of each kind", "CGI names (lighttpd)", &[("X!Auth#User$Id", "forged"), ("X%Auth&User'Email", "forged"), ("X*Auth+User^Name", "forged"), ("X`Auth|User-Role", "forged")]),
    ("twice", "RFC 9110 §5.3", &[("X-Auth-User-Id", "forged"), ("X-Auth-User-Id", "forged too")]),
    ("in two spellings", "CVE-2025-64484", &[("X-Auth-User-Id", "forged"), ("X_Auth_User_Id", "forged")]),
    ("in three spellings", "CVE-2025-64484", &[("X-Auth-User-Role", "forged"), ("X_Auth_User_Role", "forged"), ("X.Auth.User.Role", "forged")]),
    ("many of them", "RFC 9110 §5.3", &[("X-Auth-User-Id", "forged"), ("X-Auth-User-Id", "forged"), ("X-Auth-User-Id", "forged"), ("X-Auth-User-Id", "forged"), ("X-Auth-User-Id", "forged")]),
    ("all six", "SECURITY.md, To services", &[("X-Auth-User-Id", "forged"), ("X-Auth-User-Email", "forged"), ("X-Auth-User-Name", "forged"), ("X-Auth-User-Role", "forged"), ("X-Auth-Method", "forged"), ("X-Auth-Key-Id", "forged")]),
    ("an empty one before", "RFC 9110 §5.5", &[("X-Auth-User-Id", ""), ("X-Auth-User-Id", "forged")]),
    // What services take for another user, path or method.
    ("Remote-User", "SECURITY.md, To services", &[("Remote-User", "forged")]),
    ("Remote_User", "CGI names", &[("Remote_User", "forged")]),
    ("REMOTE.USER", "CGI names", &[("REMOTE.USER", "forged")]),
    ("X-Forwarded-User", "SECURITY.md, To services", &[("X-Forwarded-User", "forged")]),
    ("X_Forwarded_User", "CVE-2025-64484", &[("X_Forwarded_User", "forged")]),
    ("X-Original-URL", "CVE-2018-14773 (Symfony)", &[("X-Original-URL", "/forged")]),
    ("X_Original_URL", "CVE-2018-14773", &[("X_Original_URL", "/forged")]),
    ("X.Original.Url", "CVE-2018-14773", &[("X.Original.Url", "/forged")]),
    ("X-Rewrite-URL", "CVE-2018-14773", &[("X-Rewrite-URL", "/forged")]),
    ("X_Rewrite_URL", "CVE-2018-14773", &[("X_Rewrite_URL", "/forged")]),
    ("X-HTTP-Method-Override", "SECURITY.md, To services", &[("X-HTTP-Method-Override", "forged")]),
    ("X_HTTP_Method_Override", "CGI names", &[("X_HTTP_Method_Override", "forged")]),
    ("X-HTTP-Method", "SECURITY.md, To services", &[("X-HTTP-Method", "forged")]),
    ("X-Method-Override", "SECURITY.md, To services", &[("X-Method-Override", "forged")]),
    ("x-method.override", "CGI names", &[("x-method.override", "forged")]),
    // Where the request came from, said by somebody who is not trusted.
    ("X-Forwarded-For", "SECURITY.md, To services", &[("X-Forwarded-For", "forged")]),
    ("X-Forwarded-For twice", "SECURITY.md, To services", &[("X-Forwarded-For", "forged"), ("X-Forwarded-For", "forged")]),
    ("X_Forwarded_For", "CGI names", &[("X_Forwarded_For", "forged")]),
    ("X.Forwarded.For", "CGI names", &[("X.Forwarded.For", "forged")]),
    ("X-Forwarded-Host", "SECURITY.md, To services", &[("X-Forwarded-Host", "forged")]),
    ("X-Forwarded_Host", "CGI names", &[("X-Forwarded_Host", "forged")]),
    ("X-Forwarded-Proto", "SECURITY.md, To services", &[("X-Forwarded-Proto", "forged")]),
    ("X-Forwarded-Port", "SECURITY.md, To services", &[("X-Forwarded-Port", "forged")]),
    ("X-Forwarded-Prefix", "CVE-2020-5412 (Spring)", &[("X-Forwarded-Prefix", "/forged")]),
    ("X-Forwarded-Path", "SECURITY.md, To services", &[("X-Forwarded-Path", "/forged")]),
    ("X-Forwarded-Server", "SECURITY.md, To services", &[("X-Forwarded-Server", "forged")]),
    ("X-Forwarded-Email", "CVE-2025-64484", &[("X-Forwarded-Email", "forged")]),
    ("X-Forwarded-Groups", "CVE-2025-64484", &[("X-Forwarded-Groups", "forged")]),
    ("X-Forwarded-Access-Token", "SECURITY.md, To services", &[("X-Forwarded-Access-Token", "forged")]),
    ("X-Forwarded-Uri", "Traefik forwardAuth", &[("X-Forwarded-Uri", "/forged")]),
    ("X-Forwarded-Method", "Traefik forwardAuth", &[("X-Forwarded-Method", "forged")]),
    ("X-Forwarded-Tls-Client-Cert", "CVE-2024-45410 (Traefik)", &[("X-Forwarded-Tls-Client-Cert", "forged")]),
    ("Forwarded", "RFC 7239 §8.1", &[("Forwarded", "for=forged")]),
    ("Forwarded twice", "RFC 7239 §8.1", &[("Forwarded", "for=forged"), ("Forwarded", "host=forged")]),
    ("X-Real-IP", "SECURITY.md, To services", &[("X-Real-IP", "forged")]),
    ("X_Real_IP", "CGI names", &[("X_Real_IP", "forged")]),
    ("True-Client-IP", "SECURITY.md, To services", &[("True-Client-IP", "forged")]),
    ("true_client_ip", "CGI names", &[("true_client_ip", "forged")]),
    ("Via", "RFC 9110 §7.6.3", &[("Via", "1.1 forged")]),
    ("X-Request-Id", "SECURITY.md, To services", &[("X-Request-Id", "forged")]),
    ("X_Request_Id", "CGI names", &[("X_Request_Id", "forged")]),
    // What names a proxy, and what is a credential of ours in disguise.
    ("Proxy", "CVE-2016-5385 (httpoxy)", &[("Proxy", "http://forged")]),
    ("Proxy-Authorization", "RFC 9110 §11.7.2", &[("Proxy-Authorization", "Basic forged")]),
    ("Proxy_Authorization", "CGI names", &[("Proxy_Authorization", "Basic forged")]),
    ("X_Api_Key", "CGI names", &[("X_Api_Key", "forged")]),
    ("X.API.Key", "CGI names", &[("X.API.Key", "forged")]),
    ("X~API~Key", "CGI names (lighttpd)", &[("X~API~Key", "forged")]),
    ("X~Forwarded~For", "CGI names (lighttpd)", &[("X~Forwarded~For", "forged")]),
    ("X~Original~URL", "CGI names (lighttpd)", &[("X~Original~URL", "/forged")]),
    ("Keep-Alive", "RFC 9110 §7.6.1", &[("X-Auth-User-Id", "forged"), ("X-Note", "1")]),
];

/// What only HTTP/1.1 has: lists that take headers away.
#[rustfmt::skip]
const LISTS: &[row::Row] = &[
    ("a list of the identity", "RFC 9110 §7.6.1, CVE-2022-31813", b"{get}Connection: X-Auth-User-Id, X-Auth-User-Role, X-Auth-User-Email\r\n\r\n"),
    ("a list of the identity, one each", "CVE-2022-31813", b"{get}Connection: X-Auth-User-Id\r\nConnection: X-Auth-User-Role\r\n\r\n"),
    ("a list of the identity in small letters", "CVE-2022-31813", b"{get}Connection: x-auth-user-id\r\n\r\n"),
    ("a list of the identity with underscores", "CVE-2022-31813", b"{get}Connection: X_Auth_User_Id\r\nX_Auth_User_Id: forged\r\n\r\n"),
    ("a list with close", "RFC 9110 §7.6.1", b"{get}Connection: keep-alive, X-Auth-User-Id, X-Auth-Method\r\n\r\n"),
    ("a list of what says where it came from", "CVE-2022-31813", b"{get}Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Forwarded, X-Real-IP, Via\r\n\r\n"),
    ("a list of Host", "CVE-2022-31813", b"{get}Connection: Host\r\n\r\n"),
    ("a list of the credential", "RFC 9110 §7.6.1", b"{get}Connection: Authorization\r\n\r\n"),
    ("a list of the request's id", "RFC 9110 §7.6.1", b"{get}Connection: X-Request-Id\r\n\r\n"),
    ("a list of a cookie", "RFC 9110 §7.6.1", b"{get}Cookie: a=b\r\nConnection: Cookie\r\n\r\n"),
    ("a list that is no list", "RFC 9110 §7.6.1", b"{get}Connection: ,,X-Auth-User-Id;q=1, bad name,\r\n\r\n"),
    ("a list of everything", "RFC 9110 §7.6.1", b"{get}Connection: *\r\n\r\n"),
    ("Proxy-Connection", "RFC 9112 §C.2.2", b"{get}Proxy-Connection: X-Auth-User-Id\r\n\r\n"),
    ("Keep-Alive", "RFC 9110 §7.6.1", b"{get}Keep-Alive: X-Auth-User-Id\r\nConnection: keep-alive\r\n\r\n"),
];

/// Trailers, which some services merge into the head.
#[rustfmt::skip]
const TRAILERS: &[row::Row] = &[
    ("the user's id", "RFC 9110 §6.5.1 (TRAILER.MERGE)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Auth-User-Id: forged\r\n\r\n"),
    ("the user's role, announced", "RFC 9110 §6.6.2", b"{post}Trailer: X-Auth-User-Role\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Auth-User-Role: forged\r\n\r\n"),
    ("underscores", "CGI names", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX_Auth_User_Id: forged\r\n\r\n"),
    ("dots", "CGI names", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX.Auth.User.Id: forged\r\n\r\n"),
    ("tildes", "CGI names (lighttpd)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX~Auth~User~Id: forged\r\n\r\n"),
    ("a proxy", "CVE-2016-5385 (httpoxy)", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nProxy: http://forged\r\n\r\n"),
    ("another path", "CVE-2018-14773", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Original-URL: /forged\r\n\r\n"),
    ("where it came from", "SECURITY.md, To services", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Forwarded-For: forged\r\nForwarded: for=forged\r\n\r\n"),
    ("a host", "RFC 9110 §6.5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: forged\r\n\r\n"),
    ("a credential", "RFC 9110 §6.5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nAuthorization: Bearer forged\r\nX-API-Key: dk_forged\r\n\r\n"),
    ("a cookie", "RFC 9110 §6.5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nCookie: a=forged\r\nSet-Cookie: a=forged\r\n\r\n"),
    ("a connection list", "RFC 9110 §6.5.1", b"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nConnection: X-Auth-User-Id\r\nX-Api_Key: forged\r\n\r\n"),
];

#[tokio::test]
async fn nothing_that_a_client_says_of_itself_reaches_a_service() {
    let stage = Stage::start().await;
    try_all("identity", stage, &Route::ANSWERING, ROWS, is_clean).await;
}

/// The operator's own names are guarded as the usual ones are.
#[tokio::test]
async fn nothing_that_a_client_says_under_other_names_reaches_a_service() {
    #[rustfmt::skip]
    const NAMED: &[Row] = &[
        ("its name", "SECURITY.md, To services", &[("Remote-Name", "forged")]),
        ("in capitals", "SECURITY.md, To services", &[("REMOTE-NAME", "forged")]),
        ("with an underscore", "CGI names", &[("Remote_Name", "forged")]),
        ("with a dot", "CGI names", &[("Remote.Name", "forged")]),
        ("a name with an underscore, plainly", "CGI names", &[("Who_Asks", "forged")]),
        ("a name with an underscore, with a dash", "CGI names", &[("Who-Asks", "forged")]),
        ("a name with an underscore, with a dot", "CGI names", &[("who.asks", "forged")]),
    ];
    let names = "[identity_headers]\nuser_name = \"Remote-Name\"\nuser_role = \"Who_Asks\"";
    let stage = Stage::with(Setup::new().toml(names)).await;
    try_all(
        "identity, other names",
        stage,
        &[Route::Public],
        NAMED,
        |_, _, message| not_forged(message),
    )
    .await;
}

#[tokio::test]
async fn no_list_of_a_connection_takes_the_identity_away() {
    lists("connection lists", &Route::ANSWERING, LISTS, "").await;
}

#[tokio::test]
async fn no_trailer_forges_what_a_head_may_not() {
    lists("trailers", &Route::ANSWERING, TRAILERS, "hello").await;
}

async fn lists(table: &str, routes: &[Route], rows: &[row::Row], body: &'static str) {
    let mut stage = Stage::start().await;
    let tries = row::try_on(&mut stage, routes, rows, row::Wants::Taken(body)).await;
    let kept = stage.end().await;
    let mut wrong = row::judged(&tries, &kept);
    for tried in &tries {
        for message in kept.about(&tried.id) {
            if let Err(why) = is_clean(&stage, tried.place.route, message) {
                wrong.push(format!("{} {}: {why}", tried.row.0, tried.place));
            }
        }
    }
    crate::stage::verdict(table, tries.len(), &wrong, &kept);
}

/// Nothing forged arrived, and what the gateway says arrived once.
fn is_clean(stage: &Stage, route: Route, message: &Message) -> Result<(), String> {
    not_forged(message)?;
    let count = |name: &str| message.fields.all(name).len();
    for name in [
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "forwarded",
        "via",
        "x-request-id",
    ] {
        if count(name) != 1 {
            return Err(format!(
                "{name} is there {} times: {}",
                count(name),
                message.text()
            ));
        }
    }
    let (id, role) = match route {
        Route::Public => (vec![], vec![]),
        Route::Restricted => (vec![&*stage.world.administrator().user], vec!["admin"]),
        Route::Protected | Route::WebSocket => (vec![&*stage.viewer.user], vec!["viewer"]),
    };
    let is_told = message.fields.all("x-auth-user-id") == id
        && message.fields.all("x-auth-user-role") == role
        && count("x-auth-user-email") == id.len()
        && count("x-auth-user-name") == id.len()
        && count("x-auth-method") == id.len()
        && count("x-auth-key-id") == 0;
    let has_credential = message.has("bearer") || message.has("eyJ");
    if !is_told || has_credential {
        return Err(format!("the identity is not right: {}", message.text()));
    }
    Ok(())
}

fn not_forged(message: &Message) -> Result<(), String> {
    if message.has("forged") {
        return Err(format!("it arrived: {}", message.text()));
    }
    Ok(())
}
