//! Make a status rule, or change one.
//!
//! Reads the name and the rule of the kind; writes the rule. Refused when it is to be made and the name is taken
//! (`AlreadyExists`), is to be changed and there is none of that name (`NotFound`) or it is not at the revision that was
//! asked for (`Conflict`), when another rule is for the kind, or runs that have not ended go by the rule and it would not
//! say any more when they have (`Conflict`), and when there are too many (`Invalid`).

use super::Principal;
use crate::record::{Expressions, Head, Record, Resource, StatusRule};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Tag, Txn, Uid, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A status rule as it was asked for; its expressions were read before it was proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutStatusRule {
    /// Random, made by whoever took the request: one is to be made. `None`: the one of that name is to be changed.
    pub uid: Option<Uid>,
    /// Only at this revision.
    pub revision: Option<Revision>,
    /// Its name.
    pub name: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
    /// The kind's API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// What is asked of its objects.
    pub expressions: Expressions,
}

impl PutStatusRule {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let refused = |kind, message: String| Ok(Err(Refusal::new(kind, message)));
        let known = match txn.named(Resource::StatusRule, "", &self.name)? {
            Some(Record::StatusRule(rule)) => Some(rule),
            _ => None,
        };
        match (&known, self.uid) {
            (Some(_), Some(_)) => {
                let message = format!("statusrules.tallyman.dev {:?} already exists", self.name);
                return refused(RefusalKind::AlreadyExists, message);
            }
            (None, None) => {
                let message = format!("statusrules.tallyman.dev {:?} not found", self.name);
                return refused(RefusalKind::NotFound, message);
            }
            _ => {}
        }
        if let Some(known) = &known
            && self.revision.is_some_and(|revision| revision != known.head.revision)
        {
            let message =
                format!("status rule {:?} has changed; read it again and repeat the change", self.name);
            return Ok(Err(Refusal::changed(message)));
        }
        if let Some(known) = known.as_ref().filter(|known| !self.rules_as(known))
            && let Some(refusal) = txn.still_ruled(known)?
        {
            return Ok(Err(refusal));
        }
        if let Some(other) = txn.status_rule_named(&self.group, &self.kind)?
            && other.head.name != self.name
        {
            let message = format!(
                "status rule {:?} is for {} already: change that one, or delete it first",
                other.head.name, self.kind
            );
            return refused(RefusalKind::Conflict, message);
        }
        let most = limits::STATUS_RULES_MAX;
        if known.is_none() && txn.count(Tag::Resource, Resource::StatusRule as u64, most)? >= most {
            return refused(
                RefusalKind::Invalid,
                format!("there are {most} status rules, as many as there may be"),
            );
        }
        let head = match (&known, self.uid) {
            (Some(known), _) => known.head.clone(),
            (None, uid) => Head {
                ordinal: txn.new_ordinal(),
                uid: uid.unwrap_or_default(),
                name: self.name.clone(),
                created_ms: txn.now_ms(),
                created_by: by.user.clone(),
                ..Head::default()
            },
        };
        let rule = StatusRule {
            head: Head { labels: self.labels.clone(), annotations: self.annotations.clone(), ..head },
            group: self.group.clone(),
            kind: self.kind.clone(),
            expressions: self.expressions.clone(),
        };
        if known.as_ref() == Some(&rule) {
            return Ok(Ok(Done::unchanged(Record::StatusRule(rule))));
        }
        txn.say(words(&rule));
        let record = txn.put(Record::StatusRule(rule))?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// It still says when objects of that kind have ended.
    fn rules_as(&self, known: &StatusRule) -> bool {
        (&self.group, &self.kind) == (&known.group, &known.kind) && !self.expressions.succeeded.is_empty()
    }
}

/// What it says, for the ledger.
fn words(rule: &StatusRule) -> String {
    let said = rule.expressions.named().into_iter().filter(|(_, text)| !text.is_empty());
    let said: Vec<String> = said.map(|(name, text)| format!("{name}: {text}")).collect();
    format!("of {} in group {:?}: {}", rule.kind, rule.group, said.join("; "))
}
