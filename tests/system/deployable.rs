//! A deployable on two simulated clusters, as users meet it: made, updated, drifted, corrected, rolled back, deleted,
//! while leaders are killed; compared, and approved.

use crate::dev::{Answer, Dev, PATIENCE, answer, path, signal, until, until_within};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a create that a killed leader had sent may still land: its name is kept as long, and with it the record.
const DOUBT: Duration = Duration::from_secs(70);

pub(crate) fn deployable(level: &str) -> Value {
    let map = |name: &str| {
        let data = json!({"level": level, "desk": "rates"});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
    };
    let template = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "shared"},
        "spec": {"entrypoint": "main", "arguments": {"parameters": [{"name": "level", "value": level}]},
            "templates": [{"name": "main", "container": {"image": "busybox"}}]},
    });
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"clusters": ["east", "west"]}, "manifests": [map("settings"), template]},
    })
}

fn at(rest: &str) -> String {
    path(&format!("namespaces/risk/deployables{rest}"))
}

/// Sends to whichever replica answers.
pub(crate) async fn send(dev: &Dev, method: reqwest::Method, rest: &str, body: &Value) -> Value {
    until(&format!("{method} {rest} is answered"), async || {
        for replica in dev.replicas() {
            let request = dev.http.request(method.clone(), format!("{}{}", replica.url, at(rest)));
            // Each is asked for once in a test.
            let request = request.header("idempotency-key", format!("{method} {rest}")).json(body);
            if let Some(answer) = answer(request).await.filter(|answer| answer.status < 300) {
                return Some(answer.body);
            }
        }
        None
    })
    .await
}

/// Waits until the deployable is as `holds` says, on whichever replica answers.
pub(crate) async fn until_it(dev: &Dev, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    until_within(PATIENCE + DOUBT, what, async || {
        for replica in dev.replicas() {
            let answer = dev.get(&replica.url, &at("/settings")).await;
            if let Some(answer) = answer.filter(|answer| holds(&answer.body)) {
                return Some(answer.body);
            }
        }
        None
    })
    .await
}

pub(crate) fn is_synced(body: &Value, revision: u64) -> bool {
    let clusters = body["status"]["clusters"].as_array().cloned().unwrap_or_default();
    clusters.len() == 2
        && clusters.iter().all(|on| on["state"] == "Synced" && on["appliedRevision"] == revision)
}

/// An object as its cluster has it.
async fn object(dev: &Dev, cluster: &str, path: &str) -> Value {
    let clusters = dev.clusters();
    let (_, server) = clusters.iter().find(|(name, _)| name == cluster).unwrap();
    answer(dev.http.get(format!("{server}{path}"))).await.map_or(Value::Null, |answer| answer.body)
}

const MAP: &str = "/api/v1/namespaces/risk/configmaps/settings";
const TEMPLATE: &str = "/apis/argoproj.io/v1alpha1/namespaces/risk/workflowtemplates/shared";

async fn level(dev: &Dev, cluster: &str) -> (Value, Value) {
    let (map, template) = (object(dev, cluster, MAP).await, object(dev, cluster, TEMPLATE).await);
    (map["data"]["level"].clone(), template["spec"]["arguments"]["parameters"][0]["value"].clone())
}

/// Kills the leader; somebody else goes on.
pub(crate) async fn kill_leader(dev: &Dev) {
    signal(dev.leader().await.pid, Signal::KILL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployable_is_kept_in_sync_while_leaders_are_killed() {
    let dev = Dev::start(&[]).await;
    send(&dev, reqwest::Method::POST, "", &deployable("info")).await;
    kill_leader(&dev).await;
    until_it(&dev, "it is on both clusters", |body| is_synced(body, 1)).await;
    for cluster in ["east", "west"] {
        assert_eq!(level(&dev, cluster).await, (json!("info"), json!("info")), "{cluster}");
    }

    // Somebody edits it on one cluster: that is taken back, and who it was is said.
    let clusters = dev.clusters();
    let east = &clusters.iter().find(|(name, _)| name == "east").unwrap().1;
    let edit = dev
        .http
        .patch(format!("{east}{MAP}?fieldManager=kubectl-edit"))
        .header("content-type", "application/merge-patch+json")
        .body(json!({"data": {"level": "trace"}}).to_string());
    assert_eq!(answer(edit).await.unwrap().status, 200);
    let corrected = until_it(&dev, "the drift is corrected", |body| {
        is_synced(body, 1) && body["status"]["clusters"][0]["objects"][0]["corrections"] == 1
    })
    .await;
    assert_eq!(level(&dev, "east").await.0, json!("info"), "{corrected:#}");

    send(&dev, reqwest::Method::PUT, "/settings", &deployable("debug")).await;
    kill_leader(&dev).await;
    until_it(&dev, "the update is on both clusters", |body| is_synced(body, 2)).await;
    assert_eq!(level(&dev, "west").await, (json!("debug"), json!("debug")));

    send(&dev, reqwest::Method::POST, "/settings/rollback", &json!({"revision": 1})).await;
    until_it(&dev, "the first revision is back", |body| is_synced(body, 3)).await;
    assert_eq!(level(&dev, "west").await, (json!("info"), json!("info")));
    let kept = dev.get(&dev.leader().await.url, &at("/settings/revisions")).await.unwrap().body;
    assert_eq!((kept["items"].as_array().unwrap().len(), &kept["items"][2]["rolledBackTo"]), (3, &json!(1)));

    send(&dev, reqwest::Method::DELETE, "/settings", &json!({})).await;
    kill_leader(&dev).await;
    until_it(&dev, "the record is gone", |body| body["code"] == 404).await;
    for cluster in ["east", "west"] {
        assert_eq!(object(&dev, cluster, MAP).await["code"], 404, "{cluster}");
        assert_eq!(object(&dev, cluster, TEMPLATE).await["code"], 404, "{cluster}");
    }
}

/// What one person decides of the newest revision, asked until it is answered for certain.
async fn decide(dev: &Dev, user: &str, digest: &Value) -> Answer {
    static DECISIONS: AtomicU64 = AtomicU64::new(0);
    let body = json!({"decision": "Approve", "digest": digest});
    let key = format!("decision {}", DECISIONS.fetch_add(1, Ordering::SeqCst));
    until("the decision is answered", async || {
        let replica = dev.replicas()[1].clone();
        let request = dev.http.post(format!("{}{}", replica.url, at("/settings/approvals"))).json(&body);
        let request = request.header("impersonate-user", user).header("impersonate-group", "leads");
        let answered = answer(request.header("idempotency-key", &key)).await;
        answered.filter(|answer| !matches!(answer.status, 429 | 503 | 504))
    })
    .await
}

/// What the replicas say differs of the first object on a cluster: action, revision, and each field with what is wanted,
/// applied and observed.
async fn differs(dev: &Dev, cluster: &str) -> Option<Value> {
    for replica in dev.replicas() {
        let path = at(&format!("/settings/diff?cluster={cluster}"));
        let Some(answer) = dev.get(&replica.url, &path).await.filter(|answer| answer.status == 200) else {
            continue;
        };
        let object = &answer.body["items"][0]["objects"][0];
        let field = |one: &Value| json!([one["path"], one["wanted"], one["applied"], one["observed"]]);
        let fields: Vec<Value> = object["fields"].as_array().into_iter().flatten().map(field).collect();
        return Some(json!([object["action"], object["appliedRevision"], fields]));
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_goes_nowhere_before_it_is_approved_and_its_diff_shows_wanted_applied_and_observed() {
    let dev = Dev::start(&[]).await;
    let guarded = |level: &str| {
        let mut body = deployable(level);
        body["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"]});
        body["spec"]["drift"] = json!("Report");
        body["spec"]["onConflict"] = json!("Force");
        body
    };
    let until_diff = async |cluster: &str, expected: Value| {
        until(&format!("the diff of {cluster} is {expected}"), async || {
            (differs(&dev, cluster).await? == expected).then_some(())
        })
        .await;
    };
    let first = send(&dev, reqwest::Method::POST, "", &guarded("info")).await;
    assert!(first["status"]["message"].as_str().unwrap().contains("members of leads decide, not dev"));
    until_diff("east", json!(["Create", null, []])).await;
    kill_leader(&dev).await;
    let digest = &first["status"]["digest"];
    assert_eq!(decide(&dev, "dev", digest).await.status, 403, "who asked for it does not decide");
    assert_eq!(decide(&dev, "eve", &json!(format!("sha256:{}", "0".repeat(64)))).await.status, 409);
    assert_eq!(object(&dev, "east", MAP).await["code"], 404, "nobody has agreed");
    assert_eq!(decide(&dev, "eve", digest).await.status, 201);
    until_it(&dev, "it is on both clusters", |body| is_synced(body, 1)).await;
    until_diff("east", json!([null, null, []])).await;

    // The next one waits for its own approval; meanwhile somebody changes what is there.
    let second = send(&dev, reqwest::Method::PUT, "/settings", &guarded("debug")).await;
    let clusters = dev.clusters();
    let east = &clusters.iter().find(|(name, _)| name == "east").unwrap().1;
    let edit = dev.http.patch(format!("{east}{MAP}?fieldManager=kubectl-edit"));
    let edit = edit.header("content-type", "application/merge-patch+json");
    let edit = edit.body(json!({"data": {"level": "trace"}}).to_string());
    assert_eq!(answer(edit).await.unwrap().status, 200);
    kill_leader(&dev).await;
    until_diff("east", json!(["Apply", 1, [["/data/level", "debug", "info", "trace"]]])).await;
    until_diff("west", json!(["Apply", 1, [["/data/level", "debug", "info", "info"]]])).await;
    assert_eq!(level(&dev, "west").await, (json!("info"), json!("info")));
    assert_eq!(decide(&dev, "eve", digest).await.status, 409, "that was another revision");
    assert_eq!(decide(&dev, "eve", &second["status"]["digest"]).await.status, 201);
    kill_leader(&dev).await;
    until_it(&dev, "the second revision is on both clusters", |body| is_synced(body, 2)).await;
    for cluster in ["east", "west"] {
        assert_eq!(level(&dev, cluster).await, (json!("debug"), json!("debug")), "{cluster}");
        until_diff(cluster, json!([null, null, []])).await;
    }
}
