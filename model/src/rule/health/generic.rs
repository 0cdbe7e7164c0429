//! A kind that no rule is for: by the conditions that most controllers write.

use super::{Said, condition, number, words};
use crate::record::{Health, Kind};
use serde_json::Value;

/// Conditions that say that it fails.
const FAIL: [(&str, &str); 4] =
    [("Failed", "True"), ("Stalled", "True"), ("ReplicaFailure", "True"), ("Progressing", "False")];
/// Conditions that say that it is on its way.
const WAIT: [(&str, &str); 3] = [("Reconciling", "True"), ("Available", "False"), ("Ready", "False")];
/// Conditions that say that it is well.
const FINE: [(&str, &str); 2] = [("Available", "True"), ("Ready", "True")];

pub(super) fn health(kind: &Kind, object: &Value) -> Said {
    let found = |(kind, status): &(&str, &str)| condition(object, kind, status);
    if let Some(failed) = FAIL.iter().find_map(found) {
        return (Health::Degraded, words(failed));
    }
    let replicas = number(object, "/spec/replicas").zip(number(object, "/status/readyReplicas"));
    if let Some((wanted, ready)) = replicas
        && ready < wanted
    {
        return (Health::Progressing, format!("{ready} of {wanted} replicas are ready"));
    }
    if let Some(waits) = WAIT.iter().find_map(found) {
        return (Health::Progressing, words(waits));
    }
    if replicas.is_some() || FINE.iter().find_map(found).is_some() {
        return (Health::Healthy, String::new());
    }
    (
        Health::Healthy,
        format!(
            "it exists; how it does is not known, for no status rule is for {} {kind}",
            kind.api_version()
        ),
    )
}
