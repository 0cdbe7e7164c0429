//! `StatusRule`.

use super::{API_VERSION, Metadata, bytes};
use serde::Serialize;
use tallyman_model::Revision;
use tallyman_model::record::StatusRule;

pub(super) fn document(rule: &StatusRule, revision: Option<Revision>) -> Vec<u8> {
    let texts = &rule.expressions;
    bytes(&Document {
        api_version: API_VERSION,
        kind: "StatusRule",
        metadata: Metadata::of(&rule.head, revision),
        spec: Spec {
            group: &rule.group,
            kind: &rule.kind,
            succeeded: &texts.succeeded,
            failed: &texts.failed,
            running: &texts.running,
            message: &texts.message,
            healthy: &texts.healthy,
            degraded: &texts.degraded,
        },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    succeeded: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    failed: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    running: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    healthy: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    degraded: &'a str,
}
