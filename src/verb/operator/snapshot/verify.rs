//! `tallyman operator snapshot verify`.

use super::dir_of;
use crate::exit::Failure;
use crate::screen::Screen;
use std::path::{Path, PathBuf};
use tallyman_model::record::Resource;
use tallyman_model::{Key, Ordinal, Tag};
use tallyman_store::InventoryOptions;
use tallyman_store::backup;

const AFTER_HELP: &str = "\
Examples:
  tallyman operator snapshot verify night.tallyman

Does what restoring it does, in a temporary directory beside the file: every checksum, the whole chain of the ledger,
and the state hash, made again from all rows. No server is asked.

Exit codes: 1 it must not be relied on";

/// Verify a backup to the last byte
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Verify {
    /// The backup
    file: PathBuf,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        Screen::stdout().line(&format!("verified: {}", verify(&self.file)?));
        Ok(())
    }
}

/// Verifies a backup, and says what is in it.
pub(super) fn verify(file: &Path) -> Result<String, Failure> {
    let attempt = "another backup; this one must not be relied on";
    let scratch = tempfile::tempdir_in(dir_of(file))
        .map_err(|error| Failure::of(&error, "check that the backup's directory can be written"))?;
    let verified = backup::verify(file, InventoryOptions::new(scratch.path()));
    let (backup, inventory) = verified.map_err(|error| Failure::of(&error, attempt))?;
    let count = |resource: Resource| {
        let key = |ordinal| Key::lookup(Tag::Resource, resource as u64, Ordinal(ordinal));
        inventory.reader().now(|view, _| view.count(key(0), key(u64::MAX), usize::MAX))
    };
    let runs = count(Resource::Runnable).map_err(|error| Failure::of(&error, attempt))?;
    let clusters = count(Resource::Cluster).map_err(|error| Failure::of(&error, attempt))?;
    let head = &backup.head;
    Ok(format!(
        "{} bytes, log index {}, revision {}, {runs} runnables, {clusters} clusters, {} ledger records, chain verified",
        backup.bytes,
        head.last.map_or(0, |last| last.index),
        head.revision,
        head.ledger_records
    ))
}
