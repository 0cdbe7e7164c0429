//! What this replica knows of its disk.

use super::inner::Inner;
use std::sync::Arc;
use std::time::Duration;
use tallyman_store::inventory::DiskCheck;

/// How often the rows' files are asked whether a write of theirs has failed. It is remembered until somebody asks.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Ends the replica when a write or sync of the rows' files has failed that no call has met.
pub(crate) async fn check_rows(inner: Arc<Inner>, rows: DiskCheck) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let rows = rows.clone();
        // Tracked: the directory is not left before this has ended.
        if let Ok(Err(error)) = inner.tasks.spawn_blocking(move || rows.check()).await {
            return inner.fatal.set(&format!("the inventory cannot be written: {error}"));
        }
    }
}
