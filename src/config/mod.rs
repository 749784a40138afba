//! The operator's TOML file as validated types: what is here needs no check while serving.
//!
//! [`Config::read`] reports every mistake at once, each with its place, what was expected and what to
//! write instead. Paths are relative to the folder of the file, `${NAME}` is the environment's.

mod api;
mod changes;
mod deadlines;
mod dns;
mod find;
mod identity;
mod limits;
mod listen;
mod logging;
mod mail;
mod mask;
mod mistake;
mod passwords;
mod pattern;
mod quantity;
mod read;
mod redis;
mod routes;
mod secret;
mod section;
mod server;
mod sessions;
mod smtp;
mod store;
mod suggest;
mod summary;
mod text;
mod tls;
mod upstream_tls;
mod upstreams;
mod url;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use api::ApiSettings;
pub use changes::{Becomes, Change, Changes, FIXED};
pub use deadlines::{Deadlines, RouteDeadlines};
pub use dns::Dns;
pub use find::NoConfig;
pub use identity::IdentityHeaders;
pub use limits::{Limit, Per};
pub use listen::{Listen, ProxyProtocol, Scheme};
pub use logging::{LogFormat, Logging};
pub use mail::{Mail, MailTransport};
pub use mistake::{Colour, Mistake, Mistakes};
pub use passwords::{Login, Passwords, Rate};
pub use read::environment;
pub use redis::{
    OnStale, RedisAddress, RedisClientCertificate, RedisHost, RedisLogin, RedisServers, RedisStore,
    RedisTls,
};
pub use routes::{
    Access, Cors, HeaderRules, HostPattern, Origins, Place, Reach, Redirect, Rewrite, Route, Rule,
    Target,
};
pub use server::{Http2, Server};
pub use sessions::{Algorithm, ApiKeys, Sessions, SigningKeyFile};
pub use smtp::{Smtp, SmtpCredentials, SmtpSecurity};
pub use store::{Admin, StoreUrl};
pub use tls::{CertificateFiles, ClientCertificates, Demand, Hsts, Tls, TlsVersion};
pub use upstream_tls::UpstreamTls;
pub use upstreams::{
    Balance, Ejection, HealthCheck, Protocol, Retries, ServerAddress, Upstream, UpstreamHttp2,
    UpstreamServer,
};

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
    /// `[api]`
    pub api: ApiSettings,
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
    /// `[dns]`
    pub dns: Dns,
    /// `[upstreams.NAME]`, in the order of their names.
    pub upstreams: Vec<Upstream>,
    /// `[[limits]]` of all routes.
    pub limits: Vec<Limit>,
    /// `[[routes]]`, in the order of the file.
    pub routes: Vec<Route>,
}

/// What `${NAME}` stands for: the environment, or what a test puts in its place.
pub type Environment = BTreeMap<String, String>;
