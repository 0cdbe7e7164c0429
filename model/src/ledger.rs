//! The ledger: the hash-chained record of every command that changed something.
//!
//! A record is one JSON document, byte-identical on all replicas. Its hash is SHA-256 over the hash before it and
//! its bytes, so that anybody can verify the chain with the segments alone.

use crate::command::{Command, Principal};
use crate::record::{Meta, ObjectState, Record};
use crate::{Ctx, Digest, Key, Revision, Row, Writes};
use serde::{Deserialize, Serialize};

/// A ledger record with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chained {
    /// 1, 2, ...
    pub seq: u64,
    /// The JSON document.
    pub bytes: Vec<u8>,
    /// `sha256(hash before, bytes)`.
    pub hash: Digest,
}

/// What changed, for the record of it.
pub(crate) struct Changed<'a> {
    pub(crate) before: Revision,
    pub(crate) after: Revision,
    pub(crate) writes: &'a Writes,
    pub(crate) removed: &'a [Subject],
    pub(crate) detail: &'a str,
}

/// One record of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerRecord {
    /// 1, 2, ... without a gap.
    pub seq: u64,
    /// Log index of the entry.
    pub index: u64,
    /// Raft term of the entry.
    pub term: u64,
    /// The replica that led, as `r1`.
    pub leader: String,
    /// The entry's time, ms since 1970.
    pub at_ms: u64,
    /// Who.
    pub user: String,
    /// Who acted as that user, if that was somebody else.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub through: String,
    /// What, as [`Command::verb`].
    pub verb: String,
    /// More about what, in words; empty if the verb says it all.
    pub detail: String,
    /// The records that changed: the first ones as resource, namespace, name, UID and phase.
    pub subjects: Vec<Subject>,
    /// How many changed.
    pub subjects_count: u64,
    /// Of the command's content.
    pub digest: String,
    /// The revision before the command.
    pub revision_before: u64,
    /// The revision after it.
    pub revision: u64,
}

/// A changed record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// `runnables`, `clusters` or `replicas`.
    pub resource: String,
    /// The tenant.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The UID.
    pub uid: String,
    /// A run's phase after the command.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub phase: String,
    /// Why a run is in that phase, as a word.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub message: String,
    /// The cluster of a run's last attempt.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub cluster: String,
    /// What was seen of a run's main object, where the command is an observation.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub seen: String,
    /// The record has left the inventory; what is said of it is what was known last.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub removed: bool,
    /// The revision of the record after the command.
    pub revision: u64,
}

/// Subjects named in one record: as many as one batch of observations has.
const SUBJECTS_MAX: usize = 256;

/// The hash that follows `before` for a record of these bytes.
#[must_use]
pub fn next_hash(before: &Digest, bytes: &[u8]) -> Digest {
    let mut joined = Vec::with_capacity(32 + bytes.len());
    joined.extend_from_slice(&before.0);
    joined.extend_from_slice(bytes);
    Digest::of(&joined)
}

pub(crate) fn chain(
    meta: &Meta,
    ctx: &Ctx,
    command: &Command,
    by: &Principal,
    changed: &Changed<'_>,
) -> Result<Chained, serde_json::Error> {
    let seq = meta.ledger_len + 1;
    let is_observation = matches!(command, Command::Observe(_) | Command::Sweep(_));
    let (subjects, subjects_count) = subjects(changed, is_observation);
    let record = LedgerRecord {
        seq,
        index: ctx.index,
        term: ctx.term,
        leader: ctx.leader.to_string(),
        at_ms: meta.clock_ms,
        user: by.user.clone(),
        through: by.through.clone().unwrap_or_default(),
        verb: command.verb().to_owned(),
        detail: changed.detail.to_owned(),
        subjects,
        subjects_count,
        digest: command.digest()?.to_string(),
        revision_before: changed.before.0,
        revision: changed.after.0,
    };
    let bytes = serde_json::to_vec(&record)?;
    let hash = next_hash(&meta.ledger_head, &bytes);
    Ok(Chained { seq, bytes, hash })
}

fn subjects(changed: &Changed<'_>, is_observation: bool) -> (Vec<Subject>, u64) {
    let records = changed.writes.range(..Key { tag: crate::Tag::Name, a: 0, b: 0, c: 0 });
    let written = records.filter_map(|(_, write)| match &write.row {
        Some(Row::Record(record)) => {
            let seen = if is_observation { seen(record) } else { String::new() };
            Some(Subject { seen, ..subject(record)? })
        }
        _ => None,
    });
    let mut named: Vec<Subject> = changed.removed.iter().cloned().chain(written).collect();
    let count = u64::try_from(named.len()).unwrap_or(u64::MAX);
    named.truncate(SUBJECTS_MAX);
    (named, count)
}

/// The record as the ledger names it; `None` for records that the API does not show.
pub(crate) fn subject(record: &Record) -> Option<Subject> {
    let head = record.head()?;
    let (resource, phase, reason, message) = match record {
        Record::Runnable(run) => ("runnables", run.phase.as_str(), run.reason.as_str(), run.message.as_str()),
        Record::Cluster(_) => ("clusters", "", "", ""),
        _ => ("replicas", "", "", ""),
    };
    let cluster = match record {
        Record::Runnable(run) => run.attempts.last().map_or("", |attempt| attempt.cluster_name.as_str()),
        _ => "",
    };
    Some(Subject {
        resource: resource.to_owned(),
        namespace: head.namespace.clone(),
        name: head.name.clone(),
        uid: head.uid.to_string(),
        phase: phase.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        cluster: cluster.to_owned(),
        seen: String::new(),
        removed: false,
        revision: head.revision.0,
    })
}

/// What is known of a run's main object, in words.
fn seen(record: &Record) -> String {
    let Record::Runnable(run) = record else { return String::new() };
    let Some(object) = run.main_object() else { return String::new() };
    let kind = run.plan(object).map_or("object", |plan| plan.kind.as_str());
    if object.state == ObjectState::Gone {
        return format!("{kind} gone");
    }
    let Some(seen) = &object.seen else { return String::new() };
    let counts = [(seen.active, "active"), (seen.succeeded, "succeeded"), (seen.failed, "failed")];
    let mut words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if seen.is_deleting() {
        words.push("being deleted".to_owned());
    }
    if object.stripped {
        words.push("our marks were taken off".to_owned());
    }
    if words.is_empty() {
        words.push("nothing active".to_owned());
    }
    format!("{kind} {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::next_hash;
    use crate::Digest;

    #[test]
    fn a_changed_byte_changes_every_later_hash() {
        let chain = |records: [&[u8]; 3]| {
            records.iter().fold(Digest::default(), |head, bytes| next_hash(&head, bytes))
        };
        assert_ne!(chain([b"a", b"b", b"c"]), chain([b"a", b"x", b"c"]));
        assert_ne!(chain([b"a", b"b", b"c"]), chain([b"b", b"a", b"c"]));
    }
}
