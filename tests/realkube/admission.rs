//! What a real cluster's admission and its kinds' own rules make of what is kept in sync: it is told, and no loop.

use crate::deployable::{send_to, synced, until_in};
use crate::stage::{Stage, on_east, within};
use serde_json::{Value, json};

const HERE: &str = "admission";

/// Changes fields that Tallyman applies, one of them with each write to something else, and adds one beside them.
fn policy() -> Value {
    let always = "Object{data: {\"level\": \"forced\", \"beside\": \"x\"}}";
    let each_time = "[JSONPatch{op: \"add\", path: \"/data/stamp\", \
                     value: string(object.metadata.?resourceVersion.orValue(\"none\"))}]";
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": HERE},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": HERE}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                    "operations": ["CREATE", "UPDATE"]}],
            },
            "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": always}},
                {"patchType": "JSONPatch", "jsonPatch": {"expression": each_time}},
            ],
        },
    })
}

fn deployable() -> Value {
    // The server says the same in other words: 1 and 1Gi.
    let limits = json!({"cpu": "1000m", "memory": "1024Mi"});
    let container = json!({"name": "main", "image": "busybox", "resources": {"limits": limits},
        "ports": [{"containerPort": 80}]});
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [container]}});
    let data = json!({"level": "info", "stamp": "mine", "desk": "rates"});
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data},
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "warm"},
                "spec": {"suspend": true, "template": template}},
        ]},
    })
}

fn count(stage: &Stage, resource: &str, verb: &str) -> usize {
    stage.east.asked_for(HERE, resource).get(verb).copied().unwrap_or_default()
}

/// Waits until Tallyman has looked at both objects some times more.
async fn looked_at(stage: &Stage, times: usize) {
    let looks = |resource| count(stage, resource, "get");
    let before = [looks("configmaps"), looks("jobs")];
    within("it is looked at", async || {
        let now = [looks("configmaps"), looks("jobs")];
        (now[0] >= before[0] + times && now[1] >= before[1] + times).then_some(())
    })
    .await;
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn what_admission_and_defaults_make_of_an_apply_is_told_and_is_no_drift() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        stage.east.apply(&policy()).await;
        let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": HERE}, "spec": {"policyName": HERE}});
        stage.east.apply(&binding).await;
        within("the policy is in force", async || {
            let probe = ["create", "configmap", "probe", "-n", HERE, "--dry-run=server", "-o", "json"];
            stage.east.kubectl(&probe).await.contains("forced").then_some(())
        })
        .await;
        send_to(stage, HERE, reqwest::Method::POST, "", &deployable()).await;
        let shown = until_in(stage, HERE, "it is there", synced(1)).await;
        let objects = &shown["status"]["clusters"][0]["objects"];
        assert_eq!(objects[0]["admitted"], json!(["/data/level", "/data/stamp"]), "{shown:#}");
        let limits = "/spec/template/spec/containers/0/resources/limits";
        assert_eq!(objects[1]["admitted"], json!([format!("{limits}/cpu"), format!("{limits}/memory")]));
        let there = stage.east.find(HERE, "configmap", "settings").await.unwrap();
        assert_eq!((&there["data"]["level"], &there["data"]["beside"]), (&json!("forced"), &json!("x")));

        // One write after the create gives up what that owned, the next applies; a leader that is killed meanwhile has each
        // made once more. After that there is nothing to do, however often it looks.
        let writes = || [count(stage, "configmaps", "patch"), count(stage, "jobs", "patch")];
        let first = writes();
        assert!(first.iter().all(|count| (2..=4).contains(count)), "{first:?}");
        looked_at(stage, 4).await;
        assert_eq!(writes(), first);

        // What somebody else writes has the policy change our field once more: that is drift, and is set right once,
        // to whatever the policy makes of it then.
        stage.east.merge(HERE, "configmap", "settings", &json!({"data": {"own": "x"}})).await;
        let corrected = |on: &Value| synced(1)(on) && on["objects"][0]["corrections"] == 1;
        let shown = until_in(stage, HERE, "it is set right", corrected).await;
        assert_eq!(shown["status"]["clusters"][0]["objects"][0]["admitted"][1], "/data/stamp");
        let then = writes();
        assert!((first[0] + 1..=first[0] + 2).contains(&then[0]) && then[1] == first[1], "{then:?}");
        looked_at(stage, 4).await;
        assert_eq!(writes(), then);
        stage.east.kubectl(&["delete", "mutatingadmissionpolicybinding", HERE]).await;
    });
}
