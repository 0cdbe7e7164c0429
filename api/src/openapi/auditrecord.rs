//! `AuditRecord`, field by field.

use super::field::Kind::{Flag, List, Metadata, Object, Text, Whole};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "AuditRecord is one record of the ledger: a command that changed something, who gave it \
    and when. Its spec is the record byte for byte; its hash is SHA-256 over the hash of the record before and these \
    bytes, so that anybody can verify the chain.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "AuditRecord."),
    must("metadata", Metadata, "Its name is its number: 1, 2, ... without a gap."),
    must("spec", Object, "The record as it was chained."),
    may("spec.seq", Whole, "Its number."),
    may("spec.index", Whole, "The log index of the command."),
    may("spec.term", Whole, "The Raft term of the command."),
    may("spec.leader", Text, "The replica that led."),
    may("spec.atMs", Whole, "When it was proposed, in ms since 1970."),
    may("spec.user", Text, "Who proposed it; system:leader is the group itself."),
    may("spec.through", Text, "Who acted as that user, if somebody else did."),
    may(
        "spec.verb",
        Text,
        "What was done: submit, place, intend, conclude, observe, patch, cancel, retry, delete, ...",
    ),
    may("spec.detail", Text, "What there is to say beside the verb."),
    may("spec.subjects", List, "What changed; the first ones."),
    may("spec.subjects.resource", Text, "runnables, clusters or replicas."),
    may("spec.subjects.namespace", Text, "Its tenant."),
    may("spec.subjects.name", Text, "Its name."),
    may("spec.subjects.uid", Text, "Its UID."),
    may("spec.subjects.phase", Text, "A run's phase after it."),
    may("spec.subjects.reason", Text, "Why a run is in that phase, as a word."),
    may("spec.subjects.message", Text, "Why, in plain words."),
    may("spec.subjects.cluster", Text, "Where a run's last attempt is or was."),
    may("spec.subjects.seen", Text, "What the cluster said of its object."),
    may("spec.subjects.observed", Text, "Of a run: its object, where a watch told of it for the first time."),
    may(
        "spec.subjects.removed",
        Flag,
        "It has left the inventory; what is said of it is what was known last.",
    ),
    may("spec.subjects.revision", Whole, "Its revision after it."),
    may("spec.subjectsCount", Whole, "How many changed."),
    may("spec.digest", Text, "SHA-256 over the command's content."),
    may("spec.revisionBefore", Whole, "The revision before it."),
    may("spec.revision", Whole, "The revision after it."),
    must("status", Object, "Its place in the chain."),
    may("status.hash", Text, "SHA-256 over the hash of the record before and the bytes of spec."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "AuditRecord",
  "metadata": {"name": "12", "resourceVersion": "12", "creationTimestamp": "2026-11-20T22:00:00Z"},
  "spec": {"seq": 12, "index": 19, "term": 1, "leader": "r1", "atMs": 1795212000000, "user": "ann", "verb": "submit",
    "detail": "", "subjects": [{"resource": "runnables", "namespace": "risk", "name": "nightly-report-x2k4w",
    "uid": "0b0b7a52-2b5f-4a8c-8a1e-1d7c0c2f9f10", "phase": "Accepted", "revision": 12}], "subjectsCount": 1, "digest": "sha256:61c0cd",
    "revisionBefore": 11, "revision": 12},
  "status": {"hash": "sha256:8d3f0a"}
}"#;
