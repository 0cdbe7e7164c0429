//! Argo Workflows, as far as a cluster knows of it: the definitions of its kinds.

use crate::defaults;
use crate::kind::Kind;
use serde_json::{Value, json};

pub(crate) const GROUP: &str = "argoproj.io";
pub(crate) const VERSION: &str = "v1alpha1";
pub(crate) const WORKFLOWS: &str = "workflows";
pub(crate) const WORKFLOW_TEMPLATES: &str = "workflowtemplates";

/// The definitions that a cluster with Argo has. As in Argo's own, the status is no subresource.
pub(crate) fn definitions() -> [Value; 2] {
    [definition("Workflow", WORKFLOWS, "wf"), definition("WorkflowTemplate", WORKFLOW_TEMPLATES, "wftmpl")]
}

fn definition(kind: &str, plural: &str, short_name: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let mut definition = json!({
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "plural": plural, "shortNames": [short_name]},
            "scope": "Namespaced",
            "versions": [{"name": VERSION, "served": true, "storage": true, "schema": schema}],
        },
    });
    defaults::new_object(&Kind::CustomResourceDefinition, true, &mut definition);
    definition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_would_be_accepted_from_a_client() {
        for definition in definitions() {
            assert!(crate::validate::new_object(&Kind::CustomResourceDefinition, &definition).is_ok());
        }
    }
}
