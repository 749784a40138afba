use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::CliError;
use super::arguments::Check;
use super::moving::connected;
use super::output::Output;
use crate::auth::SigningKey;
use crate::config::{Access, Config, Route, Rule, StoreUrl, environment};
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
    let upstream = config.upstreams.get(route.upstream);
    let servers = upstream.map(|upstream| upstream.servers.iter().map(ToString::to_string));
    let allow = match &route.access {
        Access::Public | Access::SignedIn => Value::Null,
        Access::Allow(rules) => rules.iter().map(rule_of).collect(),
    };
    json!({
        "host": route.host,
        // The configuration's `/` is kept as nothing.
        "path": if route.path.is_empty() { "/" } else { route.path.as_str() },
        "upstream": upstream.map(|upstream| upstream.name.as_str()),
        "servers": servers.into_iter().flatten().collect::<Vec<_>>(),
        "public": matches!(route.access, Access::Public),
        "allow": allow,
    })
}

fn rule_of(rule: &Rule) -> Value {
    let methods = rule.methods.as_ref();
    let methods = methods.map(|all| all.iter().map(http::Method::as_str).collect::<Vec<_>>());
    json!({ "role": rule.role, "methods": methods })
}
