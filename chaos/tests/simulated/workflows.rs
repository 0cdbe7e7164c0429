//! Argo Workflows run and end as they are asked to.

use crate::world::{client, cluster, pods, refusal, until};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use tallyman_chaos::{OUTCOME, RUN_FOR, SimulatedCluster};

fn argo(cluster: &SimulatedCluster, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
    Api::namespaced_with(client(cluster), "risk", &ApiResource::from_gvk(&kind))
}

fn object(kind: &str, name: &str, annotations: &Value, spec: &Value) -> DynamicObject {
    let value = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "annotations": annotations},
        "spec": spec,
    });
    serde_json::from_value(value).unwrap()
}

fn echo(name: &str) -> Value {
    json!({"name": name, "container": {"image": "busybox:1", "command": ["echo"]}})
}

/// A Workflow of one container, with more of its spec in `spec`.
fn single(run_for: &str, outcome: &str, spec: &Value) -> DynamicObject {
    let mut whole = json!({"entrypoint": "main", "templates": [echo("main")]});
    for (field, value) in spec.as_object().into_iter().flatten() {
        whole[field] = value.clone();
    }
    object("Workflow", "report", &json!({RUN_FOR: run_for, OUTCOME: outcome}), &whole)
}

fn several(templates: &Value) -> DynamicObject {
    let spec = json!({"entrypoint": "main", "templates": templates});
    object("Workflow", "report", &json!({RUN_FOR: "20ms"}), &spec)
}

async fn run(cluster: &SimulatedCluster, workflow: &DynamicObject) -> Api<DynamicObject> {
    let api = argo(cluster, "Workflow");
    api.create(&PostParams::default(), workflow).await.unwrap();
    api
}

async fn phase(api: &Api<DynamicObject>, phase: &str) -> DynamicObject {
    until(phase, async || {
        let found = api.get("report").await.unwrap();
        (found.data["status"]["phase"] == phase).then_some(found)
    })
    .await
}

async fn patch(api: &Api<DynamicObject>, change: Value) {
    api.patch("report", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

fn label<'a>(workflow: &'a DynamicObject, name: &str) -> &'a str {
    &workflow.metadata.labels.as_ref().unwrap()[&format!("workflows.argoproj.io/{name}")]
}

fn node<'a>(workflow: &'a DynamicObject, display_name: &str) -> &'a Value {
    let nodes = workflow.data["status"]["nodes"].as_object().unwrap();
    nodes.values().find(|node| node["displayName"] == display_name).unwrap()
}

#[tokio::test]
async fn a_workflow_runs_its_pod_and_succeeds() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("300ms", "succeed", &json!({}))).await;
    let running = until("a running pod", async || {
        let found = api.get("report").await.unwrap();
        (found.data["status"]["nodes"]["report"]["phase"] == "Running").then_some(found)
    })
    .await;
    assert_eq!((label(&running, "phase"), label(&running, "completed")), ("Running", "false"));
    assert_eq!(running.data["status"]["progress"], "0/1");
    let found = pods(&cluster).get("report").await.unwrap();
    assert_eq!(found.metadata.owner_references.unwrap()[0].kind, "Workflow");
    let done = phase(&api, "Succeeded").await;
    assert_eq!((label(&done, "phase"), label(&done, "completed")), ("Succeeded", "true"));
    let status = &done.data["status"];
    assert_eq!((&status["progress"], &status["nodes"]["report"]["type"]), (&json!("1/1"), &json!("Pod")));
    assert!(status["startedAt"].is_string() && status["finishedAt"].is_string());
    let completed = json!({"type": "Completed", "status": "True"});
    assert!(status["conditions"].as_array().unwrap().contains(&completed));
    assert!(done.metadata.generation.unwrap() > 1, "the status is part of the document");
}

#[tokio::test]
async fn a_workflow_whose_pod_fails_fails_with_its_exit_code() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("5ms", "fail", &json!({}))).await;
    let failed = phase(&api, "Failed").await;
    assert_eq!(failed.data["status"]["message"], "Error (exit code 1)");
    assert_eq!((label(&failed, "completed"), &failed.data["status"]["progress"]), ("true", &json!("0/1")));
}

#[tokio::test]
async fn steps_run_group_by_group() {
    let cluster = cluster().await;
    let groups = json!([
        [{"name": "fetch", "template": "echo"}, {"name": "check", "template": "echo"}],
        [{"name": "store", "template": "echo"}],
    ]);
    let api = run(&cluster, &several(&json!([{"name": "main", "steps": groups}, echo("echo")]))).await;
    let begun = until("the first group", async || {
        let found = api.get("report").await.unwrap();
        (found.data["status"]["progress"] == "0/2").then_some(found)
    })
    .await;
    assert_eq!(begun.data["status"]["nodes"].as_object().unwrap().len(), 4, "{:?}", begun.data);
    let done = phase(&api, "Succeeded").await;
    assert_eq!(done.data["status"]["progress"], "3/3");
    assert_eq!(
        (&node(&done, "[1]")["type"], &node(&done, "report")["type"]),
        (&json!("StepGroup"), &json!("Steps"))
    );
    assert_eq!(node(&done, "store")["name"], "report[1].store");
    assert_eq!(node(&done, "check")["children"], json!([node(&done, "[1]")["id"]]));
}

#[tokio::test]
async fn a_failed_step_fails_the_workflow_and_nothing_begins_after_it() {
    let cluster = cluster().await;
    let mut bad = echo("bad");
    bad["metadata"] = json!({"annotations": {OUTCOME: "fail"}});
    let groups = json!([[{"name": "fetch", "template": "bad"}], [{"name": "store", "template": "bad"}]]);
    let api = run(&cluster, &several(&json!([{"name": "main", "steps": groups}, bad]))).await;
    let failed = phase(&api, "Failed").await;
    let expected = format!("child '{}' failed", node(&failed, "fetch")["id"].as_str().unwrap());
    assert_eq!(failed.data["status"]["message"], expected);
    assert_eq!(pods(&cluster).list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn tasks_wait_for_those_they_depend_on_and_are_omitted_after_a_failure() {
    let cluster = cluster().await;
    let mut bad = echo("bad");
    bad["metadata"] = json!({"annotations": {OUTCOME: "fail"}});
    let tasks = json!([
        {"name": "last", "template": "echo", "depends": "left.Succeeded && right"},
        {"name": "left", "template": "echo", "dependencies": ["first"]},
        {"name": "right", "template": "bad", "dependencies": ["first"]},
        {"name": "first", "template": "echo"},
    ]);
    let api =
        run(&cluster, &several(&json!([{"name": "main", "dag": {"tasks": tasks}}, echo("echo"), bad]))).await;
    let failed = phase(&api, "Failed").await;
    assert_eq!(node(&failed, "left")["phase"], "Succeeded");
    assert_eq!(node(&failed, "last")["phase"], "Omitted");
    assert_eq!(failed.data["status"]["progress"], "2/3");
}

#[tokio::test]
async fn a_suspended_workflow_makes_no_progress_until_it_is_resumed() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("5ms", "succeed", &json!({"suspend": true}))).await;
    let held = phase(&api, "Running").await;
    assert_eq!(held.data["status"]["nodes"], Value::Null);
    assert!(pods(&cluster).list(&ListParams::default()).await.unwrap().items.is_empty());
    patch(&api, json!({"spec": {"suspend": null}})).await;
    phase(&api, "Succeeded").await;
}

#[tokio::test]
async fn a_terminated_workflow_fails_and_its_pod_goes() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("1h", "succeed", &json!({}))).await;
    until("a pod", async || pods(&cluster).get_opt("report").await.unwrap().map(drop)).await;
    patch(&api, json!({"spec": {"shutdown": "Terminate"}})).await;
    let failed = phase(&api, "Failed").await;
    assert_eq!(failed.data["status"]["message"], "Stopped with strategy 'Terminate'");
    until("no pod", async || pods(&cluster).get_opt("report").await.unwrap().is_none().then_some(())).await;
}

#[tokio::test]
async fn a_pod_that_is_deleted_is_an_error() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("1h", "succeed", &json!({}))).await;
    until("a pod", async || pods(&cluster).get_opt("report").await.unwrap().map(drop)).await;
    pods(&cluster).delete("report", &DeleteParams::default()).await.unwrap();
    assert_eq!(phase(&api, "Error").await.data["status"]["message"], "pod deleted");
}

#[tokio::test]
async fn a_workflow_runs_the_template_it_names_and_errs_without_it() {
    let cluster = cluster().await;
    let reference = json!({"workflowTemplateRef": {"name": "shared"}});
    let named = object("Workflow", "report", &json!({RUN_FOR: "5ms"}), &reference);
    let api = run(&cluster, &named).await;
    let failed = phase(&api, "Error").await;
    assert_eq!(failed.data["status"]["message"], r#"workflowtemplates.argoproj.io "shared" not found"#);
    assert_eq!(label(&failed, "completed"), "true");
    let spec = json!({"entrypoint": "main", "templates": [echo("main")]});
    let template = object("WorkflowTemplate", "shared", &json!({}), &spec);
    argo(&cluster, "WorkflowTemplate").create(&PostParams::default(), &template).await.unwrap();
    api.delete("report", &DeleteParams::default()).await.unwrap();
    let api = run(&cluster, &named).await;
    let done = phase(&api, "Succeeded").await;
    assert_eq!(done.data["status"]["storedWorkflowTemplateSpec"]["entrypoint"], "main");
}

#[tokio::test]
async fn a_wrong_spec_fails_at_once() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("5ms", "succeed", &json!({"entrypoint": "none"}))).await;
    let failed = phase(&api, "Failed").await;
    assert_eq!(failed.data["status"]["message"], "invalid spec: template name 'none' undefined");
}

#[tokio::test]
async fn an_ended_workflow_goes_after_its_time_to_live_once_nothing_holds_it() {
    let cluster = cluster().await;
    let strategy = json!({"ttlStrategy": {"secondsAfterSuccess": 1, "secondsAfterCompletion": 3600}});
    let mut workflow = single("5ms", "succeed", &strategy);
    workflow.metadata.finalizers = Some(vec!["tallyman.dev/hold".to_owned()]);
    let api = run(&cluster, &workflow).await;
    until("a mark", async || api.get("report").await.unwrap().metadata.deletion_timestamp).await;
    assert_eq!(phase(&api, "Succeeded").await.metadata.finalizers.unwrap(), ["tallyman.dev/hold"]);
    patch(&api, json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(refusal(api.get("report").await).0, 404);
    until("no pod", async || pods(&cluster).get_opt("report").await.unwrap().is_none().then_some(())).await;
}

#[tokio::test]
async fn a_retried_workflow_runs_again_as_the_same_object() {
    let cluster = cluster().await;
    let api = run(&cluster, &single("5ms", "fail", &json!({}))).await;
    let uid = phase(&api, "Failed").await.metadata.uid;
    pods(&cluster).delete("report", &DeleteParams::default()).await.unwrap();
    // What `argo retry` does.
    patch(
        &api,
        json!({
            "metadata": {
                "labels": {"workflows.argoproj.io/completed": null},
                "annotations": {OUTCOME: null},
            },
            "status": {"phase": "Running", "message": null, "finishedAt": null, "nodes": {"report": null}},
        }),
    )
    .await;
    assert_eq!(phase(&api, "Succeeded").await.metadata.uid, uid);
}
