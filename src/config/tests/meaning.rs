use std::path::Path;
use std::time::Duration;

use http::Method;

use super::parse;
use crate::config::{
    Algorithm, Config, MailTransport, RedisServers, RedisStore, Scheme, SmtpSecurity, StoreUrl,
};
use crate::domain::{Role, Timestamp};

/// The configuration of a text without mistakes.
fn read(text: &str) -> Config {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn an_empty_file_is_a_gateway_without_routes() {
    let config = read("");

    assert_eq!(config.server.listen.len(), 1);
    assert_eq!(
        config.server.listen[0].to_string(),
        "https://127.0.0.1:8443"
    );
    assert_eq!(config.sessions.issuer, "https://localhost:8443");
    assert_eq!(config.sessions.audience, config.sessions.issuer);
    assert_eq!(
        config.store,
        StoreUrl::Embedded("conf/data/gateway.db".into())
    );
    assert_eq!(config.admin.socket, Path::new("conf/data/admin.sock"));
    assert!(config.mail.is_none() && config.routes.is_empty() && config.upstreams.is_empty());
}

#[test]
fn the_issuer_follows_the_first_listener_with_tls() {
    let issuer = |listen: &str| {
        read(&format!("[server]\nlisten = [{listen}]"))
            .sessions
            .issuer
    };
    assert_eq!(
        issuer("\"http://127.0.0.1:80\", \"0.0.0.0:9443\""),
        "https://localhost:9443"
    );
    assert_eq!(issuer("\"http://127.0.0.1:8080\""), "http://localhost:8080");
}

#[test]
fn a_listener_speaks_tls_unless_it_says_http() {
    let config =
        read("[server]\nlisten = ['http://127.0.0.1:1', 'https://[::1]:2', '0.0.0.0:3', '[::]:3']");
    let schemes: Vec<Scheme> = config
        .server
        .listen
        .iter()
        .map(|listen| listen.scheme)
        .collect();
    assert_eq!(
        schemes,
        [Scheme::Http, Scheme::Https, Scheme::Https, Scheme::Https]
    );
}

#[test]
fn the_environment_gives_texts_numbers_and_switches() {
    let config = read(
        "[server]\nmax_connections = '${MANY}'\n[upstreams.a]\nservers = ['http://${HOST}:9']",
    );
    assert_eq!(config.server.max_connections, 250);
    assert_eq!(
        config.upstreams[0].servers[0].to_string(),
        "http://10.0.0.9:9"
    );
}

#[test]
fn servers_have_a_host_and_a_port() {
    let config = read("[upstreams.a]\nservers = ['http://App.internal', 'http://[::1]:9000/']");
    let servers: Vec<String> = config.upstreams[0]
        .servers
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(servers, ["http://app.internal:80", "http://[::1]:9000"]);
}

#[test]
fn signing_keys_sign_at_once_or_from_a_time_on() {
    let config = read(
        "[sessions]\nalgorithm = 'ES256'\n[[sessions.signing_keys]]\nfile = 'a.pem'\n\
         [[sessions.signing_keys]]\nfile = '/b.pem'\nsign_from = '2026-03-18T10:00:00'\n\
         [[sessions.signing_keys]]\nfile = 'c.pem'\nsign_from = 2026-03-18T11:00:00+01:00\n",
    );

    let keys = config.sessions.signing_keys;
    let from = Some(Timestamp::from_secs(1_773_828_000));
    assert_eq!(config.sessions.algorithm, Algorithm::Es256);
    assert_eq!(keys[0].file, Path::new("conf/a.pem"));
    assert_eq!(keys[1].file, Path::new("/b.pem"));
    assert_eq!(
        [keys[0].sign_from, keys[1].sign_from, keys[2].sign_from],
        [None, from, from]
    );
}

/// A configuration that sends its mails to `url`.
fn mail(url: &str, more: &str) -> crate::config::Mail {
    let text = format!(
        "[sessions]\nissuer = 'https://a.example/'\n[mail]\nfrom = 'a@b.example'\nurl = '{url}'\n{more}"
    );
    read(&text).mail.unwrap()
}

#[test]
fn mails_go_to_a_server_as_its_url_says() {
    for (url, security, port) in [
        ("smtps://mail.example.com", SmtpSecurity::Implicit, 465),
        ("smtp://mail.example.com", SmtpSecurity::StartTls, 587),
        ("smtp://mail.example.com:2525", SmtpSecurity::StartTls, 2525),
        (
            "smtp+insecure://localhost:1025",
            SmtpSecurity::Insecure,
            1025,
        ),
    ] {
        let MailTransport::Smtp(server) = mail(url, "").transport else {
            panic!("{url}");
        };
        assert_eq!((server.security, server.port), (security, port), "{url}");
        assert!(server.credentials.is_none());
    }
}

#[test]
fn the_account_of_a_mail_server_may_be_an_address() {
    let mail = mail(
        "smtps://ada%40example.com@mail.example.com",
        "password = '${SMTP_PASSWORD}'",
    );
    let shown = format!("{mail:?}");
    let MailTransport::Smtp(server) = mail.transport else {
        panic!("{shown}");
    };
    let credentials = server.credentials.unwrap();
    assert_eq!(credentials.user, "ada@example.com");
    assert_eq!(credentials.password.expose(), "hunter2");
    assert!(!shown.contains("hunter2"));
}

#[test]
fn reset_links_lead_to_the_gateways_own_page_unless_told() {
    let own = mail("file:mails/", "");
    assert_eq!(own.reset_link, "https://a.example/api/auth/reset-password");
    assert!(
        matches!(own.transport, MailTransport::Files(folder) if folder == Path::new("conf/mails/"))
    );
    let other = mail(
        "file:mails/",
        "reset_link = 'https://b.example/reset?lang=en'",
    );
    assert_eq!(other.reset_link, "https://b.example/reset?lang=en");
    assert_eq!(other.reset_lifetime, Duration::from_secs(3600));
}

const ROUTES: &str = r#"
    [server]
    listen = ["0.0.0.0:8443", "http://0.0.0.0:8080"]

    [admin]
    listen = "10.0.0.1:9090"

    [passwords]
    memory = "8MiB"

    [upstreams.site]
    servers = ["http://10.0.0.7"]

    [upstreams.reports]
    servers = ["http://10.0.0.5:9000", "http://10.0.0.6:9000"]

    [[routes]]
    path = "/"
    upstream = "site"
    public = true

    [[routes]]
    path = "/reports/"
    upstream = "reports"
    allow = [{ role = "admin" }, { role = "viewer", methods = ["GET", "HEAD"] }]

    [[routes]]
    path = "/reports/2026"
    upstream = "reports"

    [[routes]]
    host = "App.Example.com"
    path = "/"
    upstream = "reports"
    allow = [{ role = "admin", methods = ["PURGE"] }]
"#;

#[test]
fn a_route_points_at_its_upstream_and_admits_whom_it_lists() {
    let config = read(ROUTES);

    let route = &config.routes[1];
    assert_eq!(
        (route.path.as_str(), config.routes[0].path.as_str()),
        ("/reports", "")
    );
    assert_eq!(config.upstreams[route.upstream].name, "reports");
    assert!(route.access.admits(Role::Admin, &Method::DELETE));
    assert!(route.access.admits(Role::Viewer, &Method::GET));
    assert!(!route.access.admits(Role::Viewer, &Method::POST));
}

#[test]
fn the_summary_lists_the_routes_as_they_match() {
    assert_eq!(
        read(ROUTES).summary(),
        "\
listen  https://0.0.0.0:8443, http://0.0.0.0:8080
admin   http://10.0.0.1:9090, conf/data/admin.sock
store   embedded:conf/data/gateway.db
issuer  https://localhost:8443
mail    no [mail]: no reset mails are sent

HOST             PATH           WHO                       UPSTREAM
app.example.com  /              admin (PURGE)             reports (http://10.0.0.5:9000, http://10.0.0.6:9000)
any              /reports/2026  signed in                 reports (http://10.0.0.5:9000, http://10.0.0.6:9000)
any              /reports       admin, viewer (GET HEAD)  reports (http://10.0.0.5:9000, http://10.0.0.6:9000)
any              /              anyone                    site (http://10.0.0.7:80)
"
    );
}

#[test]
fn what_may_be_unwanted_is_warned_of() {
    assert_eq!(
        read(ROUTES).warnings(),
        [
            "no [server.tls]: a self-signed certificate for localhost is used, which no client trusts",
            "http://0.0.0.0:8080 takes passwords and credentials without TLS; let only a proxy reach it",
            "[admin] listen 10.0.0.1:9090 can be reached from other machines and asks for no credential",
            "[passwords] memory 8MiB makes stolen hashes cheap to guess; use at least 19MiB",
            "no [mail]: no reset mails are sent",
        ]
    );
    assert!(
        read("")
            .warnings()
            .contains(&"no [[routes]]: nothing is forwarded".to_owned())
    );
}

/// The store of a URL, with more in its section.
fn redis(url: &str, more: &str) -> RedisStore {
    let text = format!(
        "[store]\nurl = '{url}'\n{more}\n[sessions]\nissuer = 'https://a.example'\n[[sessions.signing_keys]]\nfile = 'key.pem'"
    );
    match read(&text).store {
        StoreUrl::Redis(redis) => *redis,
        StoreUrl::Embedded(file) => panic!("{}", file.display()),
    }
}

#[test]
fn a_store_in_redis_is_where_its_url_says() {
    for (url, shown) in [
        ("redis://10.0.0.1", "redis://10.0.0.1:6379"),
        ("redis://[::1]:7000/3", "redis://[::1]:7000/3"),
        ("rediss://redis.internal/", "rediss://redis.internal:6379"),
        ("valkey://10.0.0.1", "redis://10.0.0.1:6379"),
        ("redis+unix:/run/redis.sock", "redis+unix:/run/redis.sock"),
        (
            "unix:///run/redis.sock?db=2",
            "redis+unix:/run/redis.sock?db=2",
        ),
        ("redis+unix:redis.sock", "redis+unix:conf/redis.sock"),
        (
            "redis+sentinel://s1,s2:7000/mymaster/4",
            "redis+sentinel://s1:26379,s2:7000/mymaster/4",
        ),
        (
            "rediss+cluster://a,b:7000",
            "rediss+cluster://a:6379,b:7000",
        ),
    ] {
        let redis = redis(url, "");
        assert_eq!(redis.to_string(), shown, "{url}");
        assert_eq!(redis.tls.is_some(), url.starts_with("rediss"), "{url}");
        assert!(redis.login.is_none());
    }
}

#[test]
fn the_account_of_a_store_comes_from_its_url_or_from_beside_it() {
    let password = "password = '${REDIS_PASSWORD}'";
    for (url, more) in [
        ("rediss://ada@redis.example.com/1", password.to_owned()),
        (
            "rediss://redis.example.com/1",
            format!("user = 'ada'\n{password}"),
        ),
        ("${REDIS_URL}", String::new()),
    ] {
        let redis = redis(url, &more);
        let shown = format!("{redis:?} {redis}");
        let login = redis.login.unwrap();
        assert_eq!(login.user.as_deref(), Some("ada"), "{url}");
        assert_eq!(login.password.expose(), "hunter2", "{url}");
        assert_eq!(redis.database, 1);
        assert!(!shown.contains("hunter2"));
    }
    let nameless = redis("redis://10.0.0.1", password).login.unwrap();
    assert_eq!(nameless.user, None);
    let sentinel = redis(
        "redis+sentinel://s1/mymaster",
        "sentinel_user = 'bob'\nsentinel_password = '${REDIS_PASSWORD}'",
    );
    assert!(sentinel.login.is_none());
    let RedisServers::Sentinel { login, primary, .. } = sentinel.servers else {
        panic!("{sentinel}");
    };
    assert_eq!(login.unwrap().user.as_deref(), Some("bob"));
    assert_eq!(primary, "mymaster");
}

#[test]
fn a_store_on_the_network_without_tls_is_warned_of() {
    let warned = |url: &str| {
        let text = format!(
            "[store]\nurl = '{url}'\n[sessions]\nissuer = 'https://a.example'\n[[sessions.signing_keys]]\nfile = 'key.pem'"
        );
        let warnings = read(&text).warnings();
        warnings
            .iter()
            .any(|warning| warning.contains("without TLS: whoever"))
    };
    assert!(warned("redis://10.0.0.1") && warned("redis+cluster://127.0.0.1,10.0.0.1"));
    assert!(
        !warned("redis://127.0.0.1") && !warned("redis+unix:a") && !warned("rediss://10.0.0.1")
    );
}
