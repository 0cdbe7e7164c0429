//! The ledger: the hash-chained record of every command that changed something.
//!
//! A record is one JSON document, byte-identical on all replicas. Its hash is SHA-256 over the hash before it and
//! its bytes, so that anybody can verify the chain with the segments alone.

mod json;

use crate::command::{Command, Principal};
use crate::record::{Head, Installation, Meta, ObjectState, Record};
use crate::{Ctx, Digest, Key, Revision, Row, Uid, Writes};
use json::Json;
use serde::{Deserialize, Serialize};
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
    /// `runnables`, `clusters`, `replicas` and so on.
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
    /// The cluster of a run's last attempt, or the one on which a deployable changed.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub cluster: String,
    /// What was seen of a run's main object, where the command is an observation.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub seen: String,
    /// The run's main object as a watch told of it first, where the command says that.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub observed: String,
    /// The record has left the inventory; what is said of it is what was known last.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub removed: bool,
    /// The revision of the record after the command.
    pub revision: u64,
}

/// Subjects named in one record: as many as one batch of observations has.
const SUBJECTS_MAX: u64 = 256;

/// The hash that follows `before` for a record of these bytes.
#[must_use]
pub fn next_hash(before: &Digest, bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest(sha2::Sha256::new().chain_update(before.0).chain_update(bytes).finalize().into())
}

/// Writes the [`LedgerRecord`] of a command, from where its parts are.
pub(crate) fn chain(
    meta: &Meta,
    ctx: &Ctx,
    command: &Command,
    by: &Principal,
    changed: &Changed<'_>,
) -> Result<Chained, serde_json::Error> {
    let seq = meta.ledger_len + 1;
    let mut json = Json::default();
    json.open();
    json.number("seq", seq)?;
    json.number("index", ctx.index)?;
    json.number("term", ctx.term)?;
    json.text("leader", &ctx.leader.to_string())?;
    json.number("atMs", meta.clock_ms)?;
    json.text("user", &by.user)?;
    json.text_if_any("through", by.through.as_deref().unwrap_or_default())?;
    json.text("verb", command.verb())?;
    json.text("detail", changed.detail)?;
    let count = subjects(&mut json, meta.clock_ms, command, changed)?;
    json.number("subjectsCount", count)?;
    json.text("digest", &command.digest()?.to_string())?;
    json.number("revisionBefore", changed.before.0)?;
    json.number("revision", changed.after.0)?;
    json.close();
    let bytes = json.into_bytes();
    let hash = next_hash(&meta.ledger_head, &bytes);
    Ok(Chained { seq, bytes, hash })
}

/// Writes the subjects, and counts also those that are too many to be written.
fn subjects(
    json: &mut Json,
    now_ms: u64,
    command: &Command,
    changed: &Changed<'_>,
) -> Result<u64, serde_json::Error> {
    let observed_ms = matches!(command, Command::Observe(_) | Command::Sweep(_)).then_some(now_ms);
    let records = changed.writes.range(..Key { tag: crate::Tag::Name, a: 0, b: 0, c: 0 });
    let written = records.filter_map(|(_, write)| match &write.row {
        Some(Row::Record(record)) => Some((None, record)),
        _ => None,
    });
    let removed = changed.removed.iter().map(|(revision, record)| (Some(*revision), record));
    let records: Vec<_> = removed.chain(written).collect();
    let is_told = |uid: Uid| {
        let mut heads = records.iter().filter_map(|(_, record)| record.head());
        heads.any(|head| head.uid == uid)
    };
    let mut count = 0;
    json.key("subjects");
    json.open_list();
    for (removed, record) in &records {
        match record.as_ref() {
            // A deployable on one cluster, where it changed there alone.
            Record::Installation(installation) if !is_told(installation.uid) => {
                if count < SUBJECTS_MAX {
                    on_cluster(json, installation)?;
                }
            }
            _ => {
                let Some(head) = record.head() else { continue };
                if count < SUBJECTS_MAX {
                    subject(json, record, head, *removed, observed_ms)?;
                }
            }
        }
        count += 1;
    }
    json.close_list();
    Ok(count)
}

/// Writes the deployable whose installation changed.
fn on_cluster(json: &mut Json, installation: &Installation) -> Result<(), serde_json::Error> {
    json.open();
    json.text("resource", "deployables")?;
    json.text_if_any("namespace", &installation.namespace)?;
    json.text("name", &installation.name)?;
    json.text("uid", &installation.uid.to_string())?;
    json.text_if_any("cluster", &installation.cluster_name)?;
    json.number("revision", installation.revision.0)?;
    json.close();
    Ok(())
}

/// Writes a record as the ledger names it, the [`Subject`]. `observed_ms`: when, if the command is an observation.
fn subject(
    json: &mut Json,
    record: &Record,
    head: &Head,
    removed: Option<Revision>,
    observed_ms: Option<u64>,
) -> Result<(), serde_json::Error> {
    json.open();
    let resource = match record {
        Record::Runnable(_) | Record::Foreign(_) => "runnables",
        Record::Cluster(_) => "clusters",
        Record::Deployable(_) => "deployables",
        Record::Pool(_) => "pools",
        Record::Allocation(_) => "allocations",
        Record::Lock(_) => "locks",
        Record::StatusRule(_) => "statusrules",
        _ => "replicas",
    };
    json.text("resource", resource)?;
    json.text_if_any("namespace", &head.namespace)?;
    json.text("name", &head.name)?;
    json.text("uid", &head.uid.to_string())?;
    if let Record::Runnable(run) = record {
        json.text("phase", run.phase.as_str())?;
        json.text_if_any("reason", run.reason.as_str())?;
        json.text_if_any("message", &run.message)?;
        json.text_if_any("cluster", run.attempt().map_or("", |attempt| &attempt.cluster_name))?;
    }
    if let Record::Foreign(foreign) = record {
        json.text("phase", foreign.phase.as_str())?;
        json.text_if_any("reason", foreign.reason_word())?;
        json.text_if_any("message", &foreign.words())?;
        json.text_if_any("cluster", &foreign.cluster_name)?;
    }
    if let Some(observed_ms) = observed_ms.filter(|_| removed.is_none()) {
        json.text_if_any("seen", &seen(record))?;
        json.text_if_any("observed", &observed(record, observed_ms))?;
    }
    if removed.is_some() {
        json.flag("removed");
    }
    json.number("revision", removed.unwrap_or(head.revision).0)?;
    json.close();
    Ok(())
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

/// The run's main object, if a watch told of it first at `now_ms`.
fn observed(record: &Record, now_ms: u64) -> String {
    let Record::Runnable(run) = record else { return String::new() };
    let object = run.main_object().filter(|object| object.observed_ms == Some(now_ms));
    let Some((object, plan)) = object.and_then(|object| Some((object, run.plan(object)?))) else {
        return String::new();
    };
    let uid = object.uid.as_deref().unwrap_or_default();
    let version = object.seen.as_ref().map_or("", |seen| seen.resource_version.as_str());
    format!("{} uid {uid} at resourceVersion {version}", plan.kind)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_record_is_written_as_the_structure_that_reads_it() {
        let head = Head { name: "a \"\\\n\u{1}\u{7f}ä\u{2028}".to_owned(), ..Head::default() };
        let shown = Arc::new(Record::Cluster(crate::record::Cluster { head, ..Default::default() }));
        let by = Principal { user: "ann\t".to_owned(), through: Some("root".to_owned()), groups: Vec::new() };
        let ctx = Ctx { index: u64::MAX, term: 2, leader: crate::ReplicaId(3) };
        let removed = [(Revision(4), Arc::clone(&shown)), (Revision(5), shown)];
        let changed = Changed {
            before: Revision(3),
            after: Revision(5),
            writes: &Writes::new(),
            removed: &removed,
            detail: "",
        };
        let command = Command::RemoveMember(crate::command::RemoveMember { id: crate::ReplicaId(1) });
        let bytes = chain(&Meta::default(), &ctx, &command, &by, &changed).unwrap().bytes;
        let read: LedgerRecord = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json::to_vec(&read).unwrap(), bytes);
        assert_eq!((read.subjects.len(), read.subjects_count, read.through.as_str()), (2, 2, "root"));
    }

    #[test]
    fn a_changed_byte_changes_every_later_hash() {
        let chain = |records: [&[u8]; 3]| {
            records.iter().fold(Digest::default(), |head, bytes| next_hash(&head, bytes))
        };
        assert_ne!(chain([b"a", b"b", b"c"]), chain([b"a", b"x", b"c"]));
        assert_ne!(chain([b"a", b"b", b"c"]), chain([b"b", b"a", b"c"]));
    }
}
