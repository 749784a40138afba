//! The documents and the reader say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::section::Section;
use crate::config::value::Context;
use crate::config::{Config, Environment, Mistakes};

const REFERENCE: &str = include_str!("../../../config/gateway.toml");
pub(super) const MANUAL: &str = include_str!("../../../docs/configuration.md");

/// The settings whose value in the reference is an example, since they have no default or one that
/// depends on the machine.
const EXAMPLES: [&str; 90] = [
    "api.cors",
    "api.cors.credentials",
    "api.cors.expose",
    "api.cors.headers",
    "api.cors.max_age",
    "api.cors.methods",
    "api.cors.origins",
    "limits.burst",
    "limits.per",
    "limits.rate",
    "mail.ca",
    "mail.from",
    "mail.password",
    "mail.password_file",
    "mail.url",
    "passwords.threads",
    "routes.add_prefix",
    "routes.allow",
    "routes.allow.methods",
    "routes.allow.role",
    "routes.connect_timeout",
    "routes.cors",
    "routes.cors.credentials",
    "routes.cors.expose",
    "routes.cors.headers",
    "routes.cors.max_age",
    "routes.cors.methods",
    "routes.cors.origins",
    "routes.exact",
    "routes.host",
    "routes.hosts",
    "routes.idle_timeout",
    "routes.limits",
    "routes.limits.burst",
    "routes.limits.per",
    "routes.limits.rate",
    "routes.max_body",
    "routes.methods",
    "routes.path",
    "routes.public",
    "routes.redirect",
    "routes.redirect.keep_path",
    "routes.redirect.status",
    "routes.redirect.to",
    "routes.request_headers",
    "routes.request_headers.add",
    "routes.request_headers.remove",
    "routes.request_headers.set",
    "routes.response_headers",
    "routes.response_headers.add",
    "routes.response_headers.remove",
    "routes.response_headers.set",
    "routes.response_timeout",
    "routes.strip_prefix",
    "routes.timeout",
    "routes.upstream",
    "server.listen",
    "server.listen.address",
    "server.listen.redirect",
    "server.tls.certificate",
    "server.tls.certificates.certificate",
    "server.tls.certificates.private_key",
    "server.tls.client_ca",
    "server.tls.client_certificates",
    "server.tls.client_crl",
    "server.tls.hsts",
    "server.tls.private_key",
    "server.workers",
    "sessions.signing_keys.file",
    "sessions.signing_keys.sign_from",
    "store.ca",
    "store.client_certificate",
    "store.client_key",
    "store.password",
    "store.password_file",
    "store.sentinel_password",
    "store.sentinel_password_file",
    "store.sentinel_user",
    "store.url",
    "store.user",
    "upstreams.*.health_check.host",
    "upstreams.*.health_check.path",
    "upstreams.*.servers",
    "upstreams.*.servers.url",
    "upstreams.*.servers.weight",
    "upstreams.*.timeout",
    "upstreams.*.tls.ca",
    "upstreams.*.tls.client_certificate",
    "upstreams.*.tls.client_key",
    "upstreams.*.tls.server_name",
];

/// What the environment of a service holds, as the documents use it.
pub(super) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for secret in ["smtp-password", "redis-password"] {
            fs::write(folder.path().join(secret), "hunter2\n").unwrap();
        }
        Self { folder }
    }

    fn env(&self) -> Environment {
        let folder = self.folder.path().to_str().unwrap();
        let set = [
            ("CREDENTIALS_DIRECTORY", folder),
            ("SMTP_PASSWORD", "hunter2"),
            ("REDIS_PASSWORD", "hunter2"),
        ];
        Environment::from(set.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    pub(super) fn parse(&self, name: &str, text: &str) -> Result<Config, Mistakes> {
        Config::parse(text, name, Path::new(""), &self.env())
    }

    /// What the text means, or a panic that shows its mistakes.
    pub(super) fn meaning(&self, name: &str, text: &str) -> String {
        match self.parse(name, text) {
            Ok(config) => format!("{config:#?}"),
            Err(mistakes) => panic!("{mistakes}"),
        }
    }
}

/// The reference with every setting in use.
pub(super) fn all_in_use() -> String {
    let lines = REFERENCE.lines().filter(|line| !line.starts_with("#or "));
    lines.map(in_use).collect()
}

/// The same with each alternative in the place of the line before it.
pub(super) fn alternatives_in_use() -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in REFERENCE.lines() {
        let alternative = line.strip_prefix("#or ");
        if alternative.is_some() {
            lines.pop();
        }
        lines.push(alternative.unwrap_or(line));
    }
    lines.into_iter().map(in_use).collect()
}

fn in_use(line: &str) -> String {
    let setting = line
        .strip_prefix('#')
        .filter(|setting| setting.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
    format!("{}\n", setting.unwrap_or(line))
}

/// Every key and section of a text, without the names of headers, with `*` for the names of upstreams, and what stands there as a value.
pub(super) type Settings = BTreeSet<(String, Option<String>)>;

fn settings(text: &str) -> Settings {
    let table = DeTable::parse(text).unwrap();
    let mut settings = BTreeSet::new();
    walk(text, "", table.get_ref(), &mut settings);
    settings
}

fn walk(text: &str, section: &str, table: &DeTable<'_>, settings: &mut Settings) {
    for (key, value) in table {
        let path = match (section, key.get_ref().as_ref()) {
            ("", key) => key.to_owned(),
            ("upstreams", _) => "upstreams.*".to_owned(),
            (section, key) => format!("{section}.{key}"),
        };
        let written = &text[value.span()];
        let mut leaf = true;
        match value.get_ref() {
            // The operator's own names.
            DeValue::Table(_)
                if path.ends_with("_headers.set") || path.ends_with("_headers.add") => {}
            DeValue::Table(table) => {
                leaf = false;
                walk(text, &path, table, settings);
            }
            DeValue::Array(array) => {
                leaf = !written.starts_with("[[");
                for table in array.iter().filter_map(|value| value.get_ref().as_table()) {
                    walk(text, &path, table, settings);
                }
            }
            _ => {}
        }
        settings.insert((path, leaf.then(|| written.to_owned())));
    }
}

/// All of the reference, with both sides of its alternatives.
pub(super) fn reference() -> Settings {
    let mut all = settings(&all_in_use());
    all.extend(settings(&alternatives_in_use()));
    all
}

/// Every key that the reader asks for while it reads `text`.
fn known(world: &World, text: &str) -> BTreeSet<String> {
    let (table, env) = (DeTable::parse(text).unwrap(), world.env());
    let context = Context::new(text, Path::new(""), &env);
    Section::root(&context, table.get_ref()).finish(Config::from_root);
    context.known.into_inner()
}

#[test]
fn the_reference_is_valid_as_it_is_and_with_every_setting_in_use() {
    let world = World::new();
    for text in [REFERENCE.to_owned(), all_in_use(), alternatives_in_use()] {
        world.meaning("config/gateway.toml", &text);
    }
}

#[test]
fn the_reference_as_it_is_means_the_same_as_an_empty_file() {
    let world = World::new();
    assert_eq!(
        world.meaning("config/gateway.toml", REFERENCE),
        world.meaning("empty", "")
    );
}

#[test]
fn the_reference_shows_every_setting_and_no_other() {
    let world = World::new();

    // What the operator names is no key that the reader could know.
    let names = reference().into_iter().map(|(name, _)| name);
    let shown: BTreeSet<String> = names.filter(|name| name != "upstreams.*").collect();

    let mut all = known(&world, &all_in_use());
    all.extend(known(&world, &alternatives_in_use()));
    assert_eq!(shown, all);
}

#[test]
fn what_the_reference_shows_as_defaults_are_the_defaults() {
    let world = World::new();
    let mut section = String::new();
    let mut only_examples = String::new();
    for line in all_in_use().lines() {
        let head = line.trim_matches(['[', ']']);
        let key = line.split_once(" = ").map(|(key, _)| key);
        if line.starts_with('[') {
            section = head.replace("upstreams.reports", "upstreams.*");
        }
        let example =
            key.is_some_and(|key| EXAMPLES.contains(&format!("{section}.{key}").as_str()));
        // [mail] asks for an issuer; this is the default.
        let issuer = section == "sessions" && key == Some("issuer");
        if line.starts_with('[') || example || issuer {
            only_examples.push_str(line);
            only_examples.push('\n');
        }
    }

    assert_eq!(
        world.meaning("examples", &only_examples),
        world.meaning("config/gateway.toml", &all_in_use())
    );
    let issuer = world.parse("empty", "").unwrap().sessions.issuer;
    assert!(all_in_use().contains(&format!("issuer = \"{issuer}\"")));
}

#[test]
fn the_manual_has_a_row_for_every_setting_with_its_default() {
    for (path, value) in reference() {
        let Some(value) = value else {
            continue;
        };
        let (section, key) = path.rsplit_once('.').unwrap();
        let rows = rows_of(section);
        let row = rows
            .iter()
            .find(|row| row.starts_with(&format!("| `{key}` |")))
            .unwrap_or_else(|| panic!("docs/configuration.md: no row for {path}"));
        let is_default = row.contains(&format!("| `{value}` |"));
        assert!(
            is_default || EXAMPLES.contains(&path.as_str()),
            "default of {path}: {value}\n{row}"
        );
    }
}

/// The rows of the table below the heading of a section.
fn rows_of(section: &str) -> Vec<&'static str> {
    let section = section.replace('*', "NAME");
    let mut inside = false;
    let mut rows = Vec::new();
    for line in MANUAL.lines() {
        if line.starts_with('#') {
            let is = |head: String| line.contains(&head);
            inside = is(format!("`[{section}]`")) || is(format!("`[[{section}]]`"));
        }
        if inside && line.starts_with('|') {
            rows.push(line);
        }
    }
    rows
}
