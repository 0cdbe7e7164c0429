//! openraft, configured and started.

use super::inner::{Inner, Member};
use super::{agree, departure, membership, observe, snapshots};
use crate::network::{Deadlines, Network};
use crate::{Timing, types::Raft};
use openraft::{Config, SnapshotPolicy};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Entries of one append; its bytes are bounded by the log adapter.
const APPEND_ENTRIES_MAX: u64 = 1024;

/// What openraft is run with.
pub(crate) fn config(name: &str, timing: &Timing) -> io::Result<Config> {
    let config = Config {
        cluster_name: name.to_owned(),
        heartbeat_interval: timing.heartbeat_ms,
        election_timeout_min: timing.election_ms_min,
        election_timeout_max: timing.election_ms_max,
        // A leader that restarts inside its lease must not lead again without an election: entries that its own
        // disk never had are committed on the others.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        // Otherwise a leader that reaches a minority keeps the followers in it from electing with the majority.
        quorum_loss_probe_interval: Some(2 * timing.election_ms_max + timing.heartbeat_ms),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: timing.log_kept_entries,
        // A follower gets a snapshot when the log that it needs is gone, not before.
        replication_lag_threshold: u64::MAX / 2,
        max_payload_entries: APPEND_ENTRIES_MAX,
        ..Config::default()
    };
    config.validate().map_err(io::Error::other)
}

/// The settings without which acknowledged writes were lost, or a partial partition stopped the group.
fn check(config: &Config) -> io::Result<()> {
    if config.enable_leader_restore == Some(false)
        && config.enable_pre_vote == Some(true)
        && config.quorum_loss_probe_interval.is_some()
    {
        return Ok(());
    }
    Err(io::Error::other("openraft is not configured as it must be"))
}

impl Inner {
    /// Starts Raft as the replica `id`, whose directory is bound to it. Applies what is known to be committed first.
    pub(crate) async fn become_member(self: &Arc<Self>, id: u64) -> io::Result<()> {
        let timing = self.timing();
        let config = config(&self.options.group, timing)?;
        check(&config)?;
        let stores = self.with_open(|open| (open.log.clone(), open.state.clone()));
        let (log, state) = stores.ok_or_else(|| io::Error::other("the replica has stopped"))?;
        let deadlines = Deadlines {
            append: Duration::from_millis(timing.append_ms_max),
            chunk: Duration::from_millis(timing.append_ms_max),
            install: Duration::from_secs(600),
            backoff: Duration::from_millis(timing.heartbeat_ms),
        };
        let (peers, standing) = (Arc::clone(&self.peers), Arc::clone(&self.standing));
        let network = Network { id, peers, deadlines, standing, reader: self.reader.clone() };
        let raft =
            Box::pin(Raft::new(id, Arc::new(config), network, log, state)).await.map_err(io::Error::other)?;
        let member = Member { id, raft };
        self.hold_back(&member);
        self.member.send_replace(Some(member.clone()));
        self.spawn(observe::observe(Arc::clone(self), member.clone()));
        self.spawn(snapshots::snapshots(Arc::clone(self), member.clone()));
        self.spawn(agree::agree(Arc::clone(self), member.clone()));
        self.spawn(departure::watch(Arc::clone(self), member.clone()));
        self.spawn(membership::lead(Arc::clone(self), member));
        tracing::info!(replica = id, "the replica is a member of the group");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_leader_never_comes_back_without_an_election() {
        let config = config("group", &Timing::default()).unwrap();
        assert_eq!(config.enable_leader_restore, Some(false));
        check(&config).unwrap();
        assert!(check(&Config { enable_leader_restore: None, ..config.clone() }).is_err());
        assert!(check(&Config { enable_pre_vote: Some(false), ..config }).is_err());
    }
}
