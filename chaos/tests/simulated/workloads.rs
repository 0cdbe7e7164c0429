//! Deployments, StatefulSets and DaemonSets say of themselves what they do on real clusters, in the same order.

use crate::world::{client, cluster, refusal, until};
use futures::{StreamExt, TryStreamExt};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use tallyman_chaos::SimulatedCluster;

fn api(cluster: &SimulatedCluster, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", kind));
    Api::namespaced_with(client(cluster), "risk", &resource)
}

fn workload(kind: &str, image: &str, change: impl FnOnce(&mut Value)) -> Value {
    let annotations = json!({"simulate.tallyman.dev/start-after": "20ms"});
    let mut value = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}, "annotations": annotations},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    });
    change(&mut value);
    value
}

async fn apply(api: &Api<DynamicObject>, value: &Value) -> Result<DynamicObject, kube::Error> {
    api.patch("web", &PatchParams::apply("tests"), &Patch::Apply(value)).await
}

/// What was written from `version` on, until `holds`.
async fn written(api: &Api<DynamicObject>, version: &str, holds: impl Fn(&Value) -> bool) -> Vec<Value> {
    let watch = api.watch(&WatchParams::default(), version).await.unwrap();
    let mut events = watch.boxed();
    let mut seen = Vec::new();
    let reading = async {
        while let Some(event) = events.try_next().await.unwrap() {
            let (WatchEvent::Added(object) | WatchEvent::Modified(object)) = event else { continue };
            seen.push(serde_json::to_value(object).unwrap());
            if holds(seen.last().unwrap()) {
                return;
            }
        }
    };
    tokio::time::timeout(crate::world::WAIT_MAX, reading).await.unwrap();
    seen
}

/// The fields of each status, `-` where there is none.
fn told(seen: &[Value], fields: &[&str]) -> Vec<String> {
    let one = |value: &Value| {
        let words = fields.iter().map(|field| match &value["status"][field] {
            Value::Null => "-".to_owned(),
            found => found.to_string(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    seen.iter().map(one).collect()
}

fn progressing(value: &Value) -> &str {
    let all = value["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().find(|one| one["type"] == "Progressing").map_or("", |one| one["reason"].as_str().unwrap())
}

const ROLLOUT: [&str; 4] = ["observedGeneration", "replicas", "updatedReplicas", "availableReplicas"];

#[tokio::test]
async fn a_deployment_is_observed_after_its_new_replica_set_and_available_when_its_pods_are() {
    let cluster = cluster().await;
    let api = api(&cluster, "Deployment");
    let three = |value: &mut Value| value["spec"]["replicas"] = json!(3);
    let made = apply(&api, &workload("Deployment", "web:1", three)).await.unwrap();
    assert_eq!(made.data["status"], json!({}), "nobody has looked at it");
    assert_eq!(made.data["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    let is_done = |value: &Value| progressing(value) == "NewReplicaSetAvailable";
    let seen = written(&api, "1", is_done).await;
    assert_eq!(told(&seen, &ROLLOUT), ["- - - -", "- - - -", "1 - - -", "1 3 3 -", "1 3 3 3"]);
    let reasons: Vec<&str> = seen.iter().map(progressing).collect();
    let expected = ["", "NewReplicaSetCreated", "NewReplicaSetCreated", "ReplicaSetUpdated"];
    assert_eq!(reasons[..4], expected);

    // The Pods of the new template take the place of the old ones within the bounds of the strategy.
    let version = seen.last().unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    apply(&api, &workload("Deployment", "web:2", three)).await.unwrap();
    let is_new = |value: &Value| value["status"]["observedGeneration"] == 2 && is_done(value);
    let seen = written(&api, &version, |value| is_new(value) && value["status"]["replicas"] == 3).await;
    let expected = [
        "1 3 3 3", "1 3 3 3", "2 3 - 3", "2 4 1 3", "2 4 1 4", "2 3 1 3", "2 4 2 3", "2 4 2 4", "2 3 2 3",
        "2 4 3 3", "2 4 3 4", "2 3 3 3",
    ];
    assert_eq!(told(&seen, &ROLLOUT), expected);
    let last = seen.last().unwrap();
    assert_eq!(last["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    // The same again is no change, whatever its controller noted beside it.
    let again = apply(&api, &workload("Deployment", "web:2", three)).await.unwrap();
    assert_eq!(again.metadata.resource_version.as_deref(), last["metadata"]["resourceVersion"].as_str());
}

#[tokio::test]
async fn a_deployment_whose_new_pods_never_get_ready_keeps_the_old_ones_and_is_late() {
    let cluster = cluster().await;
    let api = api(&cluster, "Deployment");
    let hurried = |value: &mut Value| value["spec"]["progressDeadlineSeconds"] = json!(1);
    apply(&api, &workload("Deployment", "web:1", hurried)).await.unwrap();
    let status = async |holds: &dyn Fn(&Value) -> bool| {
        until("the status", async || {
            let found = serde_json::to_value(api.get("web").await.unwrap()).unwrap();
            holds(&found).then_some(found)
        })
        .await
    };
    status(&|value| progressing(value) == "NewReplicaSetAvailable").await;
    let broken = |value: &mut Value| {
        hurried(value);
        let annotations = &mut value["spec"]["template"]["metadata"]["annotations"];
        annotations["simulate.tallyman.dev/pod-reason"] = json!("ImagePullBackOff");
    };
    apply(&api, &workload("Deployment", "web:2", broken)).await.unwrap();
    let late = status(&|value| progressing(value) == "ProgressDeadlineExceeded").await;
    assert_eq!(told(&[late], &ROLLOUT), ["2 2 1 1"]);
    apply(&api, &workload("Deployment", "web:1", hurried)).await.unwrap();
    let mended = status(&|value| progressing(value) == "NewReplicaSetAvailable").await;
    assert_eq!(told(&[mended], &ROLLOUT), ["3 1 1 1"]);

    // On the Deployment itself it is of all of its Pods, and goes with the annotation.
    let annotate = async |reason: Value| {
        let annotations = json!({"simulate.tallyman.dev/pod-reason": reason});
        let patch = json!({"metadata": {"annotations": annotations}});
        api.patch("web", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    annotate(json!("CrashLoopBackOff")).await;
    status(&|value| value["status"]["availableReplicas"].is_null()).await;
    annotate(Value::Null).await;
    let back = status(&|value| value["status"]["availableReplicas"] == 1).await;
    assert_eq!((progressing(&back), &back["metadata"]["generation"]), ("NewReplicaSetAvailable", &json!(3)));
    annotate(json!("FailedCreate")).await;
    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    api.patch("web", &PatchParams::default(), &patch).await.unwrap();
    status(&|value| {
        let all = value["status"]["conditions"].as_array().unwrap();
        all.iter().any(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")
    })
    .await;
}

#[tokio::test]
async fn a_stateful_set_replaces_one_pod_after_the_other_and_then_has_one_revision() {
    let cluster = cluster().await;
    let api = api(&cluster, "StatefulSet");
    let two = |value: &mut Value| value["spec"]["replicas"] = json!(2);
    let made = apply(&api, &workload("StatefulSet", "web:1", two)).await.unwrap();
    assert_eq!(made.data["status"], json!({"replicas": 0, "availableReplicas": 0}));
    let fields = ["observedGeneration", "replicas", "readyReplicas", "updatedReplicas", "currentReplicas"];
    let seen = written(&api, "1", |value| value["status"]["readyReplicas"] == 2).await;
    let expected = ["- 0 - - -", "1 0 - - -", "1 1 - 1 1", "1 1 1 1 1", "1 2 1 2 2", "1 2 2 2 2"];
    assert_eq!(told(&seen, &fields), expected);

    let last = seen.last().unwrap();
    let version = last["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    apply(&api, &workload("StatefulSet", "web:2", two)).await.unwrap();
    let is_one = |value: &Value| {
        let status = &value["status"];
        status["currentRevision"] == status["updateRevision"] && status["observedGeneration"] == 2
    };
    let seen = written(&api, &version, is_one).await;
    let expected =
        ["1 2 2 2 2", "2 2 2 - 2", "2 2 1 1 1", "2 2 2 1 1", "2 2 1 2 -", "2 2 2 2 -", "2 2 2 2 2"];
    assert_eq!(told(&seen, &fields), expected);
    assert_ne!(seen.last().unwrap()["status"]["currentRevision"], last["status"]["currentRevision"]);
    let renamed = workload("StatefulSet", "web:2", |value| value["spec"]["serviceName"] = json!("other"));
    assert_eq!(refusal(apply(&api, &renamed).await), (422, "Invalid".to_owned()));
}

#[tokio::test]
async fn a_daemon_set_says_nothing_of_its_nodes_before_its_controller_has_looked() {
    let cluster = cluster().await;
    let api = api(&cluster, "DaemonSet");
    let made = apply(&api, &workload("DaemonSet", "web:1", |_| {})).await.unwrap();
    assert_eq!(
        (&made.data["status"]["desiredNumberScheduled"], made.metadata.generation),
        (&json!(0), Some(1))
    );
    let fields =
        ["observedGeneration", "desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"];
    let seen = written(&api, "1", |value| value["status"]["numberAvailable"] == 1).await;
    assert_eq!(told(&seen, &fields), ["- 0 - -", "1 1 - -", "1 1 1 -", "1 1 1 1"]);
    let version = seen.last().unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    apply(&api, &workload("DaemonSet", "web:2", |_| {})).await.unwrap();
    let is_done = |value: &Value| {
        value["status"]["observedGeneration"] == 2 && value["status"]["updatedNumberScheduled"] == 1
    };
    let seen =
        written(&api, &version, |value| is_done(value) && value["status"]["numberAvailable"] == 1).await;
    assert_eq!(told(&seen, &fields), ["1 1 1 1", "2 1 - 1", "2 1 1 -", "2 1 1 1"]);
}

#[tokio::test]
async fn a_workload_whose_selector_does_not_fit_is_refused_and_a_selector_stays() {
    let cluster = cluster().await;
    let api = api(&cluster, "Deployment");
    let other = |value: &mut Value| value["spec"]["selector"]["matchLabels"]["app"] = json!("api");
    assert_eq!(refusal(apply(&api, &workload("Deployment", "web:1", other)).await).0, 422);
    let once = |value: &mut Value| value["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    assert_eq!(refusal(apply(&api, &workload("Deployment", "web:1", once)).await).0, 422);
    apply(&api, &workload("Deployment", "web:1", |_| {})).await.unwrap();
    let moved = |value: &mut Value| {
        other(value);
        value["spec"]["template"]["metadata"]["labels"]["app"] = json!("api");
    };
    assert_eq!(refusal(apply(&api, &workload("Deployment", "web:1", moved)).await).0, 422);
}
