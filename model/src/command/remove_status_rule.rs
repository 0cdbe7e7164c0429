//! Take a status rule away. Runs that go by it go on without: it is not seen any more when they have ended, until there
//! is a rule for their kind again.
//!
//! Reads and removes the rule. Refused when there is none of that name (`NotFound`), or it is not at the revision that
//! was asked for (`Conflict`).

use crate::record::{Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Txn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveStatusRule {
    /// The name.
    pub name: String,
    /// Only at this revision.
    pub revision: Option<Revision>,
}

impl RemoveStatusRule {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::StatusRule(rule)) = txn.named(Resource::StatusRule, "", &self.name)? else {
            let message = format!("statusrules.tallyman.dev {:?} not found", self.name);
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if self.revision.is_some_and(|revision| revision != rule.head.revision) {
            let message =
                format!("status rule {:?} has changed; read it again and repeat the removal", self.name);
            return Ok(Err(Refusal::changed(message)));
        }
        txn.say(format!("of {} in group {:?}", rule.kind, rule.group));
        txn.remove(rule.head.ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::StatusRule(rule)))))
    }
}
