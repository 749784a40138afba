use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::websocket;
use crate::support::world::Version;

const RULES: &str = r#"
request_headers = { set = { "X-Env" = "production", "Authorization" = "Basic c2VydmljZQ==" }, add = { "X-Tag" = "ours" }, remove = ["Accept-Encoding", "Cookie"] }
response_headers = { set = { "X-Frame-Options" = "DENY" }, add = { "Vary" = "Accept" }, remove = ["Server", "X-Powered-By"] }
"#;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: secret/1.0\r\nX-Powered-By: x\r\n\
                      X-Frame-Options: ALLOW\r\nVary: Cookie\r\n\r\nok";

#[tokio::test]
async fn headers_are_removed_set_and_added_both_ways() {
    let mut service = Service::answering(ANSWER).await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", RULES);
    let world = setup.start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        let mut call = world
            .by_administrator("GET", "/x")
            .header("X-Env", "forged")
            .header("X-Tag", "theirs")
            .header("Accept-Encoding", "gzip")
            .header("Cookie", "a=b");
        if version == Version::Http1 {
            // Of no use to be rid of what the route says.
            call = call.header("Connection", "X-Env, X-Tag, X-Auth-User-Id");
        }
        let answer = client.call(&call).await.expect(200);

        let seen = service.next().await;
        let seen = |name| seen.headers.all(name);
        assert_eq!(seen("x-env"), ["production"], "{version:?}");
        assert_eq!(seen("authorization"), ["Basic c2VydmljZQ=="]);
        assert_eq!(seen("x-tag").last(), Some(&"ours"));
        assert!(seen("accept-encoding").is_empty() && seen("cookie").is_empty());
        assert_eq!(
            seen("x-auth-user-id"),
            [world.administrator().user.as_str()]
        );
        let told = |name| answer.headers.all(name);
        assert_eq!(told("x-frame-options"), ["DENY"]);
        assert_eq!(told("vary"), ["Cookie", "Accept"]);
        assert!(told("server").is_empty() && told("x-powered-by").is_empty());
    }
}

#[tokio::test]
async fn what_a_route_says_is_forged_in_no_other_spelling_and_in_no_trailer() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", RULES);
    let world = setup.start().await;
    let mut wire = world.wire().await;
    let call = world
        .by_administrator("POST", "/x")
        .header("X_Env", "forged")
        .header("X.Env", "forged")
        .header("X~Env", "forged")
        .header("Accept_Encoding", "forged");

    let head = call.head();
    wire.send(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Env: forged\r\n\
         X_Env: forged\r\nAccept-Encoding: forged\r\nX-Tag: theirs\r\n\r\n"
    ))
    .await;
    wire.answer("POST").await.expect(200);

    let seen = service.next().await;
    assert!(!format!("{seen:?}").contains("forged"), "{seen:?}");
    assert_eq!(seen.headers.all("x-env"), ["production"]);
    // What is added stands beside what the client says.
    assert_eq!(seen.trailers.all("x-tag"), ["theirs"]);
}

#[tokio::test]
async fn a_refusal_of_the_gateways_own_keeps_its_headers() {
    let service = Service::answering(ANSWER).await;
    let rules = "response_headers = { remove = [\"WWW-Authenticate\", \"Content-Type\"] }";
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", rules);
    let world = setup.start_empty().await;

    let answer = world.call(&Call::get("/x")).await;
    assert_eq!(answer.refusal(), (401, "credential_missing".to_owned()));
    assert!(answer.headers.has("www-authenticate"));
}

#[tokio::test]
async fn an_answer_to_a_key_stays_private_where_a_route_removes_what_says_so() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n";
    let service = Service::answering(answer).await;
    let rules = "response_headers = { remove = [\"Cache-Control\"] }";
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", rules);
    let world = setup.start().await;
    let key = world.new_key(world.administrator()).await.key;

    let call = Call::get("/x").header("X-API-Key", &key);
    let answer = world.call(&call).await.expect(200);
    assert_eq!(answer.headers.get("cache-control"), Some("private"));
}

#[tokio::test]
async fn a_websocket_opens_behind_a_route_with_rules() {
    let service = crate::support::service::Scripted::start().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", RULES);
    let world = setup.start().await;
    let mut wire = world.wire().await;
    let call = websocket::upgrade("/chat").bearer(&world.administrator().token);

    wire.send(call.bytes()).await;
    let mut upstream = service.accept().await;
    let seen = upstream.head().await;
    assert_eq!(seen.headers.get("upgrade"), Some("websocket"));
    assert_eq!(seen.headers.get("x-env"), Some("production"));
    upstream
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nServer: x\r\n\r\n")
        .await;
    let head = wire.head().await;
    assert_eq!(head.status(), 101);
    assert!(!head.headers.has("server"));
    assert_eq!(head.headers.get("x-frame-options"), Some("DENY"));
}
