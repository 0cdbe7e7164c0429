//! What is kept in sync by server-side apply: ownership, defaults and conflicts are the real server's.

use crate::dev::{answer, path};
use crate::stage::{Stage, on_east, within};
use serde_json::{Value, json};

const HERE: &str = "deployable";

fn deployable(level: &str) -> Value {
    let container = json!({"name": "main", "image": "busybox", "command": ["sleep", "1h"], "env": [{"name": "LEVEL", "value": level}]});
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [container]}});
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": level, "desk": "rates"}},
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": format!("warm-{level}")},
                "spec": {"suspend": true, "template": template}},
        ]},
    })
}

/// The deployables of a namespace.
fn at(namespace: &str, rest: &str) -> String {
    path(&format!("namespaces/{namespace}/deployables{rest}"))
}

async fn send(stage: &Stage, method: reqwest::Method, rest: &str, body: &Value) -> Value {
    send_to(stage, HERE, method, rest, body).await
}

pub(crate) async fn send_to(
    stage: &Stage,
    namespace: &str,
    method: reqwest::Method,
    rest: &str,
    body: &Value,
) -> Value {
    within(&format!("{method} {rest} is taken"), async || {
        let url = format!("{}{}", stage.dev.leader().await.url, at(namespace, rest));
        let taken = answer(stage.dev.http.request(method.clone(), url).json(body)).await?;
        (taken.status < 300).then_some(taken.body)
    })
    .await
}

/// Waits until what is on the cluster is as `holds` says.
async fn until_it(stage: &Stage, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    until_in(stage, HERE, what, holds).await
}

/// The same of `settings` in any namespace.
pub(crate) async fn until_in(
    stage: &Stage,
    namespace: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    within(what, async || {
        let read = stage.dev.get(&stage.dev.leader().await.url, &at(namespace, "/settings")).await?;
        holds(&read.body["status"]["clusters"][0]).then_some(read.body)
    })
    .await
}

pub(crate) fn synced(revision: u64) -> impl Fn(&Value) -> bool {
    move |on| on["state"] == "Synced" && on["appliedRevision"] == revision
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn what_others_change_is_set_right_and_defaults_and_fields_of_others_are_let_be() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        send(stage, reqwest::Method::POST, "", &deployable("info")).await;
        until_it(stage, "it is there", synced(1)).await;
        let made = stage.east.find(HERE, "configmap", "settings").await.unwrap();
        let managers = made["metadata"]["managedFields"].as_array().unwrap().clone();
        assert!(managers.len() == 1 && managers[0]["operation"] == "Apply", "{managers:#?}");

        let theirs = json!({"data": {"level": "trace", "own": "x"}});
        stage.east.merge(HERE, "configmap", "settings", &theirs).await;
        let set_right = until_it(stage, "the drift is corrected", |on| {
            synced(1)(on) && on["objects"][0]["corrections"] == 1
        })
        .await;
        let now = stage.east.find(HERE, "configmap", "settings").await.unwrap();
        let expected = json!({"level": "info", "desk": "rates", "own": "x"});
        assert_eq!(now["data"], expected, "{set_right:#}");
        // What the server filled in, and a controller's status, are no drift.
        assert_eq!(set_right["status"]["clusters"][0]["objects"][1]["corrections"], Value::Null);

        // A field of somebody else is a conflict, and taken only when the spec says so.
        let mut wants = deployable("info");
        wants["spec"]["manifests"][0]["data"]["own"] = json!("ours");
        send(stage, reqwest::Method::PUT, "/settings", &wants).await;
        let said = until_it(stage, "the conflict is shown", |on| on["state"] == "Failing").await;
        let message = said["status"]["clusters"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("kubectl-patch") && message.contains(".data.own"), "{message}");
        wants["spec"]["onConflict"] = json!("Force");
        send(stage, reqwest::Method::PUT, "/settings", &wants).await;
        until_it(stage, "it is taken", synced(3)).await;
        let now = stage.east.find(HERE, "configmap", "settings").await.unwrap();
        assert_eq!(now["data"]["own"], "ours");

        // What leaves the bundle is pruned, and what is applied no more goes.
        send(stage, reqwest::Method::PUT, "/settings", &deployable("debug")).await;
        until_it(stage, "the new revision is there", synced(4)).await;
        assert!(stage.east.find(HERE, "job", "warm-info").await.is_none());
        let now = stage.east.find(HERE, "configmap", "settings").await.unwrap();
        assert_eq!(now["data"], json!({"level": "debug", "desk": "rates"}));
        send(stage, reqwest::Method::DELETE, "/settings", &json!({})).await;
        within("all is gone", async || {
            let left = stage.east.find(HERE, "configmap", "settings").await;
            left.is_none().then_some(())
        })
        .await;
    });
}
