//! Clusters that tell of others, and those that they tell of.

use crate::client::start;
use crate::memory::Memory;
use crate::samples::{CLUSTERS, RUNNABLES, runnable};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::command::{FollowDecision, FollowProfile, ProfileSays, TellHub};
use tallyman_model::record::{Credentials, Provider, Server, User};
use tallyman_model::{Command, Env, Ordinal, query};

impl Memory {
    /// A hub tells of `spoke`.
    pub(crate) fn spoke(&self, hub: Ordinal) -> Ordinal {
        let user = User::Provider(Provider { name: "cloud".to_owned(), ..Provider::default() });
        let server = Server { url: "https://spoke:6443".to_owned(), user, ..Server::default() };
        let says = ProfileSays {
            labels: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
            credentials: Some(Credentials::server(server)),
            health: "False (Down)".to_owned(),
            hindrance: Some("it is being moved".to_owned()),
        };
        let (namespace, name) = ("fleet".to_owned(), "spoke".to_owned());
        let follow = FollowProfile { hub, namespace, name, uid: self.env.uid(), says: Some(says) };
        self.run(Command::FollowProfile(Box::new(follow)));
        self.look(|view| query::cluster(view, "spoke")).unwrap().unwrap().head.ordinal
    }
}

fn hub() -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "hub"},
        "spec": {"kubeconfig": {"path": "/etc/hub"}, "hub": {"namespaces": ["fleet", "edge", "fleet"]}},
    })
}

#[tokio::test]
async fn a_hub_is_made_and_unmade_and_says_what_of_it_is_not_followed() {
    let server = start().await;
    server.memory.raise();
    let document = server.post(CLUSTERS, &hub()).await.done(201);
    assert_eq!(document["spec"]["hub"], json!({"namespaces": ["edge", "fleet"]}));
    assert_eq!(document["status"]["hub"], json!({"message": ""}));
    let ordinal = server.memory.look(|view| query::cluster(view, "hub")).unwrap().unwrap().head.ordinal;
    server.memory.run(Command::TellHub(TellHub { hub: ordinal, message: "fleet/a: no".to_owned() }));
    let path = format!("{CLUSTERS}/hub");
    assert_eq!(server.get(&path).await.done(200)["status"]["hub"]["message"], "fleet/a: no");
    let paused = server.merge(&path, &json!({"spec": {"paused": true}})).await.done(200);
    assert_eq!(paused["status"]["hub"]["message"], "fleet/a: no");
    let unmade = server.merge(&path, &json!({"spec": {"hub": null}})).await.done(200);
    assert_eq!((&unmade["spec"]["hub"], &unmade["status"]["hub"]), (&Value::Null, &Value::Null));
    for wrong in [
        json!(true),
        json!({}),
        json!({"namespaces": []}),
        json!({"namespaces": ["A"]}),
        json!({"namespaces": ["a"], "b": 1}),
    ] {
        let refused = server.merge(&path, &json!({"spec": {"hub": wrong}})).await.refused(422, "Invalid");
        assert!(refused.contains("spec.hub"), "{refused}");
    }
}

#[tokio::test]
async fn what_a_hub_says_of_a_cluster_is_shown_and_changed_there_only() {
    let server = start().await;
    server.memory.raise();
    server.post(CLUSTERS, &hub()).await.done(201);
    let hub = server.memory.look(|view| query::cluster(view, "hub")).unwrap().unwrap().head.ordinal;
    let spoke = server.memory.spoke(hub);
    let (namespace, name) = ("fleet".to_owned(), "gpu".to_owned());
    let decision = FollowDecision { hub, namespace, name, clusters: BTreeSet::from([spoke]) };
    server.memory.run(Command::FollowDecision(decision));
    let path = format!("{CLUSTERS}/spoke");
    let document = server.get(&path).await.done(200);
    let expected = json!({"hub": "hub", "namespace": "fleet", "name": "spoke", "controlPlaneHealthy": "False (Down)",
        "message": "it is being moved", "decisions": ["fleet/gpu"]});
    assert_eq!(document["status"]["profile"], expected);
    for wrong in [
        json!({"metadata": {"labels": {"region": null}}}),
        json!({"spec": {"server": {"url": "https://mine"}}}),
        json!({"spec": {"server": null, "kubeconfig": {"path": "/mine"}}}),
    ] {
        let refused = server.merge(&path, &wrong).await.refused(422, "Invalid");
        assert!(refused.contains("ClusterProfile fleet/spoke of hub"), "{refused}");
    }
    let change =
        json!({"metadata": {"labels": {"desk": "rates"}}, "spec": {"cordoned": true, "paused": true}});
    let changed = server.merge(&path, &change).await.done(200);
    assert_eq!(
        (&changed["metadata"]["labels"]["desk"], &changed["spec"]["paused"]),
        (&json!("rates"), &json!(true))
    );
    server.send("DELETE", &path, &[], "").await.refused(409, "Conflict");
    server.send("DELETE", &format!("{CLUSTERS}/hub"), &[], "").await.refused(409, "Conflict");
}

#[tokio::test]
async fn a_placement_names_a_decision_with_its_namespace() {
    let server = start().await;
    server.memory.raise();
    let mut run = runnable("a");
    run["spec"]["placement"] = json!({"decision": "fleet/gpu"});
    let document = server.post(RUNNABLES, &run).await.done(201);
    assert_eq!(document["spec"]["placement"], run["spec"]["placement"]);
    run["spec"]["placement"] = json!({"decision": "gpu"});
    let refused = server.post(RUNNABLES, &run).await.refused(422, "Invalid");
    assert!(refused.contains("must be NAMESPACE/NAME of a PlacementDecision"), "{refused}");
}
