//! A peer's snapshot replaces everything.

use super::error::InstallError;
use super::restore::{self, Unusable};
use super::{Inventory, load};
use crate::files::DiskPath;
use crate::ledger::{Ledger, Seal};
use crate::snapshot::SnapshotReader;
use tallyman_model::{Damaged, Key};

/// The full segments of `seals` that `ledger` does not have, oldest first.
pub(super) fn missing_segments(ledger: &Ledger, seals: &[Seal]) -> Vec<Seal> {
    let here = ledger.sealed();
    seals.iter().filter(|seal| !here.contains(seal)).cloned().collect()
}

impl Inventory {
    /// Takes over the snapshot at `path`, which lies in [`snapshots`](Self::snapshots). Readers see what was there
    /// until everything of the snapshot is. The change file starts again at its revision.
    ///
    /// # Errors
    /// An [`InstallError`]; the state is as it was. [`InstallError::MissingSegments`] names what must be
    /// [installed](Self::install_segment) before.
    pub fn install(&mut self, path: &DiskPath) -> Result<(), InstallError> {
        let reader = SnapshotReader::open(path.clone())?;
        let (last, applied) = (reader.contents().last, self.shared.state().applied);
        if last.map(|id| id.index) < applied.map(|id| id.index) {
            return Err(InstallError::Older { snapshot: last, applied });
        }
        let missing = missing_segments(&self.shared.ledger, &reader.contents().seals);
        if !missing.is_empty() {
            return Err(InstallError::MissingSegments(missing));
        }
        let dir = self.options.dir.join("inventory");
        let generation = self.generation + 1;
        let new = load::generation_dir(&dir, generation);
        let done = restore::restore(reader, self.options.backend, &new).and_then(|restored| {
            restored.fill_ledger(&self.shared.ledger)?;
            Ok(restored.state)
        });
        let state = match done {
            Ok(state) => state,
            Err(error) => {
                // What cannot be removed now goes at the next open.
                let _ = new.remove_dir();
                return Err(error.into());
            }
        };
        self.shared.changes.reset(state.revision())?;
        let old = {
            let mut published = self.shared.state_mut();
            *self.shared.scrub() = Default::default();
            std::mem::replace(&mut *published, state)
        };
        self.generation = generation;
        // The old rows' files go when their last reader has gone.
        drop(old);
        if let Err(error) = load::remove_others(&dir, generation) {
            tracing::warn!(%error, "old rows could not be removed");
        }
        self.shared.publish();
        Ok(())
    }
}

impl From<Unusable> for InstallError {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Rows(error) => Self::Rows(error),
            Unusable::Damaged(error) => Self::Damaged(error),
            Unusable::Snapshot(error) => Self::Snapshot(error),
            Unusable::Ledger(error) => Self::Ledger(error),
            other @ (Unusable::Suspect(_) | Unusable::Bookkeeping(_)) => {
                Self::Damaged(Damaged::at(Key::META, other.to_string()))
            }
        }
    }
}
