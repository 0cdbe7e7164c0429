//! The rules that users have made for kinds, ready to be asked.

use super::Verdict;
use super::cel::Program;
use crate::Revision;
use crate::record::{Condition, Health, Kind, Seen, StatusRule};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The [`StatusRule`]s of a group as they were at some moment, by kind.
///
/// What of them cannot be read is left out: they were read when they were accepted, by a build that knew them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(BTreeMap<(String, String), Arc<Rule>>);

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    revision: Revision,
    succeeded: Option<Program>,
    failed: Option<Program>,
    running: Option<Program>,
    message: Option<Program>,
    healthy: Option<Program>,
    degraded: Option<Program>,
}

impl Rules {
    /// Reads all of them.
    #[must_use]
    pub fn of(rules: &[StatusRule]) -> Self {
        let read = |rule: &StatusRule| ((rule.group.clone(), rule.kind.clone()), Arc::new(Rule::of(rule)));
        Self(rules.iter().map(read).collect())
    }

    /// The revision of the rule that is for a kind.
    #[must_use]
    pub fn revision(&self, kind: &Kind) -> Option<Revision> {
        self.rule(kind).map(|rule| rule.revision)
    }

    fn rule(&self, kind: &Kind) -> Option<&Rule> {
        let Kind::Other(_) = kind else { return None };
        self.0.get(&(kind.group().to_owned(), kind.as_str().to_owned())).map(Arc::as_ref)
    }

    /// What `object` says of itself as far as its rule goes.
    pub(super) fn judge(&self, kind: &Kind, object: &Value) -> (Seen, Option<Verdict>) {
        let Some(rule) = self.rule(kind) else { return (Seen::default(), None) };
        let mut seen = Seen { rule: Some(rule.revision), ..Seen::default() };
        let verdict = match rule.verdict(object) {
            Ok(verdict) => verdict,
            Err(why) => {
                seen.message = why;
                return (seen, None);
            }
        };
        seen.condition = match verdict {
            Some(Verdict::Succeeded) => Some(Condition::Complete),
            Some(Verdict::Failed) => Some(Condition::Failed),
            _ => None,
        };
        seen.message = rule.message(object);
        (seen, verdict)
    }

    /// How `object` does by its rule; `None` if none says.
    pub(super) fn health(&self, kind: &Kind, object: &Value) -> Option<(Health, String)> {
        let rule = self.rule(kind).filter(|rule| rule.healthy.is_some() || rule.degraded.is_some())?;
        Some(match rule.health(object) {
            Ok(health) => (health, rule.message(object)),
            Err(why) => (Health::Progressing, why),
        })
    }
}

impl Rule {
    fn of(rule: &StatusRule) -> Self {
        let read = |text: &str| {
            Some(text).filter(|text| !text.is_empty()).and_then(|text| Program::parse(text).ok())
        };
        let texts = &rule.expressions;
        Self {
            revision: rule.head.revision,
            succeeded: read(&texts.succeeded),
            failed: read(&texts.failed),
            running: read(&texts.running),
            message: read(&texts.message),
            healthy: read(&texts.healthy),
            degraded: read(&texts.degraded),
        }
    }

    /// `None`: it is not for what runs to an end.
    fn verdict(&self, object: &Value) -> Result<Option<Verdict>, String> {
        if self.succeeded.is_none() && self.failed.is_none() {
            return Ok(None);
        }
        let is = |name: &str, program: &Option<Program>| asked(name, program.as_ref(), object);
        // What says both has failed.
        Ok(Some(if is("failed", &self.failed)? == Some(true) {
            Verdict::Failed
        } else if is("succeeded", &self.succeeded)? == Some(true) {
            Verdict::Succeeded
        } else if is("running", &self.running)? == Some(false) {
            Verdict::Pending
        } else {
            Verdict::Running
        }))
    }

    fn health(&self, object: &Value) -> Result<Health, String> {
        let is = |name: &str, program: &Option<Program>| asked(name, program.as_ref(), object);
        Ok(if is("degraded", &self.degraded)? == Some(true) {
            Health::Degraded
        } else if is("healthy", &self.healthy)? == Some(false) {
            Health::Progressing
        } else {
            Health::Healthy
        })
    }

    fn message(&self, object: &Value) -> String {
        let said = self.message.as_ref().map_or(Ok(String::new()), |program| program.text(object));
        said.unwrap_or_else(|why| wrong("message", &why))
    }
}

fn asked(name: &str, program: Option<&Program>, object: &Value) -> Result<Option<bool>, String> {
    program.map(|program| program.holds(object).map_err(|why| wrong(name, &why))).transpose()
}

fn wrong(name: &str, why: &str) -> String {
    format!("the status rule of its kind cannot be asked: {name}: {why}")
}

#[cfg(test)]
mod tests;
