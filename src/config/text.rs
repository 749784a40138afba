use std::fmt::Display;
use std::ops::Range;

use super::Environment;
use super::mask::mask;
use super::value::Value;

/// A string of the file, with every `${NAME}` in it replaced from the environment.
///
/// Messages quote what is written, not what the environment put in its place: that may be secret.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    origin: Value<'a>,
    written: &'a str,
    value: String,
    substituted: bool,
}

/// Why a string cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable<'t> {
    /// `${NAME}` of a variable that is not set.
    NotSet(&'t str),
    /// `${` that no name and `}` follow.
    Open,
}

impl<'a> Text<'a> {
    /// Reads the string `written` of `origin`, or reports why it cannot be read.
    pub(super) fn new(origin: Value<'a>, written: &'a str) -> Option<Self> {
        match substitute(written, origin.context.env) {
            Ok((value, substituted)) => Some(Self {
                origin,
                written,
                value,
                substituted,
            }),
            Err(Unreadable::NotSet(name)) => {
                let needle = format!("${{{name}}}");
                origin.wrong_at(
                    &needle,
                    format!("needs the environment variable {name}, which is not set"),
                    format!("set {name}, or write \"$${{\" for a plain \"${{\""),
                );
                None
            }
            Err(Unreadable::Open) => {
                origin.wrong_at(
                    "${",
                    "holds \"${\" that is no variable",
                    "write \"${NAME}\" for a variable, or \"$${\" for a plain \"${\"",
                );
                None
            }
        }
    }

    /// What the text says.
    pub(super) fn as_str(&self) -> &str {
        &self.value
    }

    /// What stands in the file.
    pub(super) const fn written(&self) -> &'a str {
        self.written
    }

    /// Whether a variable of the environment is part of it.
    pub(super) const fn is_substituted(&self) -> bool {
        self.substituted
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Range<usize> {
        self.origin.place.clone()
    }

    /// The folder that relative paths start from.
    pub(super) const fn base(&self) -> &'a std::path::Path {
        self.origin.context.base
    }

    /// The path it names, relative to the folder of the configuration.
    pub(super) fn path(&self) -> Option<std::path::PathBuf> {
        if self.value.is_empty() || self.value.contains('\0') {
            self.wrong("names no file", "write the path of a file");
            return None;
        }
        Some(self.origin.context.base.join(&self.value))
    }

    /// A path, from the folder of the configuration unless it is absolute.
    pub(super) fn relative_to_file(&self, path: &std::path::Path) -> std::path::PathBuf {
        self.origin.context.base.join(path)
    }

    /// Reports that this text is wrong: `[server] listen "localhost" …`.
    pub(super) fn wrong(&self, predicate: impl Display, way_out: impl Into<String>) {
        let quoted = quoted(self.written);
        let from = if self.is_substituted() {
            " (as the environment has it)"
        } else {
            ""
        };
        self.origin
            .wrong(format!("{quoted}{from} {predicate}"), way_out);
    }

    /// Reports that this is wrong without quoting it, for what may hold a secret.
    pub(super) fn wrong_unquoted(&self, predicate: impl Display, way_out: impl Into<String>) {
        self.origin.wrong(predicate, way_out);
    }

    /// Reports that this names something that is not there.
    pub(super) fn missing(&self, predicate: impl Display, way_out: impl Into<String>) {
        let quoted = quoted(self.written);
        self.origin
            .missing(format!("{quoted} {predicate}"), way_out);
    }
}

/// A text in quotes, on one line, not too long, without passwords.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let masked = mask(text);
    match masked.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("\"{}…\"", escaped(masked.get(..end).unwrap_or_default())),
        None => format!("\"{}\"", escaped(&masked)),
    }
}

/// Control characters could forge lines of a log.
pub(super) fn escaped(text: &str) -> String {
    text.escape_debug().to_string()
}

/// Replaces each `${NAME}`, and says whether there was one. `$${` stands for `${` itself.
fn substitute<'t>(text: &'t str, env: &Environment) -> Result<(String, bool), Unreadable<'t>> {
    let mut substituted = false;
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("${") {
        if let Some(head) = head.strip_suffix('$') {
            value.push_str(head);
            value.push_str("${");
            rest = tail;
            continue;
        }
        let (name, behind) = tail.split_once('}').ok_or(Unreadable::Open)?;
        if !is_name(name) {
            return Err(Unreadable::Open);
        }
        value.push_str(head);
        value.push_str(env.get(name).ok_or(Unreadable::NotSet(name))?);
        substituted = true;
        rest = behind;
    }
    value.push_str(rest);
    Ok((value, substituted))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(text: &str) -> Result<String, Unreadable<'_>> {
        let set = [
            ("HOST", "db.internal"),
            ("NESTED", "${HOST}"),
            ("EMPTY", ""),
        ];
        let env = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        substitute(text, &Environment::from(env)).map(|(value, _)| value)
    }

    #[test]
    fn variables_are_replaced_once() {
        for (text, value) in [
            ("http://${HOST}:80", "http://db.internal:80"),
            ("${HOST}${HOST}", "db.internaldb.internal"),
            ("${NESTED}", "${HOST}"),
            ("a${EMPTY}b", "ab"),
            ("$HOST costs 5$", "$HOST costs 5$"),
            ("$${HOST} is $${${HOST}", "${HOST} is ${db.internal"),
        ] {
            assert_eq!(substituted(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_not_set_or_not_closed_is_refused() {
        assert_eq!(substituted("a ${PORT}"), Err(Unreadable::NotSet("PORT")));
        for text in ["${", "${HOST", "${}", "${A B}", "${1}", "${HO${ST}}"] {
            assert_eq!(substituted(text), Err(Unreadable::Open), "{text}");
        }
    }
}
