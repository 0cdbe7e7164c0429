//! `metadata.generation`: how often what is wanted of an object has changed.

use crate::kind::Kind;
use crate::meta;
use serde_json::Value;

/// Counts a change of what is wanted. Of a custom object that is all but metadata, and but its status if that
/// has a subresource: without one spec and status are one document.
pub(crate) fn count(kind: &Kind, has_status: bool, before: &Value, after: &mut Value) {
    let is_moved = match kind {
        Kind::Namespace | Kind::ConfigMap | Kind::Event => return,
        Kind::Job
        | Kind::Pod
        | Kind::Deployment
        | Kind::StatefulSet
        | Kind::DaemonSet
        | Kind::CustomResourceDefinition => before.get("spec") != after.get("spec"),
        Kind::Custom(_) => !wanted(before, has_status).eq(wanted(after, has_status)),
    };
    if is_moved {
        let generation = meta::number(before, "/metadata/generation").unwrap_or_default();
        meta::set(after, &["metadata", "generation"], generation + 1);
    }
}

fn wanted(value: &Value, has_status: bool) -> impl Iterator<Item = (&String, &Value)> {
    let is_wanted = move |field: &str| match field {
        "apiVersion" | "kind" | "metadata" => false,
        "status" => !has_status,
        _ => true,
    };
    value.as_object().into_iter().flatten().filter(move |(field, _)| is_wanted(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Custom;
    use serde_json::json;
    use std::sync::Arc;

    fn moves(has_status: bool, change: &Value) -> bool {
        let custom =
            Custom { group: String::new(), plural: String::new(), name: String::new(), is_namespaced: true };
        let before = json!({"metadata": {"generation": 1}, "spec": {"a": 1}, "status": {"b": 1}});
        let mut after = before.clone();
        crate::patch::merge(&mut after, change.clone());
        count(&Kind::Custom(Arc::new(custom)), has_status, &before, &mut after);
        after["metadata"]["generation"] == json!(2)
    }

    #[test]
    fn without_a_status_subresource_a_change_of_the_status_moves_the_generation() {
        let status = json!({"status": {"b": 2}});
        assert!(moves(false, &status) && !moves(true, &status));
        assert!(moves(true, &json!({"spec": {"a": 2}})) && moves(true, &json!({"data": 1})));
        assert!(!moves(false, &json!({"metadata": {"labels": {"a": "b"}}})));
    }
}
