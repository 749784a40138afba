//! `store`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreCommand {
    /// Save everything in the store to a new file, while the gateway runs or not
    #[command(after_help = "\
The file holds hashes of passwords and keys: keep it safe. A running gateway writes it itself, and must
be allowed to write there.

Example:
  dariet-gateway store backup /var/lib/dariet/backup-2026-11-23.db")]
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Write everything in the store to a new file, one record a line, to move it to another store
    #[command(after_help = "\
The file holds hashes of passwords and keys: keep it safe. Each line is a JSON document; rate limits are
not in it.

Example, from one configuration's store to another's:
  dariet-gateway store export users.jsonl --config old.toml
  dariet-gateway store import users.jsonl --config new.toml")]
    Export {
        /// The new file
        file: PathBuf,
    },
    /// Fill an empty store with what was exported
    #[command(after_help = "\
All sessions end. API keys that were revoked since the export was made work again: they are printed, so
that they can be revoked again. Either everything is imported, or no node begins on the store. Start the
nodes afterwards: one that runs already takes it for another store than its own.

Example:
  dariet-gateway store import users.jsonl --config new.toml")]
    Import {
        /// The export
        file: PathBuf,
    },
    /// Put a backup in the place of the store; the gateway must be stopped
    #[command(after_help = "\
All sessions end. API keys that were revoked since the backup was made work again: they are printed, so
that they can be revoked again.

Example:
  dariet-gateway store restore /var/lib/dariet/backup-2026-11-23.db --replace")]
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace the store that is there
        #[arg(long)]
        replace: bool,
    },
}
