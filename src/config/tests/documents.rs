//! The documents and the reader say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::config::section::Section;
use crate::config::value::Context;
use crate::config::{Config, Environment, Mistakes};

const REFERENCE: &str = include_str!("../../../config/gateway.toml");
pub(super) const MANUAL: &str = include_str!("../../../docs/configuration.md");
const SECURITY: &str = include_str!("../../../SECURITY.md");

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
    fn meaning(&self, name: &str, text: &str) -> String {
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
type Settings = BTreeSet<(String, Option<String>)>;

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
fn reference() -> Settings {
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

#[test]
fn every_bound_that_is_promised_is_the_one_that_holds() {
    let settings = reference();
    let (mut set, mut fixed) = (0, 0);
    for row in SECURITY.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let [_, bound, place] = cells[..] else {
            continue;
        };
        if let Some(setting) = place.strip_prefix("`[") {
            let (section, key) = setting.trim_end_matches('`').split_once("] ").unwrap();
            let path = format!("{section}.{key}");
            let value = bound.trim_matches('`').to_owned();
            let quoted = format!("{value:?}");
            let holds = |value: String| settings.contains(&(path.clone(), Some(value)));
            assert!(holds(value) || holds(quoted), "{path} is not {bound}");
            set += 1;
        } else if let Some((file, name)) = place.split_once("` `") {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file.trim_start_matches('`'));
            let source = fs::read_to_string(file).unwrap();
            let name = name.trim_end_matches('`');
            assert_eq!(constant(&source, name), number(bound), "{name}");
            fixed += 1;
        }
    }
    assert!(set > 20 && fixed > 10, "{set} and {fixed} rows were held");
}

/// The value of a constant, which is a product of numbers.
fn constant(source: &str, name: &str) -> u64 {
    let (_, from) = source.split_once(&format!("const {name}: ")).unwrap();
    let (_, from) = from.split_once(" = ").unwrap();
    let (value, _) = from.split_once(';').unwrap();
    let factors = value.replace('_', "");
    let factors = factors
        .split('*')
        .map(|factor| factor.trim().parse::<u64>());
    factors.map(Result::unwrap).product()
}

/// A number, or a size in KiB.
fn number(text: &str) -> u64 {
    match text.strip_suffix(" KiB") {
        Some(size) => size.parse::<u64>().unwrap() * 1024,
        None => text.parse().unwrap(),
    }
}

#[test]
fn every_toml_in_the_documents_is_valid() {
    let world = World::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut blocks = 0;
    for file in documents(root)
        .into_iter()
        .chain(documents(&root.join("docs")))
    {
        let text = fs::read_to_string(&file).unwrap();
        for block in toml_blocks(&text) {
            world.meaning(&file.display().to_string(), &block);
            blocks += 1;
        }
    }
    assert!(blocks > 0);
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
        .collect()
}

fn toml_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "```toml" {
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            blocks.push(block.map(|line| format!("{line}\n")).collect());
        }
    }
    blocks
}

#[test]
fn the_mistakes_in_the_manual_look_as_they_are_shown() {
    let text = "[server]\nlisten = [\"localhost:8443\"]\nidle_timeout = 75\n\n\
                [upstreams.reports]\nservers = [\"http://10.0.0.5:9000\"]\n\n\
                [[routes]]\npath = \"/reports\"\nupstream = \"report\"\n";
    let shown = World::new()
        .parse("gateway.toml", text)
        .unwrap_err()
        .to_string();
    assert!(MANUAL.contains(text), "{text}");
    assert!(MANUAL.contains(&shown), "{shown}");
}

#[test]
fn the_example_for_production_is_valid_and_gives_no_cause_for_warnings() {
    let world = World::new();
    let text = include_str!("../../../deploy/gateway.toml");

    let config = world.parse("deploy/gateway.toml", text).unwrap();

    assert_eq!(config.warnings(), Vec::<String>::new());
    assert!(!format!("{config:?}").contains("hunter2"));
}
