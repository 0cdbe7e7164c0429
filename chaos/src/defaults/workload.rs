//! Fields of Deployments, StatefulSets and DaemonSets.

use super::{fill, pod_spec};
use crate::kind::Kind;
use crate::meta;
use serde_json::{Value, json};

/// The status before a controller has looked: what its type always has.
pub(super) fn new_status(kind: &Kind) -> Value {
    match kind {
        Kind::StatefulSet => json!({"replicas": 0, "availableReplicas": 0}),
        Kind::DaemonSet => json!({
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        }),
        _ => json!({}),
    }
}

pub(super) fn spec(kind: &Kind, value: &mut Value) {
    if meta::is_absent(value, "/spec") {
        return;
    }
    fill(meta::at_mut(value, &["spec"]), &defaults(kind));
    let (field, rolling) = match kind {
        Kind::Deployment => ("strategy", json!({"maxSurge": "25%", "maxUnavailable": "25%"})),
        Kind::StatefulSet => ("updateStrategy", json!({"partition": 0})),
        _ => ("updateStrategy", json!({"maxSurge": 0, "maxUnavailable": 1})),
    };
    meta::set_default(value, &["spec", field, "type"], "RollingUpdate");
    if value["spec"][field]["type"] == "RollingUpdate" {
        fill(meta::at_mut(value, &["spec", field, "rollingUpdate"]), &rolling);
    }
    if !meta::is_absent(value, "/spec/template/spec") {
        let pods = meta::at_mut(value, &["spec", "template", "spec"]);
        meta::set_default(pods, &["restartPolicy"], "Always");
        pod_spec(pods);
    }
}

fn defaults(kind: &Kind) -> Value {
    match kind {
        Kind::Deployment => json!({
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        }),
        Kind::StatefulSet => json!({
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "podManagementPolicy": "OrderedReady",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        }),
        _ => json!({"revisionHistoryLimit": 10}),
    }
}
