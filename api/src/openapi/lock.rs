//! `Lock`, field by field.

use super::field::Kind::{List, Metadata, Object, Text, Time, Whole};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "Lock is held by one, or with several permits by several at the same time, for a time that is \
    renewed. Each grant has a fencing token that is greater than those before it; who comes with an old one is refused.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Lock."),
    must(
        "metadata",
        Metadata,
        "Name, namespace (the tenant), labels and so on. The name is a label of up to 50 characters.",
    ),
    may("spec", Object, "How much of it there is."),
    may("spec.permits", Whole, "How many permits may be held at the same time. Default 1."),
    may("status", Object, "Who holds it. Set by Tallyman; what is sent is dropped."),
    may("status.free", Whole, "How many permits are not held."),
    may("status.holders", List, "Who holds some, in the order in which they were granted."),
    may("status.holders.owner", Text, "Who, as they call themselves; runnable/NAME for a run."),
    may("status.holders.permits", Whole, "How many."),
    may("status.holders.token", Whole, "The fencing token of the grant."),
    may("status.holders.since", Time, "When it was granted."),
    may("status.holders.expiresAt", Time, "When others may take it, if it is not renewed; none for a run."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Lock",
  "metadata": {"namespace": "risk", "name": "leaf-7"},
  "spec": {"permits": 2}
}"#;
