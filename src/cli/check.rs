use std::path::Path;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::CliError;
use super::arguments::Check;
use super::moving::connected;
use super::output::Output;
use super::reload;
use crate::auth::SigningKey;
use crate::config::{
    Access, Config, Cors, Limit, Origins, Reach, Redirect, Route, Rule, StoreUrl, Target,
    environment,
};
use crate::domain::SystemClock;
use crate::node::NodeError;
use crate::proxy::Upstreams;
use crate::server::EdgeTls;
use crate::store::{Finding, Severity};

/// Reads everything that `serve` would read before it makes anything, and tells what it means.
pub(super) fn run(check: &Check, file: &Path, output: &Output) -> Result<(), CliError> {
    let config = Config::read(file, &environment())?;
    if config.server.tls.is_some() {
        EdgeTls::open(config.server.tls.as_ref(), Arc::new(SystemClock))?;
    }
    Upstreams::new(&config.upstreams, &config.dns)?;
    for key in &config.sessions.signing_keys {
        SigningKey::read(&key.file).map_err(CliError::ListedKey)?;
    }
    if check.diff {
        return reload::diff(file, &config, output);
    }
    let findings = if check.online {
        findings(&config.store)?
    } else {
        Vec::new()
    };
    let json = json_of(file, &config, &findings);
    output.result(&json, || {
        format!("{} is right\n\n{}", file.display(), config.summary())
    })?;
    for warning in config.warnings() {
        output.say(&format!("warning: {warning}"));
    }
    for finding in &findings {
        output.say(&finding.to_string());
    }
    if findings.iter().any(|it| it.severity == Severity::Error) {
        return Err(CliError::Unfit(config.store.to_string()));
    }
    Ok(())
}

/// What there is to say about the servers of the store; a file has none.
fn findings(store: &StoreUrl) -> Result<Vec<Finding>, CliError> {
    let StoreUrl::Redis(settings) = store else {
        return Ok(Vec::new());
    };
    let (redis, runtime) = connected(settings)?;
    let findings = runtime.block_on(redis.examine());
    Ok(findings.map_err(NodeError::StoreAway)?)
}

fn json_of(file: &Path, config: &Config, findings: &[Finding]) -> Value {
    let listen = config.server.listen.iter().map(ToString::to_string);
    let routes = config.routes_as_matched();
    let routes = routes.into_iter().map(|route| route_of(config, route));
    json!({
        "file": file,
        "listen": listen.collect::<Vec<_>>(),
        "admin": config.admin.listen.to_string(),
        "socket": config.admin.socket,
        "store": config.store.to_string(),
        "issuer": config.sessions.issuer,
        "mail": config.mail.is_some(),
        "routes": routes.collect::<Vec<_>>(),
        "warnings": config.warnings(),
        "findings": findings.iter().map(finding_of).collect::<Vec<_>>(),
    })
}

fn finding_of(finding: &Finding) -> Value {
    json!({ "severity": finding.severity.as_str(), "message": finding.message })
}

fn route_of(config: &Config, route: &Route) -> Value {
    let (upstream, redirect) = match &route.target {
        Target::Upstream(index) => (config.upstreams.get(*index), None),
        Target::Redirect(redirect) => (None, Some(redirect)),
    };
    let place = &route.place;
    let hosts: Vec<String> = place.hosts.iter().map(ToString::to_string).collect();
    let servers = upstream.map(|upstream| upstream.servers.iter().map(ToString::to_string));
    let allow = match &route.access {
        Access::Public | Access::SignedIn => Value::Null,
        Access::Allow(rules) => rules.iter().map(rule_of).collect(),
    };
    json!({
        "hosts": hosts,
        // The configuration's `/` is kept as nothing.
        "path": if place.path.is_empty() { "/" } else { place.path.as_str() },
        "exact": place.reach == Reach::Exact,
        "methods": place.methods.as_deref().map(words),
        "upstream": upstream.map(|upstream| upstream.name.as_str()),
        "servers": servers.into_iter().flatten().collect::<Vec<_>>(),
        "redirect": redirect.map(redirect_of),
        "strip_prefix": route.rewrite.strip,
        "add_prefix": route.rewrite.add,
        "max_body": route.max_body,
        "cors": route.cors.as_ref().map(cors_of),
        "limits": config.limits.iter().chain(&route.limits).map(limit_of).collect::<Vec<_>>(),
        "public": matches!(route.access, Access::Public),
        "allow": allow,
    })
}

fn rule_of(rule: &Rule) -> Value {
    json!({ "role": rule.role, "methods": rule.methods.as_deref().map(words) })
}

fn redirect_of(redirect: &Redirect) -> Value {
    json!({
        "to": redirect.to,
        "status": redirect.status.as_u16(),
        "keep_path": redirect.keep_path,
    })
}

fn cors_of(cors: &Cors) -> Value {
    let origins = match &cors.origins {
        Origins::Any => vec!["*"],
        Origins::Listed(origins) => origins.iter().map(String::as_str).collect(),
    };
    json!({ "origins": origins, "methods": words(&cors.methods), "credentials": cors.credentials })
}

fn limit_of(limit: &Limit) -> Value {
    json!({ "per": limit.per.as_str(), "rate": limit.rate.to_string(), "burst": limit.burst })
}

fn words(methods: &[Method]) -> Vec<&str> {
    methods.iter().map(Method::as_str).collect()
}
