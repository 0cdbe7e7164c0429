//! In which namespaces a cluster tells of others, as users write it.

use super::Faults;
use serde_json::Value;
use std::collections::BTreeSet;
use tallyman_model::limits::HUB_NAMESPACES_MAX;
use tallyman_model::manifest::names;

/// `{namespaces: [...]}`, sorted; empty: it is no hub.
pub(super) fn read(value: Option<Value>, faults: &mut Faults) -> Vec<String> {
    let mut fields = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Object(fields)) => fields,
        Some(_) => {
            faults.add("spec.hub", "must be an object, {namespaces: [NAME, ...]}");
            return Vec::new();
        }
    };
    let namespaces: BTreeSet<String> =
        fields.remove("namespaces").and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let is_good = (1..=HUB_NAMESPACES_MAX).contains(&namespaces.len())
        && namespaces.iter().all(|namespace| names::label(namespace).is_ok());
    if !is_good {
        let message = format!(
            "must be a list of 1 to {HUB_NAMESPACES_MAX} names of namespaces: those whose ClusterProfiles are followed"
        );
        faults.add("spec.hub.namespaces", message);
    }
    faults.rest("spec.hub.", &fields);
    namespaces.into_iter().collect()
}
