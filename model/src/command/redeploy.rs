//! Change a deployable: a new spec is a new generation; labels and annotations are set as they are given.
//!
//! Reads and writes the deployable, and with a new spec all that [`Deploy`](super::Deploy) does. Refused when there is
//! none of that name (`NotFound`), it is not at the revision that was asked for or is being removed, or a value or lock that
//! it names is another's (`Conflict`), or a named cluster, pool or lock is unknown (`Invalid`).

use super::deploy::{Deployment, generation, unknown_clusters};
use super::{Principal, Target, endow, install};
use crate::record::Record;
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::mem::take;

/// What a deployable is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeploy {
    /// Which one.
    pub target: Target,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
    /// What is to be applied.
    pub asked: Deployment,
}

impl Redeploy {
    pub(crate) fn apply(
        &mut self,
        txn: &mut Txn<'_>,
        by: &Principal,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        let mut deployable = match txn.deployable_named(&self.target)? {
            Ok(deployable) => deployable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_same = endow::digest(&deployable, &self.asked) == Some(deployable.digest);
        let head = &deployable.head;
        if is_same && (&head.labels, &head.annotations) == (&self.labels, &self.annotations) {
            return Ok(Ok(Done::unchanged(Record::Deployable(deployable))));
        }
        if deployable.withdrawal.is_some() && !is_same {
            let message = "it is being removed: make another one when it is gone";
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        if let Some(refusal) = unknown_clusters(txn, &self.asked.spec.placement)? {
            return Ok(Err(refusal));
        }
        if !is_same && let Some(refusal) = endow::give(txn, &mut deployable, by, &mut self.asked)? {
            return Ok(Err(refusal));
        }
        deployable.head.labels = take(&mut self.labels);
        deployable.head.annotations = take(&mut self.annotations);
        if is_same {
            let record = txn.put(Record::Deployable(deployable))?;
            return Ok(Ok(Done::with(txn, record)));
        }
        generation(txn, by, &mut deployable, &mut self.asked, None)?;
        txn.say(format!("revision {}", deployable.generation));
        let record = install::spread(txn, deployable)?;
        Ok(Ok(Done::with(txn, record)))
    }
}
