use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::section::Section;
use super::text::Text;
use crate::domain::Password;

/// What to write in the place of a password.
pub(super) const USE_A_FILE: &str =
    r#"write password_file = "FILE", or password = "${NAME}" with a variable of the environment"#;

/// The password from the file that the key `file` names, or from the key `plain`, which must name a
/// variable: a configuration is copied and shown to others.
pub(super) fn password(
    section: &mut Section<'_>,
    [file, plain]: [&'static str; 2],
) -> Option<Password> {
    let in_file = section.text(file);
    let in_text = section.text(plain);
    if section.has(file) && section.has(plain) {
        section.wrong_key(
            plain,
            &format!("{plain} and {file} are both there"),
            "remove one of them",
        );
        return None;
    }
    if let Some(file) = in_file {
        return password_in(&file);
    }
    let text = in_text?;
    if !text.is_substituted() {
        let way_out = format!(
            r#"write {file} = "FILE", or {plain} = "${{NAME}}" with a variable of the environment"#
        );
        text.wrong_unquoted("stands in the configuration itself", way_out);
        return None;
    }
    checked(&text, text.as_str())
}

fn password_in(text: &Text<'_>) -> Option<Password> {
    let path = text.path()?;
    match read_bounded(&path) {
        Ok(content) => {
            let content = content.strip_suffix('\n').unwrap_or(&content);
            checked(text, content.strip_suffix('\r').unwrap_or(content))
        }
        Err(error) => {
            text.wrong(
                format!("cannot be read: {error}"),
                format!(
                    "put the password into {}, readable by the gateway",
                    path.display()
                ),
            );
            None
        }
    }
}

fn checked(text: &Text<'_>, password: &str) -> Option<Password> {
    if password.is_empty() {
        text.wrong(
            "holds no password: it is empty",
            "put the password into it, on one line",
        );
        return None;
    }
    if password.chars().any(char::is_control) {
        text.wrong(
            "holds more than one line",
            "put the password alone into it, on one line",
        );
        return None;
    }
    Some(Password::new(password.to_owned()))
}

/// A path to something endless must not fill the memory.
fn read_bounded(path: &Path) -> io::Result<String> {
    const MAX: u64 = 4096;
    let mut content = String::new();
    File::open(path)?
        .take(MAX + 1)
        .read_to_string(&mut content)?;
    if content.len() as u64 > MAX {
        return Err(io::Error::other("it has more than 4096 bytes"));
    }
    Ok(content)
}
