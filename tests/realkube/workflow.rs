//! Argo Workflows, as far as the kube-apiserver goes: their controller's part is played by kubectl.

use crate::stage::{on_east, within};
use serde_json::{Value, json};

const HERE: &str = "workflows";
const API: &str = "argoproj.io/v1alpha1";

/// As Argo installs it, but that any fields are taken: no status subresource.
fn definition(kind: &str, plural: &str) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({
        "name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
    });
    let names = json!({"kind": kind, "plural": plural, "singular": kind.to_lowercase()});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.argoproj.io")},
        "spec": {"group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [version]},
    })
}

fn run(name: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [
            {"apiVersion": API, "kind": "WorkflowTemplate", "metadata": {"name": format!("{name}-steps")}, "spec": {}},
            {"apiVersion": API, "kind": "Workflow", "metadata": {"name": name},
             "spec": {"workflowTemplateRef": {"name": format!("{name}-steps")}}},
        ]},
    })
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_workflow_waits_for_its_kind_runs_and_is_stopped_by_its_own_field() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        stage.submit(HERE, &run("first")).await;
        stage
            .until_run(HERE, "first", "says what is not installed", |run| {
                run.condition("Created").contains(&format!("does not serve {API} WorkflowTemplate"))
            })
            .await;
        for (kind, plural) in [("Workflow", "workflows"), ("WorkflowTemplate", "workflowtemplates")] {
            stage.east.apply(&definition(kind, plural)).await;
        }
        let workflows = "workflows.argoproj.io";
        stage.until_phase(HERE, "first", "Pending").await;
        let say = async |name: &str, status: Value| {
            stage.east.merge(HERE, workflows, name, &json!({ "status": status })).await;
        };
        say("first", json!({"phase": "Running", "startedAt": "2026-11-20T00:00:00Z"})).await;
        stage.until_phase(HERE, "first", "Running").await;
        say("first", json!({"phase": "Succeeded", "finishedAt": "2026-11-20T00:00:09Z"})).await;
        stage.until_phase(HERE, "first", "Succeeded").await;

        stage.submit(HERE, &run("second")).await;
        stage.until_phase(HERE, "second", "Pending").await;
        say("second", json!({"phase": "Running", "startedAt": "2026-11-20T00:00:00Z"})).await;
        stage.until_phase(HERE, "second", "Running").await;
        stage.cancel(HERE, "second").await;
        within("its own field says that it is to stop", async || {
            let workflow = stage.east.find(HERE, workflows, "second").await?;
            (workflow["spec"]["shutdown"] == "Stop").then_some(())
        })
        .await;
        assert_eq!(stage.until_phase(HERE, "second", "Stopping").await.phase(), "Stopping");
        say("second", json!({"phase": "Failed", "message": "Stopped with strategy 'Stop'"})).await;
        stage.until_phase(HERE, "second", "Cancelled").await;
        within("the hold is released, and the Workflow is left to be looked at", async || {
            let workflow = stage.east.find(HERE, workflows, "second").await.expect("it stays");
            workflow["metadata"]["finalizers"].is_null().then_some(())
        })
        .await;
        for name in ["first", "second"] {
            stage.delete(HERE, name).await;
            stage.until_gone(HERE, name).await;
        }
        for plural in [workflows, "workflowtemplates.argoproj.io"] {
            assert_eq!(stage.east.list(HERE, plural).await.len(), 0, "{plural}");
        }
    });
}
