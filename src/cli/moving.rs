//! `store export` and `store import`: everything in the store, through a file that people can read.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::CliError;
use super::output::Output;
use super::owner::keep_owner;
use super::store::{backup_of_node, tell};
use crate::config::{Config, RedisStore, StoreUrl};
use crate::domain::{Clock, SystemClock};
use crate::node::NodeError;
use crate::runtime;
use crate::store::{
    self, Embedded, ExportError, ExportReader, ExportWriter, ImportError, Item, Redis,
};

/// Writes everything the store of `config` holds into a new file `to` (0600).
pub(super) fn export(config: &Config, to: &Path, output: &Output) -> Result<(), CliError> {
    let items = match &config.store {
        StoreUrl::Embedded(store) => match NodeCopy::beside(to, config)? {
            Some(copy) => export_file(&copy.0, config, to)?,
            None if store.exists() => export_file(store, config, to)?,
            None => return Err(CliError::NoStore(store.clone())),
        },
        StoreUrl::Redis(redis) => export_redis(redis, config, to)?,
    };
    output.say(&format!("wrote {items} records to {}", to.display()));
    Ok(())
}

/// Fills the store of `config`, which must be empty, with what the file `from` holds.
pub(super) fn import(config: &Config, from: &Path, output: &Output) -> Result<(), CliError> {
    let failed = |source: ImportError| CliError::Import {
        file: from.to_owned(),
        source: source.into(),
    };
    let file = File::open(from).map_err(|error| failed(error.into()))?;
    let items = ExportReader::begin(BufReader::new(file)).map_err(failed)?;
    let now = SystemClock.now();
    let report = match &config.store {
        StoreUrl::Embedded(store) => {
            keep_owner(store)?;
            store::import(store, items, now)
        }
        StoreUrl::Redis(redis) => {
            let (redis, runtime) = connected(redis)?;
            runtime.block_on(redis.import(items, now))
        }
    };
    tell(&report.map_err(failed)?, &config.store, from, output)
}

fn export_file(store: &Path, config: &Config, to: &Path) -> Result<u64, CliError> {
    let store = Embedded::open(store)?;
    export_with(config, to, |see| store.export(see))
}

fn export_redis(settings: &RedisStore, config: &Config, to: &Path) -> Result<u64, CliError> {
    let (redis, runtime) = connected(settings)?;
    export_with(config, to, |see| runtime.block_on(redis.export(see)))
}

/// A store whose connections are made when it is asked.
pub(super) fn connected(settings: &RedisStore) -> Result<(Arc<Redis>, Runtime), CliError> {
    let runtime = runtime::control().map_err(NodeError::system("a runtime"))?;
    let redis = Redis::new(settings, Arc::new(SystemClock), runtime.handle().clone());
    Ok((redis.map_err(NodeError::from)?, runtime))
}

/// Whoever is shown the items of a store.
type See<'a> = dyn FnMut(Item) -> io::Result<()> + Send + 'a;

fn export_with(
    config: &Config,
    to: &Path,
    show: impl FnOnce(&mut See<'_>) -> Result<(), ExportError>,
) -> Result<u64, CliError> {
    let from = config.store.to_string();
    let made = NewFile::create(to).and_then(|new| {
        let mut export = ExportWriter::begin(BufWriter::new(&new.file), &from, SystemClock.now())?;
        show(&mut |item| export.add(&item))?;
        let (out, items) = export.end()?;
        drop(out);
        new.keep()?;
        Ok(items)
    });
    made.map_err(|source: ExportError| CliError::Export {
        file: to.to_owned(),
        source: source.into(),
    })
}

/// A copy of the running node's store, which is removed when dropped.
struct NodeCopy(PathBuf);

impl NodeCopy {
    /// Has the node, if one runs, save its store beside `place`.
    fn beside(place: &Path, config: &Config) -> Result<Option<Self>, CliError> {
        let place = absolute(place).unwrap_or_else(|_| place.to_owned());
        let name = format!(".export-{}.db", std::process::id());
        let copy = Self(place.with_file_name(name));
        let is_made = backup_of_node(config, &copy.0)?;
        Ok(is_made.then_some(copy))
    }
}

impl Drop for NodeCopy {
    fn drop(&mut self) {
        // Where none was made there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file that is its owner's alone, and is removed again unless it is kept.
struct NewFile {
    file: File,
    path: Option<PathBuf>,
}

impl NewFile {
    fn create(path: &Path) -> Result<Self, ExportError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            path: Some(path.to_owned()),
        })
    }

    fn keep(mut self) -> io::Result<()> {
        (&self.file).flush()?;
        self.file.sync_all()?;
        self.path = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What could not be written is of no use.
            let _ = std::fs::remove_file(path);
        }
    }
}
