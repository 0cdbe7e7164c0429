//! When a snapshot is taken: by the size of the log.

use super::inner::{Inner, Member};
use openraft::LogIdOptionExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Looks at the log's size until the replica stops.
pub(crate) async fn snapshots(inner: Arc<Inner>, member: Member) {
    let look = Duration::from_millis(inner.options.timing.snapshot_look_ms);
    // What was applied when the last snapshot was asked for: the next one must be of something new.
    let mut asked_at = None;
    loop {
        tokio::time::sleep(look).await;
        let metrics = member.metrics();
        let (applied, snapshot) = (metrics.last_applied.index(), metrics.snapshot.index());
        let sizes = inner.with_open(|open| (open.log.log().bytes(), open.state.snapshot_bytes()));
        let Some((log_bytes, snapshot_bytes)) = sizes else { return };
        let large = log_bytes >= snapshot_bytes.max(inner.options.timing.snapshot_log_bytes_min);
        // The entries that are kept behind a snapshot may be large by themselves.
        let new = applied.unwrap_or(0).saturating_sub(snapshot.unwrap_or(0))
            > inner.options.timing.log_kept_entries / 2;
        let under_way = asked_at > snapshot;
        if large && new && !under_way && inner.has_room_for(snapshot_bytes.max(log_bytes)) {
            asked_at = applied;
            inner.take_snapshot().await;
        }
    }
}

impl Inner {
    /// Asks openraft for a snapshot; it also drops the log that the snapshot covers.
    pub(crate) async fn take_snapshot(&self) {
        if let Some(member) = self.member()
            && let Err(error) = member.raft.trigger().snapshot().await
        {
            tracing::warn!(%error, "no snapshot can be taken");
        }
    }
}
