//! Whether the files of the rows and the ledger can still be written.

use super::state::Shared;
use std::io;
use std::sync::Arc;
use tallyman_model::explain;

/// Syncs the rows and the ledger, beside everything else. Whether a write or sync of theirs has failed is known then,
/// and a segment of the ledger that becomes full has little left to sync, for which applying waits.
#[derive(Clone, Debug)]
pub struct DiskCheck {
    shared: Arc<Shared>,
}

impl DiskCheck {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Waits for the disk: two fdatasyncs.
    ///
    /// # Errors
    /// A write or sync has failed, now or before, with the file's name; the process must end.
    pub fn check(&self) -> io::Result<()> {
        let rows = Arc::clone(&self.shared.state().rows);
        rows.check().map_err(|error| io::Error::other(explain(&error)))?;
        self.shared.ledger.sync().map_err(|error| io::Error::other(explain(&error)))
    }
}
