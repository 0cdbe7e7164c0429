//! `deployables`, as clients meet them.

use crate::client::{Server, start};
use serde_json::{Value, json};
use tallyman_model::command::{ConcludeSync, IntendSync, RaiseVersion, SyncOutcome};
use tallyman_model::record::{Permit, SyncAction};
use tallyman_model::{Command, GROUP_VERSION, ReplicaId, query};

pub(crate) const DEPLOYABLES: &str = "/apis/tallyman.dev/v1/namespaces/risk/deployables";

pub(crate) fn deployable(level: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable",
        "metadata": {"name": "settings", "labels": {"desk": "rates"}},
        "spec": {"manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": level}},
        ]},
    })
}

fn one() -> String {
    format!("{DEPLOYABLES}/settings")
}

pub(crate) async fn upgraded() -> Server {
    let server = start().await;
    let understood_by = [1, 2, 3].map(ReplicaId).to_vec();
    server.memory.run(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    server
}

async fn deployed() -> Server {
    let server = upgraded().await;
    server.memory.cluster("east");
    server.post(DEPLOYABLES, &deployable("info")).await.done(201);
    server
}

#[tokio::test]
async fn what_is_taken_is_shown_with_its_clusters_and_its_manifests() {
    let server = deployed().await;
    let shown = server.get(&one()).await.done(200);
    assert_eq!(shown["metadata"]["generation"], 1);
    assert_eq!(shown["spec"]["manifests"][0]["data"]["level"], "info");
    assert_eq!((&shown["spec"]["drift"], &shown["spec"]["prune"]), (&json!("Correct"), &json!(true)));
    let on = &shown["status"]["clusters"][0];
    assert_eq!(
        (&on["cluster"], &on["state"], &on["appliedRevision"]),
        (&json!("east"), &json!("Syncing"), &json!(0))
    );
    assert_eq!(shown["status"]["conditions"][0]["status"], "False");
    let list = server.get("/apis/tallyman.dev/v1/deployables?labelSelector=desk%3Drates").await.done(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let again = server.post(DEPLOYABLES, &deployable("info")).await;
    again.refused(409, "AlreadyExists");
}

#[tokio::test]
async fn a_new_spec_is_a_new_revision_whichever_way_it_is_sent() {
    let server = deployed().await;
    let put = server.send("PUT", &one(), &[], deployable("debug").to_string()).await.done(200);
    assert_eq!((&put["metadata"]["generation"], &put["status"]["revision"]), (&json!(2), &json!(2)));
    let merge = [("content-type", "application/merge-patch+json")];
    let ignore = json!({"spec": {"ignore": ["/data/level"]}}).to_string();
    let patched = server.send("PATCH", &one(), &merge, ignore).await.done(200);
    assert_eq!(patched["status"]["revision"], 3);
    assert_eq!(patched["spec"]["manifests"][0]["data"]["level"], "debug");
    let apply = [("content-type", "application/apply-patch+yaml")];
    let applied = format!("{}?fieldManager=kubectl", one());
    let applied = server.send("PATCH", &applied, &apply, deployable("warn").to_string()).await.done(200);
    assert_eq!((&applied["status"]["revision"], &applied["spec"]["ignore"]), (&json!(4), &Value::Null));
    let labels = json!({"metadata": {"labels": {"desk": "credit"}}}).to_string();
    let labelled = server.send("PATCH", &one(), &merge, labels).await.done(200);
    assert_eq!(
        (&labelled["status"]["revision"], &labelled["metadata"]["labels"]["desk"]),
        (&json!(4), &json!("credit"))
    );
}

#[tokio::test]
async fn server_side_apply_makes_what_is_not_there() {
    let server = upgraded().await;
    let apply = [("content-type", "application/apply-patch+yaml")];
    let path = format!("{}?fieldManager=kubectl", one());
    server.send("PATCH", &path, &apply, deployable("info").to_string()).await.done(201);
    server.send("PATCH", &path, &apply, deployable("info").to_string()).await.done(200);
    assert_eq!(server.get(&one()).await.done(200)["metadata"]["generation"], 1);
}

#[tokio::test]
async fn an_earlier_revision_is_listed_and_taken_up_again() {
    let server = deployed().await;
    server.send("PUT", &one(), &[], deployable("debug").to_string()).await.done(200);
    let back = server.post(&format!("{}/rollback", one()), &json!({})).await.done(200);
    assert_eq!(
        (&back["status"]["revision"], &back["spec"]["manifests"][0]["data"]["level"]),
        (&json!(3), &json!("info"))
    );
    let kept = server.get(&format!("{}/revisions", one())).await.done(200);
    let said = |at: usize| (kept["items"][at]["revision"].clone(), kept["items"][at]["rolledBackTo"].clone());
    assert_eq!((said(1), said(2)), ((json!(2), Value::Null), (json!(3), json!(1))));
    let none = server.post(&format!("{}/rollback", one()), &json!({"revision": 9})).await;
    assert!(none.refused(422, "Invalid").contains("kept are 1, 2, 3"));
    server.post(&format!("{}/rollback", one()), &json!({"to": 1})).await.refused(422, "Invalid");
}

#[tokio::test]
async fn a_deleted_one_stays_until_its_clusters_are_clean_and_goes_at_once_where_nothing_was_made() {
    let server = upgraded().await;
    server.post(DEPLOYABLES, &deployable("info")).await.done(201);
    let gone = server.send("DELETE", &one(), &[], "").await.done(200);
    assert_eq!(gone["kind"], "Status");
    server.get(&one()).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_deleted_one_says_until_when_a_create_that_may_still_arrive_is_waited_for() {
    let server = deployed().await;
    let deployable = server.memory.look(|view| query::deployable(view, "risk", "settings")).unwrap().unwrap();
    let on = server.memory.look(|view| query::installations(view, deployable.head.ordinal)).unwrap();
    let (installation, action) = (on[0].ordinal, SyncAction::Create);
    let permit = Permit { term: 1, leader: ReplicaId(1), incarnation: 7 };
    server.memory.run(Command::IntendSync(IntendSync { installation, object: 0, action, permit }));
    let intent = server.memory.index();
    server.send("DELETE", &one(), &[], "").await.done(200);
    // The next leader looks, and finds nothing: what the former one sent may be under way.
    let (name, outcome) = ("settings".to_owned(), SyncOutcome::Absent);
    server.memory.run(Command::ConcludeSync(ConcludeSync { installation, name, intent, outcome }));
    let left = server.get(&one()).await.done(200);
    let (on, words) = (&left["status"]["clusters"][0], left["status"]["message"].as_str().unwrap());
    assert_eq!((&on["state"], &on["objects"][0]["state"]), (&json!("Leaving"), &json!("Absent")));
    assert!(words.starts_with("ConfigMap risk/settings on east: it is not there, but a create"), "{words}");
    assert!(words.contains("looked for once more at 2026-11-18T"), "{words}");
    assert!(words.ends_with(on["objects"][0]["message"].as_str().unwrap()), "{on}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words_and_an_old_revision_is_a_conflict() {
    let server = deployed().await;
    let mut asked = deployable("info");
    asked["spec"]["rollout"] = json!({"minReady": "5m"});
    let words = server.send("PUT", &one(), &[], asked.to_string()).await.refused(422, "Invalid");
    assert!(words.contains("on how many clusters at a time"), "{words}");
    let mut old = deployable("debug");
    old["metadata"]["resourceVersion"] = json!("1");
    server.send("PUT", &one(), &[], old.to_string()).await.refused(409, "Conflict");
    let merge = [("content-type", "application/merge-patch+json")];
    let none = format!("{DEPLOYABLES}/none");
    server.send("PATCH", &none, &merge, "{}").await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_rehearsed_change_says_what_would_be() {
    let server = deployed().await;
    let path = format!("{}?dryRun=All", one());
    let would = server.send("PUT", &path, &[], deployable("debug").to_string()).await.done(200);
    assert_eq!(would["status"]["revision"], 2);
    assert_eq!(would["spec"]["manifests"][0]["data"]["level"], "debug");
    assert_eq!(server.get(&one()).await.done(200)["status"]["revision"], 1);
}

#[tokio::test]
async fn a_diff_says_what_is_to_be_done_on_each_cluster() {
    let server = deployed().await;
    server.memory.cluster("west");
    let path = format!("{}/diff", one());
    let diff = server.get(&path).await.done(200);
    assert_eq!((&diff["kind"], &diff["revision"]), (&json!("DeployableDiff"), &json!(1)));
    let clusters: Vec<_> = diff["items"].as_array().unwrap().iter().map(|on| on["cluster"].clone()).collect();
    assert_eq!(clusters, ["east", "west"]);
    let object = &diff["items"][0]["objects"][0];
    assert_eq!((&object["action"], &object["name"]), (&json!("Create"), &json!("settings")));
    let one = server.get(&format!("{path}?cluster=west")).await.done(200);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    server.get(&format!("{DEPLOYABLES}/none/diff")).await.refused(404, "NotFound");
}

fn condition(document: &Value, kind: &str) -> (String, String) {
    let conditions = document["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|one| one["type"] == kind).unwrap();
    (found["status"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_revision_that_needs_approval_reaches_no_cluster_before_and_says_for_whom_it_waits() {
    let server = upgraded().await;
    server.memory.cluster("east");
    let mut asked = deployable("info");
    asked["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"], "expireAfter": "90m"});
    let held = server.post(DEPLOYABLES, &asked).await.done(201);
    assert_eq!(held["spec"]["approvals"], asked["spec"]["approvals"]);
    let is_false = |reason: &str| ("False".to_owned(), reason.to_owned());
    assert_eq!(condition(&held, "Approved"), is_false("AwaitingApproval"));
    assert_eq!(condition(&held, "RolledOut"), is_false("AwaitingApproval"));
    assert_eq!(held["status"]["clusters"], json!([]));
    assert!(held["status"]["message"].as_str().unwrap().contains("members of leads decide, not dev"));
    let approvals = format!("{}/approvals", one());
    let decide = |digest: &Value| json!({"decision": "Approve", "digest": digest}).to_string();
    let lead = [("impersonate-user", "eve"), ("impersonate-group", "leads")];
    let digest = &held["status"]["digest"];
    server.send("POST", &approvals, &[], decide(digest)).await.refused(403, "Forbidden");
    server.send("POST", &approvals, &lead, "{}").await.refused(422, "Invalid");
    let other = json!(format!("sha256:{}", "0".repeat(64)));
    server.send("POST", &approvals, &lead, decide(&other)).await.refused(409, "Conflict");
    let approved = server.send("POST", &approvals, &lead, decide(digest)).await.done(201);
    assert_eq!(condition(&approved, "Approved"), ("True".to_owned(), "Approved".to_owned()));
    assert_eq!(approved["status"]["clusters"][0]["cluster"], "east");
    assert_eq!(approved["status"]["approvals"]["given"][0]["user"], "eve");
    server.send("POST", &approvals, &lead, decide(digest)).await.done(200);
}

#[tokio::test]
async fn a_staged_rollout_shows_what_it_waits_for_and_is_paused_and_resumed() {
    let server = upgraded().await;
    server.memory.cluster("east");
    server.memory.cluster("west");
    let mut asked = deployable("info");
    asked["spec"]["rollout"] = json!({"maxUnavailable": 1, "order": ["west"], "minReady": "30s"});
    let begun = server.post(DEPLOYABLES, &asked).await.done(201);
    assert_eq!(begun["spec"]["rollout"], asked["spec"]["rollout"]);
    assert_eq!(begun["status"]["clusters"].as_array().unwrap().len(), 1);
    assert_eq!(begun["status"]["clusters"][0]["cluster"], "west");
    assert_eq!(condition(&begun, "RolledOut"), ("False".to_owned(), "Waiting".to_owned()));
    assert!(begun["status"]["message"].as_str().unwrap().ends_with("applied and healthy for 30s on west"));
    let rollout = format!("{}/rollout", one());
    let paused = server.post(&rollout, &json!({"paused": true})).await.done(200);
    assert_eq!(
        (&paused["status"]["paused"], condition(&paused, "RolledOut").1),
        (&json!(true), "Paused".to_owned())
    );
    let resumed = server.post(&rollout, &json!({"paused": false})).await.done(200);
    assert_eq!(
        (&resumed["status"]["paused"], condition(&resumed, "RolledOut").1),
        (&Value::Null, "Waiting".to_owned())
    );
    server.post(&rollout, &json!({"paused": "yes"})).await.refused(422, "Invalid");
}

#[tokio::test]
async fn a_placement_that_matches_no_cluster_says_so() {
    let server = upgraded().await;
    server.memory.cluster("east");
    let mut asked = deployable("info");
    asked["spec"]["placement"] = json!({"clusterSelector": {"matchLabels": {"zone": "moon"}}});
    let nowhere = server.post(DEPLOYABLES, &asked).await.done(201);
    assert_eq!(condition(&nowhere, "Synced"), ("False".to_owned(), "NoCluster".to_owned()));
    assert!(nowhere["status"]["message"].as_str().unwrap().starts_with("no cluster matches spec.placement"));
}
