use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Parts;
use crate::auth::random;
use crate::cli::CliError;

/// The folder that a demo lives in. One that the operator has named is kept, so that they can look at
/// everything; one of the demo's own is removed with this.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pub(super) is_kept: bool,
}

impl Folder {
    /// An empty folder, only for its owner: the one that was named, or a new one.
    pub(super) fn make(named: Option<PathBuf>) -> Result<Self, CliError> {
        let is_kept = named.is_some();
        let path = match named {
            Some(path) => std::path::absolute(&path).unwrap_or(path),
            None => {
                let number = u32::from_le_bytes(random()?);
                std::env::temp_dir().join(format!("dariet-demo-{number:08x}"))
            }
        };
        let failed = |error| CliError::demo("make its folder", error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(failed)?;
        if fs::read_dir(&path).map_err(failed)?.next().is_some() {
            return Err(CliError::DemoFolder(path));
        }
        Ok(Self { path, is_kept })
    }

    /// Writes the configuration and the certificate.
    pub(super) fn write(&self, parts: &Parts) -> Result<(), CliError> {
        let names = ["localhost".to_owned(), parts.listen.ip().to_string()];
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| CliError::demo("make its certificate", error))?;
        let files = [
            (self.config(), config(parts)),
            (self.certificate(), made.cert.pem()),
            (
                self.path.join("gateway.key"),
                made.signing_key.serialize_pem(),
            ),
        ];
        for (path, text) in files {
            write_new(&path, &text).map_err(|error| CliError::demo("write its files", error))?;
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("gateway.toml")
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.path.join("gateway.crt")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, folder = %self.path.display(), "folder not removed");
        }
    }
}

/// The demo's configuration: what is left out has good defaults.
fn config(parts: &Parts) -> String {
    let Parts {
        listen,
        admin,
        echo,
        ..
    } = parts;
    format!(
        r#"# The whole configuration of this demo. Try it again with
# `dariet-gateway serve --config gateway.toml`, and a service of your own in [upstreams].

[server]
listen        = ["{listen}"]
tls           = {{ certificate = "gateway.crt", private_key = "gateway.key" }}
drain_timeout = "1s"

[admin]
listen = "{admin}"

[store]
url = "embedded:gateway.db"

[sessions]
issuer = "https://{listen}"

[mail]
url  = "file:mails/"
from = "Dariet Gateway <no-reply@example.com>"

[logging]
level = "warn"

[upstreams.echo]
servers = ["http://{echo}"]

[[routes]]
path     = "/"
upstream = "echo"
"#
    )
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
