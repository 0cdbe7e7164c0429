//! Take a status rule away.
//!
//! Reads and removes the rule. Refused when there is none of that name (`NotFound`), it is not at the revision that
//! was asked for, or runs that have not ended go by it (`Conflict`): nobody would see their end.

use crate::record::{Record, Resource, StatusRule};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Tag, Txn};
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
        if let Some(refusal) = txn.still_ruled(&rule)? {
            return Ok(Err(refusal));
        }
        txn.say(format!("of {} in group {:?}", rule.kind, rule.group));
        txn.remove(rule.head.ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::StatusRule(rule)))))
    }
}

impl Txn<'_> {
    /// Why a rule may not stop saying when objects of its kind have ended: runs that have not ended go by it.
    pub(super) fn still_ruled(&self, rule: &StatusRule) -> Result<Option<Refusal>, Damaged> {
        const COUNTED_MAX: usize = 1_000;
        let hash = crate::index::rule_hash(&rule.group, &rule.kind);
        let runs = if rule.completes() { self.count(Tag::Ruled, hash, COUNTED_MAX)? } else { 0 };
        let count = match runs {
            0 => return Ok(None),
            1 => "1 run goes".to_owned(),
            COUNTED_MAX.. => format!("{COUNTED_MAX} runs or more go"),
            _ => format!("{runs} runs go"),
        };
        let message = format!(
            "status rule {:?}: {count} by it and would never be seen to end without: wait for what runs a {}, or cancel it",
            rule.head.name, rule.kind
        );
        Ok(Some(Refusal::new(RefusalKind::Conflict, message)))
    }
}
