//! Whether the rows' files can still be written.

use super::state::Shared;
use std::io;
use std::sync::Arc;
use tallyman_model::explain;

/// Asks the rows' files, beside everything else, whether a write or sync of theirs has failed.
#[derive(Clone, Debug)]
pub struct DiskCheck {
    shared: Arc<Shared>,
}

impl DiskCheck {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Waits for the disk: one fdatasync.
    ///
    /// # Errors
    /// A write or sync has failed, now or before, with the file's name; the process must end.
    pub fn check(&self) -> io::Result<()> {
        let rows = Arc::clone(&self.shared.state().rows);
        rows.check().map_err(|error| io::Error::other(explain(&error)))
    }
}
