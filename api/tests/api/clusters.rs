//! Clusters.

use crate::client::start;
use crate::samples::CLUSTERS;
use serde_json::{Value, json};
use tallyman_model::command::Contact;
use tallyman_model::rule::Verdict;
use tallyman_model::{Command, ReplicaId};

fn cluster(name: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": name, "labels": {"zone": "a"}},
        "spec": {"kubeconfig": {"path": "/etc/tallyman/east.yaml", "context": "admin"}},
    })
}

#[tokio::test]
async fn a_cluster_is_registered_read_changed_and_taken_out() {
    let server = start().await;
    let east = format!("{CLUSTERS}/east");
    let document = server.post(CLUSTERS, &cluster("east")).await.done(201);
    assert_eq!(
        document["spec"]["kubeconfig"],
        json!({"path": "/etc/tallyman/east.yaml", "context": "admin"})
    );
    assert_eq!(
        (&document["status"]["timeline"], &document["status"]["quarantined"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(document["status"]["reachable"], Value::Null);
    server.post(CLUSTERS, &cluster("east")).await.refused(409, "AlreadyExists");
    let cordon = json!({"spec": {"cordoned": true}});
    let document = server.merge(&east, &cordon).await.done(200);
    assert_eq!(
        (&document["spec"]["cordoned"], &document["metadata"]["labels"]["zone"]),
        (&json!(true), &json!("a"))
    );
    let labels = json!({"metadata": {"labels": {"zone": null, "tier": "1"}}});
    let document = server.merge(&east, &labels).await.done(200);
    assert_eq!(document["metadata"]["labels"], json!({"tier": "1"}));
    assert_eq!(document["spec"]["cordoned"], true);
    let mut changed = server.get(&east).await.json();
    changed["spec"]["paused"] = json!(true);
    let reply = server.send("PUT", &east, &[], changed.to_string()).await;
    assert_eq!(reply.done(200)["spec"]["paused"], true);
    // The document that was put has the revision of before.
    server.send("PUT", &east, &[], changed.to_string()).await.refused(409, "Conflict");
    let list = server.get(CLUSTERS).await.done(200);
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("ClusterList"), 1));
    let stale = [("if-match", "\"4\"")];
    server.send("DELETE", &east, &stale, "").await.refused(412, "PreconditionFailed");
    assert_eq!(server.send("DELETE", &east, &[], "").await.done(200)["status"], "Success");
    server.get(&east).await.refused(404, "NotFound");
    server.send("DELETE", &east, &[], "").await.refused(404, "NotFound");
    server.merge(&east, &cordon).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_cluster_with_active_runs_is_not_taken_out() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    server.send("DELETE", &format!("{CLUSTERS}/east"), &[], "").await.refused(409, "Conflict");
    let document = server.get(&format!("{CLUSTERS}/east")).await.done(200);
    assert_eq!(document["status"]["activeRuns"], 1);
    assert_eq!(document["status"]["kubeSystemUID"], "uid-of-east");
}

#[tokio::test]
async fn a_cluster_with_objects_of_ended_runs_is_taken_out_only_if_they_may_stay_behind() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let path = format!("{CLUSTERS}/east");
    let delete = |query: &'static str, body: Value| {
        let (server, path) = (&server, format!("{path}{query}"));
        async move {
            server.send("DELETE", &path, &[("content-type", "application/json")], body.to_string()).await
        }
    };
    let orphan = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"});
    // Not while runs are active.
    delete("", orphan.clone()).await.refused(409, "Conflict");
    server.memory.observe("a", Verdict::Succeeded, false);
    for policy in ["Background", "Foreground"] {
        let reply = delete("", json!({"propagationPolicy": policy})).await;
        assert!(reply.refused(409, "Conflict").contains("objects"));
        assert_eq!(reply.json()["details"]["name"], "east");
    }
    server.send("DELETE", &path, &[], "").await.refused(409, "Conflict");
    delete("", json!({"propagationPolicy": "Some"})).await.refused(422, "Invalid");
    delete("", json!({"propagationPolicy": true})).await.refused(422, "Invalid");
    server.get(&path).await.done(200);
    delete("", orphan).await.done(200);
    server.get(&path).await.refused(404, "NotFound");
    let west = server.memory.cluster("west");
    server.submit("b").await;
    server.memory.started("b", west);
    server.memory.observe("b", Verdict::Succeeded, false);
    let west = format!("{CLUSTERS}/west");
    server.send("DELETE", &west, &[], "").await.refused(409, "Conflict");
    server.send("DELETE", &format!("{west}?propagationPolicy=Orphan"), &[], "").await.done(200);
}

#[tokio::test]
async fn inline_credentials_and_other_nonsense_are_refused_and_not_quoted() {
    let server = start().await;
    let mut body = cluster("east");
    body["spec"]["kubeconfig"] = json!("apiVersion: v1\nusers: [{user: {token: hunter2}}]");
    let reply = server.post(CLUSTERS, &body).await;
    reply.refused(422, "Invalid");
    assert!(!reply.text().contains("hunter2"));
    let mut body = cluster("east");
    body["spec"]["token"] = json!("hunter2");
    let reply = server.post(CLUSTERS, &body).await;
    assert!(reply.refused(422, "Invalid").contains("spec.token"));
    assert!(!reply.text().contains("hunter2"));
    server.post(CLUSTERS, &cluster("East")).await.refused(422, "Invalid");
    server.merge(&format!("{CLUSTERS}/east"), &json!({"spec": {"paused": 1}})).await.refused(404, "NotFound");
    server.post(CLUSTERS, &cluster("east")).await.done(201);
    server.merge(&format!("{CLUSTERS}/east"), &json!({"spec": {"paused": 1}})).await.refused(422, "Invalid");
    server
        .merge(&format!("{CLUSTERS}/east"), &json!({"spec": {"kubeconfig": null}}))
        .await
        .refused(422, "Invalid");
}

#[tokio::test]
async fn a_quarantine_ends_when_the_identity_is_confirmed() {
    let server = start().await;
    let ordinal = server.memory.cluster("east");
    server.memory.run(Command::Contact(Contact {
        cluster: ordinal,
        reachable: true,
        kube_system_uid: Some("another".to_owned()),
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: Vec::new(),
        message: String::new(),
    }));
    let east = format!("{CLUSTERS}/east");
    assert_eq!(server.get(&east).await.json()["status"]["quarantined"], true);
    let confirm = format!("{east}/confirm");
    server.post(&confirm, &json!({"uid": "another"})).await.refused(422, "Invalid");
    let document = server.post(&confirm, &json!({"kubeSystemUID": "another"})).await.done(200);
    assert_eq!(document["status"]["quarantined"], false);
    assert_eq!(
        (&document["status"]["kubeSystemUID"], &document["status"]["timeline"]),
        (&json!("another"), &json!(2))
    );
}

#[tokio::test]
async fn a_cluster_is_reached_through_a_datacenter_and_says_who_relays() {
    let server = start().await;
    server.memory.raise();
    let mut plant = cluster("plant");
    plant["spec"]["via"] = json!(3);
    assert!(server.post(CLUSTERS, &plant).await.done(422).to_string().contains("spec.via"));
    plant["spec"]["via"] = json!("nowhere");
    let refused = server.post(CLUSTERS, &plant).await.done(422);
    let words = "no replica is in datacenter \"nowhere\"; they are in dc1, dc2, dc3";
    assert!(refused["message"].as_str().unwrap().contains(words), "{refused}");
    plant["spec"]["via"] = json!("dc2");
    assert_eq!(server.post(CLUSTERS, &plant).await.done(201)["spec"]["via"], "dc2");
    let cluster = server.memory.look(|view| tallyman_model::query::cluster(view, "plant")).unwrap().unwrap();
    server.memory.run(Command::Contact(Contact {
        cluster: cluster.head.ordinal,
        reachable: true,
        kube_system_uid: Some("plant".to_owned()),
        version: String::new(),
        rewound: false,
        relayed_by: Some(ReplicaId(2)),
        unwatched: Vec::new(),
        message: String::new(),
    }));
    let plant = format!("{CLUSTERS}/plant");
    assert_eq!(server.get(&plant).await.json()["status"]["relayedBy"], "r2 of dc2");
    let direct = server.merge(&plant, &json!({"spec": {"via": null}})).await.done(200);
    assert_eq!(direct["spec"]["via"], Value::Null);
}

#[tokio::test]
async fn clusters_are_watched() {
    let server = start().await;
    let mut watch = server.watch(&format!("{CLUSTERS}?watch=true&labelSelector=zone%3Da")).await;
    server.post(CLUSTERS, &cluster("east")).await.done(201);
    assert_eq!(watch.event().await.0, "ADDED");
    let patch = json!({"metadata": {"labels": {"zone": "b"}}});
    server.merge(&format!("{CLUSTERS}/east"), &patch).await.done(200);
    assert_eq!(watch.event().await.0, "DELETED");
}

#[tokio::test]
async fn a_cluster_is_watched_by_namespaces_where_that_is_said() {
    let server = start().await;
    server.memory.raise();
    let mut shared = cluster("shared");
    shared["spec"]["watchNamespaces"] = json!(["risk"]);
    assert!(server.post(CLUSTERS, &shared).await.done(422).to_string().contains("spec.watchNamespaces"));
    shared["spec"]["watchScope"] = json!("Namespaces");
    let spec = server.post(CLUSTERS, &shared).await.done(201)["spec"].clone();
    assert_eq!((&spec["watchScope"], &spec["watchNamespaces"]), (&json!("Namespaces"), &json!(["risk"])));
    let shared = format!("{CLUSTERS}/shared");
    let whole = json!({"spec": {"watchScope": "Cluster", "watchNamespaces": null}});
    let spec = server.merge(&shared, &whole).await.done(200)["spec"].clone();
    assert_eq!((&spec["watchScope"], &spec["watchNamespaces"]), (&Value::Null, &Value::Null));
}
