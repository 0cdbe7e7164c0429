//! The Pods of a Workflow: one for each node that runs something.

use super::nodes::{Phase, Place, hash};
use crate::controller::plan::ANNOTATIONS;
use crate::kind::Kind;
use crate::object::Object;
use crate::state::State;
use crate::{argo, meta};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const NODE_ID: &str = "workflows.argoproj.io/node-id";
/// Room for what is put behind the name of the Workflow and of the template.
const NAME_STEM_LETTERS_MAX: usize = 242;

/// The Pods of a Workflow by the id of their node.
pub(super) fn of(state: &State, workflow: &Object) -> BTreeMap<String, Arc<Object>> {
    let pods = state.dependents(&workflow.uid).into_iter().filter(|dependent| dependent.kind == Kind::Pod);
    pods.filter_map(|pod| Some((meta::annotation(&pod.value(), NODE_ID)?.to_owned(), pod))).collect()
}

/// How far a Pod is, and what its node says: the phase of one that has not ended, the message of one that failed.
pub(super) fn outcome(pod: Option<&Arc<Object>>) -> (Phase, String) {
    let Some(pod) = pod.filter(|pod| !pod.is_deleting) else {
        return (Phase::Error, "pod deleted".to_owned());
    };
    let value = pod.value();
    match meta::text(&value, "/status/phase") {
        "Succeeded" => (Phase::Succeeded, String::new()),
        "Failed" => {
            let ended = &value["status"]["containerStatuses"][0]["state"]["terminated"];
            let code = ended["exitCode"].as_i64().unwrap_or(1);
            (Phase::Failed, format!("{} (exit code {code})", ended["reason"].as_str().unwrap_or("Error")))
        }
        phase => (Phase::Running, phase.to_owned()),
    }
}

/// The name of the Pod of a node.
pub(super) fn name(workflow: &str, node: &str, template: &str) -> String {
    if workflow == node {
        return workflow.to_owned();
    }
    let stem: String = format!("{workflow}-{template}").chars().take(NAME_STEM_LETTERS_MAX).collect();
    format!("{stem}-{}", hash(node))
}

/// A new Pod for a node. How it runs is asked for by the template, else by `podMetadata`, else by the Workflow.
pub(super) fn new(workflow: &Object, spec: &Value, template: &Value, place: &Place, id: &str) -> Value {
    let value = workflow.value();
    let mut annotations = Map::new();
    for name in ANNOTATIONS {
        if let Some(text) = meta::annotation(&value, name) {
            annotations.insert(name.to_owned(), text.into());
        }
    }
    annotations.extend(texts(spec, "/podMetadata/annotations"));
    annotations.extend(texts(template, "/metadata/annotations"));
    annotations.insert(NODE_ID.to_owned(), id.into());
    annotations.insert("workflows.argoproj.io/node-name".to_owned(), place.name.as_str().into());
    let mut labels = texts(spec, "/podMetadata/labels");
    labels.extend(texts(template, "/metadata/labels"));
    labels.insert("workflows.argoproj.io/workflow".to_owned(), workflow.name.as_str().into());
    labels.insert("workflows.argoproj.io/completed".to_owned(), "false".into());
    let owner = json!({
        "apiVersion": format!("{}/{}", argo::GROUP, argo::VERSION),
        "kind": workflow.kind.name(),
        "name": workflow.name,
        "uid": workflow.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    });
    json!({
        "metadata": {
            "name": name(&workflow.name, &place.name, meta::text(template, "/name")),
            "namespace": workflow.namespace,
            "labels": labels,
            "annotations": annotations,
            "generation": 1,
            "ownerReferences": [owner],
        },
        "spec": {"restartPolicy": "Never", "containers": containers(template)},
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    })
}

fn texts(value: &Value, pointer: &str) -> Map<String, Value> {
    value.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What a template runs; one that is no container stands for what Argo runs in its place.
fn containers(template: &Value) -> Vec<Value> {
    let several = template.pointer("/containerSet/containers").and_then(Value::as_array);
    if let Some(several) = several {
        return several.clone();
    }
    let one = ["container", "script"].into_iter().find_map(|field| template.get(field));
    let mut one = one.cloned().unwrap_or_else(|| json!({"image": "argoexec"}));
    meta::set(&mut one, &["name"], "main");
    meta::remove(&mut one, &["source"]);
    vec![one]
}
