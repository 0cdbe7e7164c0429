//! Say what of a hub cannot be followed.
//!
//! Reads and writes the hub. Refused as `Outdated` when it is none any more.

use crate::record::Record;
use crate::{Damaged, Done, Ordinal, Refusal, Txn, rule};
use serde::{Deserialize, Serialize};

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellHub {
    /// The hub.
    pub hub: Ordinal,
    /// In words; empty: nothing is.
    pub message: String,
}

impl TellHub {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut cluster) = txn.cluster(self.hub)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        let Some(hub) = cluster.hub.as_mut() else {
            return Ok(Err(Refusal::outdated("the cluster does not tell of others any more")));
        };
        let mut message = self.message.clone();
        rule::truncate(&mut message);
        if hub.message == message {
            return Ok(Ok(Done::unchanged(Record::Cluster(cluster))));
        }
        txn.say(match message.is_empty() {
            true => "all that it tells is followed".to_owned(),
            false => format!("not all that it tells is followed: {message}"),
        });
        hub.message = message;
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
