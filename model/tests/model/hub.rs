//! Clusters that a hub tells of, and its placement decisions.

use crate::world::World;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

/// East tells of what is in `fleet`.
fn hubbed() -> World {
    let mut world = World::upgraded();
    tell(&mut world, &["fleet"]);
    world
}

fn tell(world: &mut World, namespaces: &[&str]) {
    let hub = Some(namespaces.iter().map(|&name| name.to_owned()).collect());
    world.ok(change(UpdateCluster { name: "east".to_owned(), hub, ..UpdateCluster::default() }));
}

fn change(update: UpdateCluster) -> Command {
    Command::UpdateCluster(update)
}

fn says(url: &str) -> ProfileSays {
    let user = User::Provider(Provider { name: "cloud".to_owned(), ..Provider::default() });
    let server = Server { url: url.to_owned(), user, ..Server::default() };
    ProfileSays {
        labels: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
        credentials: Some(Credentials::server(server)),
        ..ProfileSays::default()
    }
}

fn follow(world: &mut World, name: &str, says: Option<ProfileSays>) -> Result<Done, Refusal> {
    let (hub, uid) = (world.cluster("east").head.ordinal, world.uid());
    let follow = FollowProfile { hub, namespace: "fleet".to_owned(), name: name.to_owned(), uid, says };
    world.run_as(&Principal::leader(), Command::FollowProfile(Box::new(follow)))
}

fn followed(world: &mut World, name: &str) -> Cluster {
    follow(world, name, Some(says(&format!("https://{name}")))).unwrap();
    let cluster = world.cluster(name);
    world.contact(cluster.head.ordinal, &format!("{name}-identity"));
    world.cluster(name)
}

fn decide(world: &mut World, names: &[&str]) {
    let clusters: BTreeSet<Ordinal> = names.iter().map(|name| world.cluster(name).head.ordinal).collect();
    let hub = world.cluster("east").head.ordinal;
    let (namespace, name) = ("fleet".to_owned(), "gpu".to_owned());
    world.ok(Command::FollowDecision(FollowDecision { hub, namespace, name, clusters }));
}

#[test]
fn a_profile_makes_a_cluster_that_follows_it() {
    let mut world = hubbed();
    let spoke = followed(&mut world, "spoke");
    assert!(spoke.takes_work());
    assert_eq!(spoke.head.created_by, "ClusterProfile fleet/spoke of east");
    assert_eq!(spoke.head.labels["region"], "eu");
    let mut other = says("https://elsewhere");
    other.labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    other.health = "False (Down)".to_owned();
    follow(&mut world, "spoke", Some(other.clone())).unwrap();
    let spoke = world.cluster("spoke");
    assert_eq!(spoke.credentials.server.as_ref().unwrap().url, "https://elsewhere");
    assert_eq!(spoke.head.labels, BTreeMap::from([("zone".to_owned(), "a".to_owned())]));
    assert!(spoke.takes_work(), "what a hub says of its health decides nothing");
    let revision = world.cluster("spoke").head.revision;
    follow(&mut world, "spoke", Some(other)).unwrap();
    assert_eq!(world.cluster("spoke").head.revision, revision, "the same changes nothing");
}

#[test]
fn what_the_hub_says_is_not_for_users_to_change_and_all_else_is() {
    let mut world = hubbed();
    let spoke = followed(&mut world, "spoke");
    let update = || UpdateCluster { name: "spoke".to_owned(), ..UpdateCluster::default() };
    let labels = BTreeMap::from([("region".to_owned(), "us".to_owned())]);
    let credentials = Some(Credentials::kubeconfig("/mine", None));
    let refused =
        world.run(change(UpdateCluster { labels: Some(labels), credentials, ..update() })).unwrap_err();
    let fields: Vec<&str> = refused.causes.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!((refused.kind, fields), (RefusalKind::Invalid, vec!["spec.server", "metadata.labels"]));
    assert_eq!(refused.causes[0].message, "comes from ClusterProfile fleet/spoke of east: change it there");
    let mut labels = spoke.head.labels.clone();
    labels.insert("desk".to_owned(), "rates".to_owned());
    let credentials = Some(spoke.credentials.clone());
    world.ok(change(UpdateCluster {
        labels: Some(labels),
        credentials,
        cordoned: Some(true),
        paused: Some(true),
        ..update()
    }));
    follow(&mut world, "spoke", Some(says("https://spoke"))).unwrap();
    let spoke = world.cluster("spoke");
    assert!(spoke.cordoned && spoke.paused && spoke.head.labels["desk"] == "rates");
    let removed = |name: &str| {
        Command::RemoveCluster(RemoveCluster { name: name.to_owned(), revision: None, orphan: false })
    };
    let refused = world.run(removed("spoke")).unwrap_err();
    assert_eq!(
        refused.message,
        "cluster \"spoke\" follows ClusterProfile fleet/spoke of east: delete that instead"
    );
    assert_eq!(world.run(removed("east")).unwrap_err().kind, RefusalKind::Conflict);
}

#[test]
fn a_cluster_whose_profile_is_gone_gets_nothing_new_and_is_forgotten_when_nothing_is_on_it() {
    let mut world = hubbed();
    followed(&mut world, "spoke");
    world.submit("report", |_| {});
    world.place("report", "spoke");
    follow(&mut world, "spoke", None).unwrap();
    let spoke = world.cluster("spoke");
    assert_eq!(spoke.hindrance(), Some("ClusterProfile fleet/spoke of east is gone"));
    assert!(!spoke.takes_work() && !spoke.cordoned);
    world.now_ms += limits::PROFILE_GONE_MS;
    follow(&mut world, "spoke", None).unwrap();
    assert!(world.cluster("spoke").profile.is_some(), "a run is on it");
    follow(&mut world, "spoke", Some(says("https://spoke"))).unwrap();
    assert!(world.cluster("spoke").takes_work(), "it is back");
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "report"), why: String::new() }));
    assert_eq!(world.get("report").phase, Phase::Cancelled);
    follow(&mut world, "spoke", None).unwrap();
    follow(&mut world, "spoke", None).unwrap();
    assert!(query::cluster(&world.view, "spoke").unwrap().is_some(), "it may come back soon");
    world.now_ms += limits::PROFILE_GONE_MS;
    follow(&mut world, "spoke", None).unwrap();
    assert_eq!(query::cluster(&world.view, "spoke").unwrap(), None);
    follow(&mut world, "spoke", None).unwrap();
}

#[test]
fn a_profile_that_cannot_be_reached_any_more_keeps_its_cluster_watched() {
    let mut world = hubbed();
    let spoke = followed(&mut world, "spoke");
    let hindrance = Some("none of its access providers (x) is in the provider file".to_owned());
    let unknown = ProfileSays { hindrance: hindrance.clone(), ..ProfileSays::default() };
    follow(&mut world, "spoke", Some(unknown.clone())).unwrap();
    let after = world.cluster("spoke");
    assert_eq!((after.hindrance(), &after.credentials), (hindrance.as_deref(), &spoke.credentials));
    follow(&mut world, "never", Some(unknown)).unwrap();
    assert_eq!(query::cluster(&world.view, "never").unwrap(), None);
}

#[test]
fn a_name_that_is_taken_and_a_namespace_that_is_not_followed_are_refused() {
    let mut world = hubbed();
    assert_eq!(
        follow(&mut world, "west", Some(says("https://w"))).unwrap_err().kind,
        RefusalKind::AlreadyExists
    );
    tell(&mut world, &["other"]);
    assert_eq!(follow(&mut world, "spoke", Some(says("https://s"))).unwrap_err().kind, RefusalKind::Outdated);
}

#[test]
fn what_a_hub_tells_of_no_more_is_a_cluster_like_any_other() {
    let mut world = hubbed();
    followed(&mut world, "spoke");
    decide(&mut world, &["spoke"]);
    tell(&mut world, &["fleet", "more"]);
    assert!(world.cluster("spoke").is_decided("fleet/gpu"));
    tell(&mut world, &[]);
    let spoke = world.cluster("spoke");
    assert_eq!((spoke.profile, world.cluster("east").hub), (None, None));
    let credentials = Some(Credentials::kubeconfig("/mine", None));
    world.ok(change(UpdateCluster { name: "spoke".to_owned(), credentials, ..UpdateCluster::default() }));
}

#[test]
fn a_decision_is_a_set_of_clusters_that_placements_name() {
    let mut world = hubbed();
    for name in ["one", "two", "three"] {
        followed(&mut world, name);
    }
    world.submit("report", |run| run["spec"]["placement"] = json!({"decision": "fleet/gpu"}));
    let allowed = |world: &World| -> Vec<String> {
        let placement = world.get("report").spec.placement;
        let clusters = query::clusters(&world.view).unwrap();
        clusters
            .into_iter()
            .filter(|cluster| placement.allows(cluster))
            .map(|cluster| cluster.head.name)
            .collect()
    };
    assert!(allowed(&world).is_empty(), "it is not known");
    decide(&mut world, &["one", "two"]);
    assert_eq!(allowed(&world), ["one", "two"]);
    decide(&mut world, &["three", "two"]);
    assert_eq!(allowed(&world), ["two", "three"]);
    decide(&mut world, &[]);
    assert!(allowed(&world).is_empty());
}

#[test]
fn a_cluster_whose_profile_is_gone_stays_in_its_decisions_and_comes_into_no_other() {
    let mut world = hubbed();
    for name in ["one", "two", "three"] {
        followed(&mut world, name);
    }
    decide(&mut world, &["one", "two"]);
    for name in ["two", "three"] {
        follow(&mut world, name, None).unwrap();
    }
    let decided = |world: &World| -> Vec<&str> {
        let is_decided = |name: &&str| world.cluster(name).is_decided("fleet/gpu");
        ["one", "two", "three"].into_iter().filter(is_decided).collect()
    };
    decide(&mut world, &["two", "three"]);
    assert_eq!(decided(&world), ["two"], "what is there is not taken off by a profile that is missing");
    decide(&mut world, &["one", "three"]);
    assert_eq!(decided(&world), ["one"]);
    follow(&mut world, "three", Some(says("https://three"))).unwrap();
    decide(&mut world, &["one", "three"]);
    assert_eq!(decided(&world), ["one", "three"], "it is back");
}

#[test]
fn a_decision_is_named_with_its_namespace() {
    for wrong in ["gpu", "/gpu", "fleet/", "a/b/c", &format!("fleet/{}", "x".repeat(64))] {
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
            "spec": {"placement": {"decision": wrong}, "manifests": [
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}}]},
        });
        let causes = manifest::accept(value, "risk", Uid([1; 16])).unwrap_err();
        assert_eq!(causes[0].field, "spec.placement.decision", "{wrong}");
    }
}

#[test]
fn what_of_a_hub_cannot_be_followed_is_kept_in_words() {
    let mut world = hubbed();
    let hub = world.cluster("east").head.ordinal;
    world.ok(Command::TellHub(TellHub { hub, message: "fleet/a: no".to_owned() }));
    assert_eq!(world.cluster("east").hub.unwrap().message, "fleet/a: no");
    let hub = world.cluster("west").head.ordinal;
    let refused = world.run(Command::TellHub(TellHub { hub, message: String::new() })).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Outdated);
}

#[test]
fn a_group_whose_replicas_do_not_all_know_it_follows_no_hub() {
    let mut world = World::new();
    let hub = Some(vec!["fleet".to_owned()]);
    let tell = change(UpdateCluster { name: "east".to_owned(), hub, ..UpdateCluster::default() });
    assert!(world.run(tell).is_err());
    let none = UpdateCluster { name: "east".to_owned(), hub: Some(Vec::new()), ..UpdateCluster::default() };
    assert_eq!(change(none).since(), 0, "which is in every replacement of a cluster");
}
