use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, Error};

use super::identity::IdentityHeaders;
use super::listen::Taken;
use super::mask::mask;
use super::mistake::{Kind, Mistake};
use super::section::Section;
use super::value::Context;
use super::{
    Admin, ApiKeys, ApiSettings, Config, Dns, Environment, Limit, Logging, Login, Mail, Mistakes,
    Passwords, Route, Server, Sessions, StoreUrl, Upstream,
};

/// The most bytes that a configuration may have.
const MAX_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads the file at `path`. Relative paths in it start from the folder it is in.
    ///
    /// Beside the file itself, only files that hold secrets (`password_file`) are read.
    ///
    /// # Errors
    ///
    /// [`Mistakes`]: everything that is wrong with it, to be shown to the operator.
    pub fn read(path: &Path, env: &Environment) -> Result<Self, Mistakes> {
        let (name, text) = whole(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &name, base, env)
    }

    /// Reads a configuration from its text. Messages call it `name`; relative paths in it start from
    /// the folder `base`.
    ///
    /// ```
    /// use std::path::Path;
    /// use dariet_gateway::config::{Config, Environment};
    ///
    /// let text = r#"
    ///     [upstreams.reports]
    ///     servers = ["http://10.0.0.5:9000"]
    ///     [[routes]]
    ///     path = "/reports"
    ///     upstream = "report"
    /// "#;
    /// let mistakes = Config::parse(text, "gateway.toml", Path::new("."), &Environment::new());
    /// assert_eq!(
    ///     mistakes.unwrap_err().iter().next().unwrap().message(),
    ///     r#"route "/reports": upstream "report" is not defined; did you mean "reports"?"#
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// [`Mistakes`]: everything that is wrong with it.
    pub fn parse(text: &str, name: &str, base: &Path, env: &Environment) -> Result<Self, Mistakes> {
        let (table, faults) = DeTable::parse_recoverable(text);
        let context = Context::new(text, base, env);
        let config = Section::root(&context, table.get_ref()).finish(Self::from_root);
        let mut mistakes = context.into_mistakes();
        mistakes.extend(faults.iter().map(|fault| syntax(text, fault)));
        Mistakes::collect(name, text, mistakes).map_or(Ok(config), Err)
    }

    /// Where the node listens for the command line that runs by the file at `path`, whatever else is wrong
    /// with it.
    ///
    /// # Errors
    ///
    /// [`Mistakes`], when it cannot be read.
    pub fn socket_in(path: &Path, env: &Environment) -> Result<PathBuf, Mistakes> {
        let (_, text) = whole(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let (table, _) = DeTable::parse_recoverable(&text);
        let context = Context::new(&text, base, env);
        let config = Section::root(&context, table.get_ref()).finish(Self::from_root);
        Ok(config.admin.socket)
    }

    pub(super) fn from_root(root: &mut Section<'_>) -> Self {
        let mut taken = Taken::default();
        let server = root.section("server", |section| Server::read(section, &mut taken));
        let store = root.section("store", StoreUrl::read);
        let admin = root.section("admin", |section| Admin::read(section, &store, &mut taken));
        let mail = root.place_of("mail");
        let shared = matches!(store, StoreUrl::Redis(_)).then(|| root.place_of("store"));
        let sessions = root.section("sessions", |section| {
            if let Some(store) = shared.flatten() {
                Sessions::require_what_nodes_share(section, store);
            }
            Sessions::read(section, &server.listen, mail)
        });
        let mail = root.optional_section("mail", |section| Mail::read(section, &sessions));
        let identity_headers = root.section("identity_headers", IdentityHeaders::read);
        let upstreams = Upstream::read_all(root);
        Self {
            server,
            admin,
            store,
            sessions,
            api: root.section("api", ApiSettings::read),
            api_keys: root.section("api_keys", ApiKeys::read),
            passwords: root.section("passwords", Passwords::read),
            login: root.section("login", Login::read),
            mail: mail.flatten(),
            logging: root.section("logging", Logging::read),
            dns: root.section("dns", Dns::read),
            limits: Limit::read_all(root),
            routes: Route::read_all(root, &upstreams, &identity_headers),
            identity_headers,
            upstreams,
        }
    }
}

/// The variables of this process. Those that are no UTF-8 are left out: no configuration can use them.
#[must_use]
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A file's name and text.
fn whole(path: &Path) -> Result<(String, String), Mistakes> {
    let name = path.display().to_string();
    let text = text_of(path).map_err(|error| {
        let message = format!("the configuration cannot be read: {error}");
        let way_out = match error.kind() {
            io::ErrorKind::PermissionDenied => "let the user who runs this read the file",
            _ => "name a TOML file with --config or DARIET_CONFIG",
        };
        Mistakes::whole_file(&name, message, way_out)
    })?;
    Ok((name, text))
}

/// A path to something endless must not fill the memory.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(text)
}

/// A place where the text is no TOML. The most frequent fault is a text without quotes.
fn syntax(text: &str, fault: &Error) -> Mistake {
    let place = fault.span().unwrap_or_default();
    let message = format!("this is not TOML: {}", fault.message());
    let way_out = bare_value(text, place.start).map_or_else(String::new, |value| {
        format!("a text needs quotes: \"{value}\"")
    });
    Mistake::new(Kind::Syntax, place, message, way_out)
}

/// The value without quotes that the byte at `at` is in.
fn bare_value(text: &str, at: usize) -> Option<String> {
    let (before, behind) = text.split_at_checked(at)?;
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = at + behind.find('\n').unwrap_or(behind.len());
    let line = mask(text.get(begin..end)?);
    let (key, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let bare = value.starts_with(|c: char| c.is_ascii_alphanumeric() || "/.$*".contains(c));
    let plain = !value.contains(|c| "\"'\\,[]{}=".contains(c));
    (begin + key.len() < at && bare && plain).then(|| value.to_owned())
}
