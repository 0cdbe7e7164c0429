//! What a Workflow executes: its own spec, and that of the WorkflowTemplate that it names.

use crate::kind::Kind;
use crate::state::State;
use crate::{argo, meta, patch};
use serde_json::Value;

/// Where the spec is kept that a Workflow with a `workflowTemplateRef` was started with.
const STORED: &str = "storedWorkflowTemplateSpec";

/// The spec to execute; one that a template is part of is kept in the status when it is first read.
///
/// # Errors
/// The template is not there, in the words of Argo.
pub(super) fn executed(state: &State, namespace: &str, workflow: &mut Value) -> Result<Value, String> {
    let own = workflow["spec"].clone();
    let name = meta::text(&own, "/workflowTemplateRef/name");
    if name.is_empty() {
        return Ok(own);
    }
    if let Some(stored) = stored(workflow) {
        return Ok(stored.clone());
    }
    let is_cluster_scoped = own["workflowTemplateRef"]["clusterScope"] == Value::Bool(true);
    let mut spec = template(state, namespace, name, is_cluster_scoped)?;
    patch::merge(&mut spec, own);
    meta::set(workflow, &["status", STORED], spec.clone());
    Ok(spec)
}

/// The spec that was kept when a Workflow with a template was started.
pub(super) fn stored(workflow: &Value) -> Option<&Value> {
    workflow.get("status")?.get(STORED)
}

/// The spec of a WorkflowTemplate.
///
/// # Errors
/// It is not there, in the words of Argo.
pub(super) fn template(
    state: &State,
    namespace: &str,
    name: &str,
    is_cluster_scoped: bool,
) -> Result<Value, String> {
    let plural = if is_cluster_scoped { "clusterworkflowtemplates" } else { argo::WORKFLOW_TEMPLATES };
    let namespace = if is_cluster_scoped { "" } else { namespace };
    let catalog = state.catalog();
    let kind: Option<&Kind> = catalog.at_path(argo::GROUP, argo::VERSION, plural).map(|served| &served.kind);
    let found = kind.and_then(|kind| state.get(kind, &kind.key(namespace, name)));
    let missing = || format!("{plural}.{} {name:?} not found", argo::GROUP);
    Ok(found.ok_or_else(missing)?.value()["spec"].take())
}
