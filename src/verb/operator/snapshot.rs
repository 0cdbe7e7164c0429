//! `tallyman operator snapshot ...`: backups, taken from a running replica and used offline.

mod describe;
pub(super) mod restore;
mod save;
mod verify;

use crate::client::Client;
use crate::exit::Failure;
use std::path::{Path, PathBuf};
use tallyman_store::backup;

/// Where backups come from.
pub(crate) const SNAPSHOT: &str = "/operator/snapshot";

const AFTER_HELP: &str = "\
Examples:
  tallyman operator snapshot save night.tallyman
  tallyman operator snapshot verify night.tallyman
  tallyman operator snapshot restore night.tallyman --config /etc/tallyman/server.toml";
const INSPECT_HELP: &str = "\
Examples:
  tallyman operator snapshot inspect night.tallyman

Reads only what the file says of itself; `verify` reads all of it.

Exit codes: 1 it is no whole backup";

/// Take, look at, verify and restore backups
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Snapshot {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Save(save::Save),
    /// Show what is in a backup, as it says itself
    #[command(after_help = INSPECT_HELP)]
    Inspect {
        /// The backup
        file: PathBuf,
    },
    Verify(verify::Verify),
    Restore(restore::Restore),
}

impl Snapshot {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Save(save) => save.run(client).await,
            Verb::Inspect { file } => {
                describe::show(
                    &backup::inspect(&file).map_err(|error| Failure::of(&error, "another backup"))?,
                );
                Ok(())
            }
            Verb::Verify(verify) => verify.run(),
            Verb::Restore(restore) => restore.run(),
        }
    }
}

/// The directory that `file` is in.
fn dir_of(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
