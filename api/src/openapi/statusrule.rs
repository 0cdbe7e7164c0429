//! `StatusRule`, field by field.

use super::field::Kind::{Metadata, Object, Text};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "StatusRule says what the status of objects of one kind means that Tallyman itself knows \
    nothing of: whether they run, how they have ended, how they do. Its expressions are in CEL, about `object`. One whose \
    fields are not there does not hold.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "StatusRule."),
    must("metadata", Metadata, "Name and labels."),
    must("spec", Object, "For which kind, and what is asked of its objects."),
    may("spec.group", Text, "The kind's API group, without a version. Default: the core group."),
    must("spec.kind", Text, "The kind. There is one rule for each."),
    may(
        "spec.succeeded",
        Text,
        "It has ended well. With it an object of the kind can be the main object of a runnable.",
    ),
    may("spec.failed", Text, "It has ended badly; goes before succeeded."),
    may("spec.running", Text, "It runs. Default: it is there and has not ended."),
    may("spec.message", Text, "What it says of itself, as a text; shown on attempts and deployables."),
    may(
        "spec.healthy",
        Text,
        "Of what is kept in sync: it does what it is for. Default: it is not degraded.",
    ),
    may("spec.degraded", Text, "Of what is kept in sync: it fails; goes before healthy."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "StatusRule",
  "metadata": {"name": "spark"},
  "spec": {
    "group": "sparkoperator.k8s.io",
    "kind": "SparkApplication",
    "succeeded": "object.status.applicationState.state == 'COMPLETED'",
    "failed": "object.status.applicationState.state in ['FAILED', 'SUBMISSION_FAILED']",
    "running": "object.status.applicationState.state == 'RUNNING'",
    "message": "object.status.applicationState.errorMessage"
  }
}"#;
