//! What a `CustomResourceDefinition` says.

use crate::catalog::Served;
use crate::kind::{Custom, Kind};
use crate::{clock, meta};
use serde_json::{Value, json};
use std::sync::Arc;

/// The finalizer that keeps a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The kind that a definition defines.
pub(crate) fn kind(definition: &Value) -> Kind {
    let text = |pointer| meta::text(definition, pointer).to_owned();
    Kind::Custom(Arc::new(Custom {
        group: text("/spec/group"),
        plural: text("/spec/names/plural"),
        name: text("/spec/names/kind"),
        is_namespaced: meta::text(definition, "/spec/scope") == "Namespaced",
    }))
}

/// The versions that a definition makes the API serve; none while its names are not accepted.
pub(crate) fn served(definition: &Value) -> Vec<Served> {
    if !meta::has_condition(definition, "Established") {
        return Vec::new();
    }
    let kind = kind(definition);
    let texts = |pointer| meta::strings(definition.pointer(pointer)).into_iter().map(str::to_owned).collect();
    let served = versions(definition).filter(|version| version["served"] == Value::Bool(true));
    served
        .map(|version| Served {
            kind: kind.clone(),
            version: meta::text(version, "/name").to_owned(),
            singular: meta::text(definition, "/spec/names/singular").to_owned(),
            short_names: texts("/spec/names/shortNames"),
            categories: texts("/spec/names/categories"),
            has_status: !meta::is_absent(version, "/subresources/status"),
            is_terminating: meta::is_deleting(definition),
        })
        .collect()
}

/// All versions, served or not.
pub(crate) fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

/// Fills in what was left out of the spec of a definition.
pub(crate) fn fill(definition: &mut Value) {
    let kind = meta::text(definition, "/spec/names/kind").to_owned();
    meta::set_default(definition, &["spec", "names", "singular"], kind.to_lowercase());
    meta::set_default(definition, &["spec", "names", "listKind"], format!("{kind}List"));
    meta::set_default(definition, &["spec", "conversion"], json!({"strategy": "None"}));
}

/// The status of a definition that nobody has looked at yet.
pub(crate) fn new_status() -> Value {
    json!({"acceptedNames": {"plural": "", "kind": ""}, "conditions": [], "storedVersions": []})
}

/// Sets a condition; its time moves only with its status.
pub(crate) fn set_condition(definition: &mut Value, kind: &str, is_true: bool, reason: &str, message: &str) {
    let status = if is_true { "True" } else { "False" };
    let former = meta::condition(definition, kind).filter(|former| meta::text(former, "/status") == status);
    let since = former.map_or_else(clock::now, |former| meta::text(former, "/lastTransitionTime").to_owned());
    let condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    let all = meta::at_mut(definition, &["status", "conditions"]);
    let Some(held) = all.as_array_mut() else {
        *all = json!([condition]);
        return;
    };
    match held.iter_mut().find(|held| meta::text(held, "/type") == kind) {
        Some(place) => *place = condition,
        None => held.push(condition),
    }
}
