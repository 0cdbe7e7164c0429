//! The ledger: the hash-chained record of every command that changed something.
//!
//! A record is one JSON document, byte-identical on all replicas. Its hash is SHA-256 over the hash before it and
//! its bytes, so that anybody can verify the chain with the segments alone.

use crate::command::{Command, Principal};
use crate::record::{Meta, ObjectState, Record};
use crate::{Ctx, Digest, Key, Revision, Row, Writes};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

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
    /// Each with the revision of its removal.
    pub(crate) removed: &'a [(Revision, Arc<Record>)],
    pub(crate) detail: &'a str,
}

/// One record of the ledger. `T` is how texts are kept: borrowed to write one, owned to read one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(serialize = "T: Serialize + AsRef<str>"))]
pub struct LedgerRecord<T = String> {
    /// 1, 2, ... without a gap.
    pub seq: u64,
    /// Log index of the entry.
    pub index: u64,
    /// Raft term of the entry.
    pub term: u64,
    /// The replica that led, as `r1`.
    pub leader: T,
    /// The entry's time, ms since 1970.
    pub at_ms: u64,
    /// Who.
    pub user: T,
    /// Who acted as that user, if that was somebody else.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub through: T,
    /// What, as [`Command::verb`].
    pub verb: T,
    /// More about what, in words; empty if the verb says it all.
    pub detail: T,
    /// The records that changed: the first ones as resource, namespace, name, UID and phase.
    pub subjects: Vec<Subject<T>>,
    /// How many changed.
    pub subjects_count: u64,
    /// Of the command's content.
    pub digest: T,
    /// The revision before the command.
    pub revision_before: u64,
    /// The revision after it.
    pub revision: u64,
}

/// A changed record. `T` as in [`LedgerRecord`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(serialize = "T: Serialize + AsRef<str>"))]
pub struct Subject<T = String> {
    /// `runnables`, `clusters` or `replicas`.
    pub resource: T,
    /// The tenant.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub namespace: T,
    /// The name.
    pub name: T,
    /// The UID.
    pub uid: T,
    /// A run's phase after the command.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub phase: T,
    /// Why a run is in that phase, as a word.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub reason: T,
    /// Why, in words.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub message: T,
    /// The cluster of a run's last attempt.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub cluster: T,
    /// What was seen of a run's main object, where the command is an observation.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub seen: T,
    /// The record has left the inventory; what is said of it is what was known last.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub removed: bool,
    /// The revision of the record after the command.
    pub revision: u64,
}

/// A text of something that is there while the record is written.
type Text<'a> = Cow<'a, str>;

fn is_empty(text: &impl AsRef<str>) -> bool {
    text.as_ref().is_empty()
}

/// Subjects named in one record: as many as one batch of observations has.
const SUBJECTS_MAX: usize = 256;

/// Most records are not longer.
const BYTES_USUAL: usize = 1024;

/// The hash that follows `before` for a record of these bytes.
#[must_use]
pub fn next_hash(before: &Digest, bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest(sha2::Sha256::new().chain_update(before.0).chain_update(bytes).finalize().into())
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
    let record = LedgerRecord::<Text<'_>> {
        seq,
        index: ctx.index,
        term: ctx.term,
        leader: ctx.leader.to_string().into(),
        at_ms: meta.clock_ms,
        user: by.user.as_str().into(),
        through: by.through.as_deref().unwrap_or_default().into(),
        verb: command.verb().into(),
        detail: changed.detail.into(),
        subjects,
        subjects_count,
        digest: command.digest()?.to_string().into(),
        revision_before: changed.before.0,
        revision: changed.after.0,
    };
    let mut bytes = Vec::with_capacity(BYTES_USUAL);
    serde_json::to_writer(&mut bytes, &record)?;
    let hash = next_hash(&meta.ledger_head, &bytes);
    Ok(Chained { seq, bytes, hash })
}

fn subjects<'a>(changed: &Changed<'a>, is_observation: bool) -> (Vec<Subject<Text<'a>>>, u64) {
    let records = changed.writes.range(..Key { tag: crate::Tag::Name, a: 0, b: 0, c: 0 });
    let written = records.filter_map(|(_, write)| match &write.row {
        Some(Row::Record(record)) => {
            let seen = if is_observation { seen(record) } else { String::new() };
            Some(Subject { seen: seen.into(), ..subject(record)? })
        }
        _ => None,
    });
    let removed = changed.removed.iter().filter_map(|(revision, record)| {
        Some(Subject { revision: revision.0, removed: true, ..subject(record)? })
    });
    let mut named: Vec<_> = removed.chain(written).collect();
    let count = u64::try_from(named.len()).unwrap_or(u64::MAX);
    named.truncate(SUBJECTS_MAX);
    (named, count)
}

/// The record as the ledger names it; `None` for records that the API does not show.
fn subject(record: &Record) -> Option<Subject<Text<'_>>> {
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
        resource: resource.into(),
        namespace: head.namespace.as_str().into(),
        name: head.name.as_str().into(),
        uid: head.uid.to_string().into(),
        phase: phase.into(),
        reason: reason.into(),
        message: message.into(),
        cluster: cluster.into(),
        seen: Text::default(),
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
