//! `Replica`, field by field.

use super::field::Kind::{Flag, Metadata, Object, Text, Whole, Word};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "Replica is one server of the group, as the replica that answers knows it: of the others \
    it knows their place, of itself all.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Replica."),
    must("metadata", Metadata, "Its name is its id; one that lost its disk joins under a new one."),
    must("spec", Object, "Where it is."),
    may("spec.datacenter", Text, "The datacenter that it says it is in."),
    may("spec.peerAddress", Text, "Where the other replicas reach it."),
    may("spec.apiURL", Text, "Where clients reach it."),
    must("status", Object, "How it is."),
    may(
        "status.role",
        Word(&["leader", "follower", "candidate", "learner", "blank"]),
        "What it does in the group.",
    ),
    may("status.voter", Flag, "Its vote counts."),
    may(
        "status.state",
        Word(&["Learner", "Voter", "Joining", "Leaving"]),
        "What it is, or is to be: one that joins votes when it has caught up, one that leaves when it can be spared.",
    ),
    may("status.answered", Flag, "It is the replica that answered, so the rest is there."),
    may("status.term", Whole, "The Raft term that it is in."),
    may("status.lastLog", Whole, "The last entry of its log."),
    may("status.committed", Whole, "The last entry that it knows to be decided."),
    may("status.applied", Whole, "The last entry that its state includes."),
    may("status.lagMs", Whole, "How long ago it last had all that was decided, in ms."),
    may("status.stateHash", Object, "The sum over its state, equal on all replicas at the same index."),
    may("status.stateHash.index", Whole, "The log index that it is of."),
    may("status.stateHash.revision", Text, "The revision that it is of."),
    may("status.stateHash.hash", Text, "In hexadecimal digits."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Replica",
  "metadata": {"name": "r2", "uid": "6f0a5e0e-28a5-4f4a-9a52-0d7f5b0c3a11", "resourceVersion": "1",
    "creationTimestamp": "2026-11-20T22:00:00Z", "generation": 1},
  "spec": {"datacenter": "dc2", "peerAddress": "tallyman-1.example.com:7101", "apiURL": "https://tallyman-1.example.com:7001"},
  "status": {"role": "follower", "voter": true, "state": "Voter", "answered": true, "term": 3, "lastLog": 8817, "committed": 8817,
    "applied": 8817, "lagMs": 4, "stateHash": {"index": 8817, "revision": "9120", "hash": "0f5c"}}
}"#;
