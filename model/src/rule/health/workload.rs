//! What keeps Pods: as `kubectl rollout status` looks at it.

use super::{Said, condition, number, text, words};
use crate::record::Health;
use serde_json::Value;

pub(super) fn deployment(object: &Value) -> Said {
    let status = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    if let Some(late) = condition(object, "Progressing", "False")
        .filter(|one| text(one, "/reason") == "ProgressDeadlineExceeded")
    {
        return (Health::Degraded, words(late));
    }
    if let Some(failed) = condition(object, "ReplicaFailure", "True") {
        return (Health::Degraded, words(failed));
    }
    let wanted = wanted(object);
    let (updated, available) = (status("updatedReplicas"), status("availableReplicas"));
    let old = status("replicas").saturating_sub(updated);
    let progress = if updated < wanted && object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        format!("it is paused: {updated} of {wanted} replicas are new")
    } else if updated < wanted {
        format!("{updated} of {wanted} replicas are new")
    } else if old > 0 {
        format!("{old} old replicas are to end")
    } else if available < wanted {
        format!("{available} of {wanted} replicas are available")
    } else {
        return fine();
    };
    (Health::Progressing, progress)
}

pub(super) fn stateful_set(object: &Value) -> Said {
    let status = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let (wanted, ready) = (wanted(object), status("readyReplicas"));
    if ready < wanted {
        return (Health::Progressing, format!("{ready} of {wanted} replicas are ready"));
    }
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return fine();
    }
    let held_back = number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let (new, updated) = (wanted.saturating_sub(held_back), status("updatedReplicas"));
    let revisions = [text(object, "/status/currentRevision"), text(object, "/status/updateRevision")];
    // Once all of it is new, they are not counted any more.
    if revisions[0] != revisions[1] && updated < new {
        return (Health::Progressing, format!("{updated} of {new} replicas are new"));
    }
    fine()
}

pub(super) fn daemon_set(object: &Value) -> Said {
    let status = |field: &str| number(object, &format!("/status/{field}"));
    let Some(wanted) = status("desiredNumberScheduled") else {
        return (Health::Progressing, "its controller has not looked at it yet".to_owned());
    };
    let (updated, available) =
        (status("updatedNumberScheduled").unwrap_or(0), status("numberAvailable").unwrap_or(0));
    let by_hand = text(object, "/spec/updateStrategy/type") == "OnDelete";
    if updated < wanted && !by_hand {
        return (Health::Progressing, format!("{updated} of {wanted} Pods are new"));
    }
    if available < wanted {
        return (Health::Progressing, format!("{available} of {wanted} Pods are available"));
    }
    fine()
}

pub(super) fn replica_set(object: &Value) -> Said {
    if let Some(failed) = condition(object, "ReplicaFailure", "True") {
        return (Health::Degraded, words(failed));
    }
    let (wanted, available) = (wanted(object), number(object, "/status/availableReplicas").unwrap_or(0));
    if available < wanted {
        return (Health::Progressing, format!("{available} of {wanted} replicas are available"));
    }
    fine()
}

/// What is not said is one.
fn wanted(object: &Value) -> u64 {
    number(object, "/spec/replicas").unwrap_or(1)
}

fn fine() -> Said {
    (Health::Healthy, String::new())
}
