//! The one ordered key space: rows that are stored, and lookups that are derived from them.

use crate::Ordinal;
use serde::{Deserialize, Serialize};

/// What a key is. The order of the variants is the order of the key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Tag {
    /// A stored row: `a` = ordinal, `b` = part (0: the record, 1..: its manifests in parts). Ordinal 0 is the
    /// singletons, see [`Key::META`].
    Row,
    /// `a` = [`name_hash`](crate::name_hash) of resource, namespace and name, `b` = ordinal.
    Name,
    /// `a` = the first 64 bits of a record's UID, `b` = ordinal.
    Uid,
    /// `a` = hash of an idempotency key, `b` = ordinal of the receipt.
    Receipt,
    /// `a` = hash of a tenant, `b` = ordinal of a receipt of it.
    Receipts,
    /// `a` = hash of (cluster, kind, namespace, name), `b` = ordinal of the runnable that claims it.
    Claim,
    /// `a` = resource code, `b` = ordinal.
    Resource,
    /// `a` = hash of a namespace, `b` = ordinal of a namespaced record in it.
    Tenant,
    /// `a` = phase code, `b` = ordinal of a runnable.
    Phase,
    /// `a` = ordinal of the cluster that a runnable is or was placed on last, `b` = ordinal of the runnable.
    Cluster,
    /// As [`Tag::Cluster`], but only while the runnable has not ended.
    Active,
    /// `a` = ordinal of a cluster, `b` = ordinal of a runnable that has objects there, or may have.
    Objects,
    /// `a` = ordinal of a cluster << 24 | code of a kind, `b` = ordinal of a runnable that has, or may have, an object of
    /// that kind there; only kinds that not every cluster serves.
    Tracked,
    /// `a` = ordinal of a cluster << 32 | hash of a kind and a namespace, `b` = ordinal of a runnable or an installation
    /// that has, or may have, an object of that kind in that namespace there.
    Extents,
    /// `a` = ordinal of a deployable or of a cluster, `b` = ordinal of an installation of it or there.
    Installed,
    /// `a` = hash of `key=value`, `b` = ordinal.
    Label,
    /// `a` = hash of a label's key, `b` = ordinal.
    LabelKey,
    /// `a` = 0, `b` = ordinal of a runnable that failed before a cluster took it.
    DeadLetter,
    /// `a` = ordinal of a cluster, `b` = ordinal of the cursor of a watch there.
    Watches,
    /// `a` = ordinal of a fan-out, `b` = ordinal of one of its runs.
    Child,
    /// `a` = ordinal of a pool << 6 | level, `b` = a piece of that level that is taken of it: not an ordinal. A piece of
    /// level n is 2^n slots, from a multiple of that on.
    Slot,
    /// `a` = hash of what pools are disjoint as, `b` = ordinal of a pool.
    Disjoint,
    /// `a` = hash of a lock's name, `b` = ordinal of a runnable that waits for it: the first one comes next.
    Waits,
    /// `a` = hash of the names of a kind, `b` = ordinal of a runnable that has not ended and does when the status rule of
    /// that kind says so.
    Ruled,
    /// `a` = ordinal of a cluster << 24 | code of a kind, `b` = ordinal of something of that kind there that was not
    /// submitted here; all of them with `a` = 0, too.
    Foreign,
    /// `a` = ordinal of a cluster, `b` = ordinal of something that was not submitted here, has ended, and is gone.
    ForeignGone,
    /// `a` = lane << 56 | ordinal of the cluster, `b` = due in ms since 1970, `c` = ordinal of the record.
    Lane,
}

/// The due work of one kind for one cluster (0: none), in the order in which it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Lane {
    /// Runnables that need a cluster.
    Place,
    /// Objects to be created.
    Send,
    /// Intents without an outcome: due for whoever did not make them at once, else when they are overdue.
    Resolve,
    /// Objects to be deleted.
    Delete,
    /// Holds to be released, labels to be put back.
    Release,
    /// Attempts whose Pods are to be looked at: they do not run, or failed.
    Diagnose,
    /// Deadlines and retention: startBy, finishBy, ttlAfterFinished, records, receipts.
    Expire,
    /// Runs that are under way there. Due is not a time but their `lossAfter`: how long the cluster may be looked for
    /// in vain.
    Loss,
    /// Runs that are lost there: due when the cluster is back.
    Return,
    /// Runs that are lost there and may be given up.
    GiveUp,
    /// Runs that are to move and have not started: due when the cluster is drained.
    Drain,
    /// Installations with something to be made, applied, removed or read back.
    Sync,
    /// Fan-outs with runs to be made, or something to be passed on to them.
    FanOut,
    /// Runs that a cluster is to be asked about.
    Preflight,
    /// Those of [`Lane::Place`] that require a deployable: due also when one becomes ready somewhere.
    Require,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Lane; 15] = [
        Lane::Place,
        Lane::Send,
        Lane::Resolve,
        Lane::Delete,
        Lane::Release,
        Lane::Diagnose,
        Lane::Expire,
        Lane::Loss,
        Lane::Return,
        Lane::GiveUp,
        Lane::Drain,
        Lane::Sync,
        Lane::FanOut,
        Lane::Preflight,
        Lane::Require,
    ];
}

/// A key: of a stored row or of a lookup. Keys order by tag, then `a`, `b`, `c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What the numbers mean.
    pub tag: Tag,
    /// See [`Tag`].
    pub a: u64,
    /// See [`Tag`].
    pub b: u64,
    /// See [`Tag`].
    pub c: u64,
}

impl Key {
    /// The row of the model's counters, [`Meta`](crate::record::Meta).
    pub const META: Key = Key { tag: Tag::Row, a: 0, b: 0, c: 0 };

    /// The row of a record.
    #[must_use]
    pub fn record(ordinal: Ordinal) -> Self {
        Self { tag: Tag::Row, a: ordinal.0, b: 0, c: 0 }
    }

    /// A part (1..) of a record's manifests.
    #[must_use]
    pub fn part(ordinal: Ordinal, part: u16) -> Self {
        Self { tag: Tag::Row, a: ordinal.0, b: u64::from(part), c: 0 }
    }

    /// A lookup entry `(tag, value) -> ordinal`.
    #[must_use]
    pub fn lookup(tag: Tag, value: u64, ordinal: Ordinal) -> Self {
        Self { tag, a: value, b: ordinal.0, c: 0 }
    }

    /// A lane entry.
    #[must_use]
    pub fn lane(lane: Lane, cluster: Ordinal, due_ms: u64, ordinal: Ordinal) -> Self {
        Self { tag: Tag::Lane, a: ((lane as u64) << 56) | cluster.0, b: due_ms, c: ordinal.0 }
    }

    /// True for a stored row, false for a lookup that is derived from one.
    #[must_use]
    pub fn is_row(&self) -> bool {
        self.tag == Tag::Row
    }

    /// The ordinal that a row belongs to or a lookup points to.
    #[must_use]
    pub fn ordinal(&self) -> Ordinal {
        match self.tag {
            Tag::Row => Ordinal(self.a),
            Tag::Lane => Ordinal(self.c),
            _ => Ordinal(self.b),
        }
    }

    /// The 16 bytes that a stored row is filed under, in key order; lookups are not stored.
    #[must_use]
    pub fn row_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.a.to_be_bytes());
        bytes[8..].copy_from_slice(&self.b.to_be_bytes());
        bytes
    }

    /// The row key that [`row_bytes`](Self::row_bytes) wrote.
    #[must_use]
    pub fn from_row_bytes(bytes: [u8; 16]) -> Self {
        let number = |from: usize| bytes[from..from + 8].iter().fold(0, |sum, &b| (sum << 8) | u64::from(b));
        Self { tag: Tag::Row, a: number(0), b: number(8), c: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_bytes_sort_like_keys_and_read_back() {
        let keys = [Key::META, Key::record(Ordinal(1)), Key::part(Ordinal(1), 2), Key::record(Ordinal(256))];
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].row_bytes() < pair[1].row_bytes());
        }
        assert!(keys.iter().all(|key| Key::from_row_bytes(key.row_bytes()) == *key));
    }
}
