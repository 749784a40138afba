//! The operator's TOML file as validated types: what is here needs no check while serving.
//!
//! [`Config::read`] reports every mistake at once, each with its place, what was expected and what to
//! write instead.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Method};
use ipnet::IpNet;

use crate::domain::{Role, Timestamp};

/// Everything the operator said, and the defaults for the rest.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[admin]`
    pub admin: Admin,
    /// `[store]`
    pub store: StoreUrl,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[api_keys]`
    pub api_keys: ApiKeys,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[login]`
    pub login: Login,
    /// `[mail]`; without it no mail is sent and no reset token made.
    pub mail: Option<Mail>,
    /// `[identity_headers]`
    pub identity_headers: IdentityHeaders,
    /// `[logging]`
    pub logging: Logging,
    /// `[upstreams.NAME]`, in the order of their names.
    pub upstreams: Vec<Upstream>,
    /// `[[routes]]`, in the order of the file.
    pub routes: Vec<Route>,
}

/// `[server]`: the listeners and their bounds.
#[derive(Debug, Clone)]
pub struct Server {
    /// `listen = ["0.0.0.0:8443", "http://127.0.0.1:8080"]`: TLS unless the address says `http://`.
    pub listen: Vec<Listen>,
    /// `[server.tls]`; without it a self-signed certificate for localhost is made.
    pub tls: Option<Tls>,
    /// `trusted_proxies`: whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` count.
    pub trusted_proxies: Vec<IpNet>,
    /// `workers`: threads that serve requests; by default one a core.
    pub workers: usize,
    /// `max_connections` of clients at once, over all listeners (10000).
    pub max_connections: usize,
    /// `handshake_timeout` from accept to the end of the TLS handshake (10s).
    pub handshake_timeout: Duration,
    /// `head_timeout` from the first byte of a head to its last, and from connecting to the first byte (10s).
    pub head_timeout: Duration,
    /// `idle_timeout` of a kept connection without a request (75s).
    pub idle_timeout: Duration,
    /// `body_timeout` between two reads of a request body (30s).
    pub body_timeout: Duration,
    /// `write_timeout` while a client takes nothing of an answer (30s).
    pub write_timeout: Duration,
    /// `max_head`: bytes of a request's head (64KiB).
    pub max_head: usize,
    /// `drain_delay`: after SIGTERM, how long the node says "not ready" and goes on accepting (0s).
    pub drain_delay: Duration,
    /// `drain_timeout`: how long exchanges in flight may take to end after that (30s).
    pub drain_timeout: Duration,
    /// `[server.http2]`
    pub http2: Http2,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// What is spoken there.
    pub scheme: Scheme,
}

/// What is spoken on a connection beneath HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// TLS 1.2 or 1.3.
    Https,
    /// Nothing.
    Http,
}

/// `[server.tls]`
#[derive(Debug, Clone)]
pub struct Tls {
    /// `certificate`: PEM, the whole chain.
    pub certificate: PathBuf,
    /// `private_key`: PEM.
    pub private_key: PathBuf,
}

/// `[server.http2]`: bounds of an HTTP/2 connection.
#[derive(Debug, Clone, Copy)]
pub struct Http2 {
    /// `max_streams` at once on a connection (128).
    pub max_streams: u32,
    /// `max_pending_resets`: streams that were reset before we took them (20).
    pub max_pending_resets: usize,
    /// `max_local_resets`: streams we reset for their errors, before the connection is closed (1024).
    pub max_local_resets: usize,
    /// `stream_window`: bytes of a request body that may wait, per stream (256KiB).
    pub stream_window: u32,
    /// `connection_window`: the same over all streams of a connection (1MiB).
    pub connection_window: u32,
    /// `send_buffer`: bytes of answers that may wait in a connection (64KiB).
    pub send_buffer: usize,
}

/// `[admin]`: for operators, not for clients.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `listen` for `/livez`, `/readyz`, `/metrics` (127.0.0.1:9090).
    pub listen: SocketAddr,
    /// `socket`: the Unix socket the command line speaks to a running node over; by default `admin.sock` beside the store.
    pub socket: PathBuf,
}

/// `[store] url`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `embedded:data/gateway.db`
    Embedded(PathBuf),
}

/// `[sessions]`
#[derive(Debug, Clone)]
pub struct Sessions {
    /// `issuer`: a URL; `iss` and `aud` of tokens, and where reset links lead.
    pub issuer: String,
    /// `audience`; by default the issuer.
    pub audience: String,
    /// `lifetime` (8h)
    pub lifetime: Duration,
    /// `algorithm` of the key that is made on first start (`EdDSA`).
    pub algorithm: Algorithm,
    /// `[[sessions.signing_keys]]`; when there is none, `signing-key.pem` beside the store, made on first start.
    pub signing_keys: Vec<SigningKeyFile>,
}

/// How session tokens are signed (RFC 8037, RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// One of `[[sessions.signing_keys]]`.
#[derive(Debug, Clone)]
pub struct SigningKeyFile {
    /// `file`: PEM, PKCS#8.
    pub file: PathBuf,
    /// `sign_from`: until then it only verifies; left out, it signs at once.
    pub sign_from: Option<Timestamp>,
}

/// `[api_keys]`
#[derive(Debug, Clone, Copy)]
pub struct ApiKeys {
    /// `max_per_user`: keys a user may have that work (100).
    pub max_per_user: usize,
    /// `may_manage`: whether a key may manage users and keys (false).
    pub may_manage: bool,
}

/// `[passwords]`
#[derive(Debug, Clone, Copy)]
pub struct Passwords {
    /// `min_length` in characters (8).
    pub min_length: usize,
    /// `memory` of one argon2id hash (19MiB).
    pub memory: usize,
    /// `iterations` of one argon2id hash (2).
    pub iterations: u32,
    /// `threads` that hash (1 for up to three cores, else a quarter of them).
    pub threads: usize,
}

/// `[login]`: how often log-in and reset may be tried.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    /// `per_account_and_address`: wrong passwords (`"5 per 15m"`).
    pub per_account_and_address: Rate,
    /// `per_address`: wrong passwords (`"30 per 15m"`).
    pub per_address: Rate,
    /// `per_account`: wrong passwords from addresses the owner did not log in from lately (`"50 per 15m"`).
    pub per_account: Rate,
    /// `forgot_per_address`: reset mails asked for (`"10 per 1h"`).
    pub forgot_per_address: Rate,
    /// `forgot_per_account`: reset mails sent (`"3 per 1h"`).
    pub forgot_per_account: Rate,
}

/// `"5 per 15m"`: so many at once, and then so many in each span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In which span.
    pub per: Duration,
}

/// `[mail]`
#[derive(Debug, Clone)]
pub struct Mail {
    /// `url`
    pub transport: MailTransport,
    /// `from`: `Dariet <no-reply@example.com>`.
    pub from: String,
    /// `reset_link`: where the mail leads; the token is added as the fragment `#token=…`.
    pub reset_link: String,
    /// `reset_lifetime` of a mailed token (1h).
    pub reset_lifetime: Duration,
    /// `queue`: mails that may wait (1000).
    pub queue: usize,
}

/// `[mail] url`
#[derive(Debug, Clone)]
pub enum MailTransport {
    /// `file:mails/`: each mail a file, for development.
    Files(PathBuf),
    /// `smtp://` (STARTTLS) and `smtps://` (implicit TLS).
    Smtp(Smtp),
}

/// An SMTP server.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its host name.
    pub host: String,
    /// Its port; by default 587 with STARTTLS and 465 with implicit TLS.
    pub port: u16,
    /// How the connection is secured.
    pub security: SmtpSecurity,
    /// The account, from the URL; its password from `password_file` or `password`.
    pub credentials: Option<SmtpCredentials>,
    /// `ca`: PEM of the authority to trust instead of the public ones.
    pub ca: Option<PathBuf>,
}

/// How an SMTP connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// `smtps://`: TLS from the first byte.
    Implicit,
    /// `smtp://`: STARTTLS, and nothing is sent without it.
    StartTls,
    /// `smtp+insecure://`: no TLS; only to a loopback address.
    Insecure,
}

/// Who we are to the SMTP server.
#[derive(Debug, Clone)]
pub struct SmtpCredentials {
    /// The account.
    pub user: String,
    /// Its password.
    pub password: crate::domain::Password,
}

/// `[identity_headers]`: what the headers that tell an upstream of the principal are called.
#[derive(Debug, Clone)]
pub struct IdentityHeaders {
    /// `user_id` (`X-Auth-User-Id`)
    pub user_id: HeaderName,
    /// `user_email` (`X-Auth-User-Email`)
    pub user_email: HeaderName,
    /// `user_name` (`X-Auth-User-Name`)
    pub user_name: HeaderName,
    /// `user_role` (`X-Auth-User-Role`)
    pub user_role: HeaderName,
    /// `method` (`X-Auth-Method`)
    pub method: HeaderName,
    /// `key_id` (`X-Auth-Key-Id`)
    pub key_id: HeaderName,
}

/// `[logging]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `format` (`text`)
    pub format: LogFormat,
    /// `level` of life-cycle and fault lines (`info`), as `tracing_subscriber::EnvFilter` reads it.
    pub level: String,
    /// `access` lines, one a request (true).
    pub access: bool,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[upstreams.NAME]`
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// `servers = ["http://10.0.0.5:9000"]`; never empty.
    pub servers: Vec<UpstreamServer>,
    /// `connect_timeout` (5s)
    pub connect_timeout: Duration,
    /// `response_timeout` from the request sent to the head of the answer (60s).
    pub response_timeout: Duration,
    /// `idle_timeout` between two bytes of a body, either way (60s); WebSockets and event streams are exempt.
    pub idle_timeout: Duration,
    /// `keep_alive`: how long an unused connection is kept (30s); keep it below the server's own.
    pub keep_alive: Duration,
    /// `max_idle`: unused connections kept per server and worker (256).
    pub max_idle: usize,
    /// `max_in_flight`: exchanges at once on this node; beyond it 503 (10000).
    pub max_in_flight: usize,
}

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Its host, a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// One of `[[routes]]`.
#[derive(Debug, Clone)]
pub struct Route {
    /// `host`: only requests to it, in lower case without port; left out, every host.
    pub host: Option<String>,
    /// `path`: a prefix by whole segments, in normal form without a slash at the end (`/` is empty).
    pub path: String,
    /// `upstream`, as its index in [`Config::upstreams`].
    pub upstream: usize,
    /// `public` or `allow`
    pub access: Access,
    /// `path_parameters = "keep"`: a `;` in a path is passed on.
    pub keep_path_parameters: bool,
    /// `encoded_slash = "keep"`: `%2f` in a path is passed on.
    pub keep_encoded_slash: bool,
    /// `keep_headers`: headers passed on that are removed by default; never an identity header.
    pub keep_headers: Vec<HeaderName>,
    /// `credential = "pass"`: the credential itself reaches the upstream.
    pub pass_credential: bool,
}

/// Who may use a route.
#[derive(Debug, Clone)]
pub enum Access {
    /// `public = true`: anyone; no credential is looked at.
    Public,
    /// Any principal.
    SignedIn,
    /// `allow = [{ role = "viewer", methods = ["GET"] }]`: whom one of the rules fits.
    Allow(Vec<Rule>),
}

/// One rule of `allow`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `role`
    pub role: Role,
    /// `methods`; left out, every method.
    pub methods: Option<Vec<Method>>,
}

impl Access {
    /// Whether a principal of this role may use this method.
    #[must_use]
    pub fn admits(&self, role: Role, method: &Method) -> bool {
        match self {
            Self::Public | Self::SignedIn => true,
            Self::Allow(rules) => rules.iter().any(|rule| {
                rule.role == role
                    && rule
                        .methods
                        .as_ref()
                        .is_none_or(|methods| methods.contains(method))
            }),
        }
    }
}

/// What `${NAME}` stands for: the environment, or what a test puts in its place.
pub type Environment = BTreeMap<String, String>;
