//! Let a group send again that goes on from a backup: an operator has seen what the clusters show.
//!
//! Reads the clusters; writes the counters. Refused as `Conflict` when nothing waits to be confirmed, another lineage
//! does, or a cluster that is not left out on purpose has not been compared with the inventory yet.

use crate::{Damaged, Done, Refusal, RefusalKind, Txn, Uid};
use serde::{Deserialize, Serialize};

/// Which lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmLineage {
    /// Its id, as the report that was looked at names it.
    pub lineage: Uid,
    /// Clusters, by name, that are not waited for.
    pub without: Vec<String>,
}

/// Clusters that are named in a refusal.
const NAMED_MAX: usize = 5;

impl ConfirmLineage {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let conflict = |message: String| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        let Some(lineage) = txn.meta.unconfirmed() else {
            return conflict("nothing waits to be confirmed: the group is not paused".to_owned());
        };
        if lineage.id != self.lineage {
            return conflict(format!("lineage {} waits to be confirmed; look at its report", lineage.id));
        }
        let mut missing = Vec::new();
        for cluster in txn.clusters()? {
            if cluster.swept_ms == 0 && !self.without.contains(&cluster.head.name) {
                missing.push(cluster.head.name);
            }
        }
        if !missing.is_empty() {
            let count = missing.len();
            missing.truncate(NAMED_MAX);
            return conflict(format!(
                "{count} clusters have not been compared with the inventory yet: {}; wait for them, or confirm without \
                 them: what one of those has already and the backup does not know is then sent once more",
                missing.join(", ")
            ));
        }
        if let Some(lineage) = txn.meta.lineages.last_mut() {
            lineage.confirmed = true;
        }
        txn.say(match self.without.as_slice() {
            [] => "all clusters were compared".to_owned(),
            without => format!("without {}", without.join(", ")),
        });
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }
}
