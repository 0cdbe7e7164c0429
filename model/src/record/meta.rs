//! The model's own counters, one row.

use super::{Expected, Paused};
use crate::brake::{Brake, Scope};
use crate::{Digest, GroupId, Ordinal, Revision, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where a lineage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A backup.
    Restored,
    /// The directory of one replica, when a majority of the others was lost for good.
    Recovered,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Restored => "restored",
            Origin::Recovered => "recovered",
        })
    }
}

/// One unbroken life of the group's log, after the first: it began with a restore or a forced recovery. The revision
/// jumped, and tokens from inside the gap are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Random. Replicas of another lineage are strangers.
    pub id: Uid,
    /// Where it comes from.
    pub origin: Origin,
    /// When it began, ms since 1970.
    pub at_ms: u64,
    /// The ledger record that says that it began.
    pub record: u64,
    /// The last revision that was kept.
    pub last_kept: Revision,
    /// The first revision after the jump.
    pub base: Revision,
    /// An operator has looked at what the clusters show against what was kept. Until then nothing is sent to them.
    pub confirmed: bool,
}

/// The counters that every command reads. Written with every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The group; set by the first entry.
    pub group: GroupId,
    /// The last revision given.
    pub revision: Revision,
    /// The last ordinal given.
    pub ordinal: Ordinal,
    /// The time of the last entry that changed something, ms since 1970; never goes back.
    pub clock_ms: u64,
    /// Which outcomes of commands hold; raised only by an entry.
    pub version: u32,
    /// How many ledger records there are.
    pub ledger_len: u64,
    /// The hash of the last ledger record.
    pub ledger_head: Digest,
    /// Jumps of the revision, oldest first.
    pub lineages: Vec<Lineage>,
    /// Blank replicas that may join.
    pub expected: Vec<Expected>,
    /// Where the leader is to be if there is a choice; empty: anywhere.
    pub preferred_datacenter: String,
    /// Nothing is sent to any cluster.
    pub paused: Option<Paused>,
    /// Nothing is sent for these tenants, at most [`TENANTS_PAUSED_MAX`](crate::limits::TENANTS_PAUSED_MAX).
    pub paused_tenants: BTreeMap<String, Paused>,
    /// What was stopped of late, where it was something, at most [`BRAKES_MAX`](crate::limits::BRAKES_MAX).
    pub brakes: BTreeMap<Scope, Brake>,
    /// How many runs were moved in the present second.
    pub moves: Pace,
    /// When a deployable last became all applied and healthy on a cluster: runs that require it may go there.
    pub ready: Revision,
}

/// How often something was done in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Which, since 1970.
    pub second: u64,
    /// How often.
    pub count: u32,
}

impl Pace {
    /// Takes one of at most `max` a second, if there is one left.
    pub(crate) fn take(&mut self, now_ms: u64, max: u32) -> bool {
        let second = now_ms / 1_000;
        if self.second != second {
            *self = Self { second, count: 0 };
        }
        let left = self.count < max;
        self.count += u32::from(left);
        left
    }
}

impl Meta {
    /// The lineage that waits to be confirmed: nothing is sent to any cluster before.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&Lineage> {
        self.lineages.last().filter(|lineage| !lineage.confirmed)
    }
}
