use std::time::Duration;

use futures_util::future::try_join_all;
use redis::{Cmd, Value};

use super::connection::Connection;
use super::fault::Fault;
use super::keys::Keys;
use super::scripts::PROBE;

/// What the server's ACL does not let us do of what we need: commands, by name, and keys.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Without these no node can do its work.
    pub(super) of_nodes: Vec<String>,
    /// Without these nothing can be exported.
    pub(super) of_export: Vec<String>,
}

impl Missing {
    /// Tries everything in a form that leaves nothing behind. To ask the server for it (`ACL DRYRUN`) would
    /// need a right of its own, and Redis 7.
    pub(super) async fn at(
        connection: &Connection,
        keys: &Keys,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let mut of_nodes = forbidden(connection, &forms_of_nodes(keys), patience).await?;
        if !of_nodes.iter().any(|name| name.starts_with("EVAL")) {
            of_nodes.extend(forbidden_in_scripts(connection, keys, patience).await?);
        }
        if !of_nodes.iter().any(|name| name == "GET") {
            let of_limits = [Form::of("GET", &[&keys.probe_limit()])];
            if !forbidden(connection, &of_limits, patience)
                .await?
                .is_empty()
            {
                of_nodes.push(format!("keys that begin with {}", keys.limits()));
            }
        }
        Ok(Self {
            of_nodes,
            of_export: forbidden(connection, &forms_of_export(keys), patience).await?,
        })
    }
}

/// A command in a form that does nothing.
struct Form {
    name: &'static str,
    command: Cmd,
}

impl Form {
    fn of(name: &'static str, arguments: &[&str]) -> Self {
        let mut command = redis::cmd(name);
        command.arg(arguments);
        Self { name, command }
    }
}

/// What nodes use outside of scripts, on keys that are not there. What they use in both is left to the
/// script.
fn forms_of_nodes(keys: &Keys) -> [Form; 13] {
    let [text, hash, _, sorted, stream] = keys.probes();
    let nobodys_script = "0".repeat(40);
    [
        Form::of("EVAL", &["return 0", "0"]),
        Form::of("EVALSHA", &[&nobodys_script, "0"]),
        Form::of("MGET", &[&text]),
        Form::of("PEXPIRE", &[&text, "1"]),
        Form::of("HGET", &[&hash, "a"]),
        Form::of("ZRANGE", &[&sorted, "0", "0"]),
        Form::of("ZRANGEBYLEX", &[&sorted, "-", "+"]),
        Form::of("ZRANGEBYSCORE", &[&sorted, "0", "0"]),
        Form::of("ZMSCORE", &[&sorted, "a"]),
        Form::of("XRANGE", &[&stream, "-", "+", "COUNT", "1"]),
        Form::of("XREAD", &["COUNT", "1", "STREAMS", &stream, "0"]),
        Form::of("WAIT", &["0", "1"]),
        Form::of("TIME", &[]),
    ]
}

fn forms_of_export(keys: &Keys) -> [Form; 2] {
    let [_, hash, _, sorted, _] = keys.probes();
    [
        Form::of("HSCAN", &[&hash, "0"]),
        Form::of("ZSCAN", &[&sorted, "0"]),
    ]
}

/// The names of those that are not allowed.
async fn forbidden(
    connection: &Connection,
    forms: &[Form],
    patience: Duration,
) -> Result<Vec<String>, Fault> {
    let tried = forms.iter().map(async |form| {
        match connection.ask::<Value>(&form.command, patience).await {
            Err(Fault::Refused { source, .. }) if source.code() == Some("NOPERM") => {
                Ok(Some(form.name.to_owned()))
            }
            // Nobody's script is not there.
            Ok(_) | Err(Fault::Odd(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    });
    let tried = try_join_all(tried).await?;
    Ok(tried.into_iter().flatten().collect())
}

/// What scripts use; it may be allowed outside of them alone, and the other way round.
async fn forbidden_in_scripts(
    connection: &Connection,
    keys: &Keys,
    patience: Duration,
) -> Result<Vec<String>, Fault> {
    let probes = keys.probes();
    let call = |call: &mut Cmd| {
        call.arg(probes.len()).arg(&probes);
    };
    connection.run(&PROBE, call, patience).await
}
