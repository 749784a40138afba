use std::path::{Path, absolute};

use serde_json::json;

use super::CliError;
use super::arguments::SigningKeyCommand;
use super::output::Output;
use crate::auth::SigningKey;

pub(super) fn run(command: SigningKeyCommand, output: &Output) -> Result<(), CliError> {
    let SigningKeyCommand::Create { file, algorithm } = command;
    let key = SigningKey::create(&file, algorithm.into())?;
    let file = absolute(&file).unwrap_or(file);
    output.say(&format!(
        "made {} (key id {}); list it in the configuration of every node:",
        file.display(),
        key.kid()
    ));
    let json = json!({ "file": file, "kid": key.kid(), "jwk": key.jwk() });
    output.result(&json, || listing(&file))
}

/// What to write into the configuration.
fn listing(file: &Path) -> String {
    let file = toml::Value::from(file.to_string_lossy().into_owned());
    format!("[[sessions.signing_keys]]\nfile = {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_write_is_toml_whatever_the_file_is_called() {
        let file = Path::new("/a \"b\"\\c.pem");
        let table: toml::Table = listing(file).parse().unwrap();
        let key = &table["sessions"]["signing_keys"][0]["file"];
        assert_eq!(key.as_str(), file.to_str());
    }
}
