use std::path::Path;
use std::time::Duration;

use http::Method;

use super::parse;
use crate::config::{
    Algorithm, Config, MailTransport, Origins, Per, Scheme, SmtpSecurity, StoreUrl, Target,
};
use crate::domain::{Role, Timestamp};

/// The configuration of a text without mistakes.
pub(super) fn read(text: &str) -> Config {
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
        (
            route.place.path.as_str(),
            config.routes[0].place.path.as_str()
        ),
        ("/reports", "")
    );
    let Target::Upstream(upstream) = route.target else {
        panic!("{route:?}");
    };
    assert_eq!(config.upstreams[upstream].name, "reports");
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

#[test]
fn the_summary_tells_what_else_a_route_does() {
    let config = read(
        r#"
        [upstreams.app]
        servers = ["http://10.0.0.7"]

        [[limits]]
        per = "address"
        rate = "1000 per 1m"

        [[routes]]
        hosts = ["*.example.com", "www.example.org"]
        path = "/app/v1"
        methods = ["GET", "HEAD"]
        upstream = "app"
        strip_prefix = "/app"
        add_prefix = "/service"
        request_headers = { set = { "X-From" = "gateway" }, remove = ["Accept-Encoding"] }
        response_headers = { add = { "X-Frame-Options" = "DENY" } }
        max_body = "10MiB"
        cors = { origins = ["https://app.example.com"] }
        limits = [{ per = "principal", rate = "10 per 1s", burst = 50 }]

        [[routes]]
        exact = "/old"
        redirect = { to = "https://www.example.com", status = 308, keep_path = true }
        "#,
    );
    let told = config.summary();
    let table = told.split("\n\n").nth(1).unwrap();
    assert_eq!(
        table,
        "\
HOST                           METHODS   PATH     WHO        UPSTREAM                          ALSO
*.example.com www.example.org  GET HEAD  /app/v1  signed in  app (http://10.0.0.7:80)          strip /app; add /service; \
request headers; response headers; bodies up to 10MiB; cors for https://app.example.com; 1000 per 1m, per address; \
10 per 1s, 50 at once, per principal
any                                      = /old   anyone     308 to https://www.example.com/…  1000 per 1m, per address
"
    );
}

#[test]
fn what_a_route_leaves_out_has_its_default() {
    let config = read(
        "[upstreams.a]\nservers = ['http://a']\n[[routes]]\npath = '/'\nupstream = 'a'\n\
         methods = ['PUT']\ncors = { origins = ['https://a.example'] }\n\
         limits = [{ per = 'key', rate = '7 per 1s' }]\n\
         [[routes]]\npath = '/'\nredirect = { to = '/x' }\n\
         [[routes]]\npath = '/b'\nupstream = 'a'\ncors = { origins = ['*'] }\n\
         [api]\ncors = { origins = ['http://localhost:3000'] }",
    );
    let cors = config.routes[0].cors.as_ref().unwrap();
    assert_eq!(cors.methods, [Method::PUT]);
    assert_eq!(cors.headers, ["authorization", "content-type", "x-api-key"]);
    assert_eq!((cors.expose.len(), cors.credentials), (0, false));
    assert_eq!(cors.max_age, Duration::from_secs(600));
    let limit = &config.routes[0].limits[0];
    assert_eq!((limit.per, limit.burst), (Per::Key, 7));
    assert_eq!(config.routes[0].max_body, None);

    let Target::Redirect(redirect) = &config.routes[1].target else {
        panic!("{:?}", config.routes[1]);
    };
    assert_eq!((redirect.status.as_u16(), redirect.keep_path), (307, false));

    let cors = config.routes[2].cors.as_ref().unwrap();
    assert_eq!(cors.methods, [Method::GET, Method::HEAD, Method::POST]);
    assert!(matches!(cors.origins, Origins::Any));

    let methods = config.api.cors.unwrap().methods;
    assert!(methods.contains(&Method::DELETE));
}

#[test]
fn what_a_header_is_set_to_is_not_shown_where_it_opens_a_door() {
    let config = read(
        "[upstreams.a]\nservers = ['http://a']\n[[routes]]\npath = '/'\nupstream = 'a'\n\
         request_headers = { set = { Authorization = 'Basic c2VjcmV0', 'X-Token' = '${SMTP_PASSWORD}' } }",
    );
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("c2VjcmV0") && !shown.contains("hunter2"),
        "{shown}"
    );
    let rules = config.routes[0].request_headers.as_ref().unwrap();
    let set = &rules.set;
    assert!(set.iter().any(|(_, value)| value == "hunter2"));
}
