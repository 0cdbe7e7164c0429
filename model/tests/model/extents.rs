//! What of a cluster is watched.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

impl World {
    fn watch_by_namespaces(&mut self, named: &[&str]) {
        let named = named.iter().map(|&namespace| namespace.to_owned()).collect();
        let watch = Some((WatchScope::Namespaces, named));
        self.ok(Command::UpdateCluster(UpdateCluster {
            name: "east".to_owned(),
            watch,
            ..UpdateCluster::default()
        }));
    }

    fn extents(&self, namespaces_max: usize) -> (Vec<String>, bool) {
        let found = query::extents(&self.view, &self.cluster("east"), namespaces_max).unwrap();
        (found.all.iter().map(ToString::to_string).collect(), found.is_cut)
    }

    /// A run of a Job in a namespace.
    fn in_namespace(&mut self, namespace: &str) {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}});
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
            "spec": {"manifests": [job]},
        });
        let uid = self.uid();
        let submit = manifest::accept(value, namespace, uid).unwrap();
        self.ok(Command::Submit(Box::new(submit)));
        let run = query::runnable(&self.view, namespace, "a").unwrap().unwrap().head.ordinal;
        let choice = Choice::On(self.cluster("east").head.ordinal);
        self.ok(Command::Place(Place { run, attempt: 1, choice, why: String::new() }));
    }
}

#[test]
fn a_whole_cluster_is_watched_kind_by_kind() {
    let mut world = World::upgraded();
    world.in_namespace("risk");
    assert_eq!(world.extents(8), (vec!["Job".to_owned(), "ConfigMap".to_owned()], false));
}

#[test]
fn by_namespaces_only_what_is_there_is_watched_and_what_is_named() {
    let mut world = World::upgraded();
    world.watch_by_namespaces(&[]);
    assert_eq!(world.extents(8), (Vec::new(), false));
    world.in_namespace("risk");
    world.in_namespace("desk");
    assert_eq!(world.extents(8).0, ["Job in desk", "Job in risk"]);
    world.watch_by_namespaces(&["risk"]);
    assert_eq!(world.extents(8).0, ["Job in desk", "Job in risk", "ConfigMap in risk"]);
    let west = query::extents(&world.view, &world.cluster("west"), 8).unwrap();
    assert!(west.all.iter().all(|extent| extent.namespace().is_none()), "{west:?}");
}

#[test]
fn there_are_no_more_namespaces_than_were_asked_for_and_that_is_said() {
    let mut world = World::upgraded();
    world.watch_by_namespaces(&["named"]);
    for namespace in ["a", "b", "c"] {
        world.in_namespace(namespace);
    }
    let (extents, is_cut) = world.extents(2);
    assert!(is_cut && extents.contains(&"Job in named".to_owned()), "{extents:?}");
    assert_eq!(extents.len(), 3, "Jobs and ConfigMaps in one, Jobs in the other: {extents:?}");
    assert_eq!(world.extents(4), (world.extents(9).0, false));
}

#[test]
fn each_namespace_has_a_cursor_of_its_own() {
    let mut world = World::upgraded();
    let east = world.cluster("east");
    let cursor = |world: &World, namespace: &str| {
        let extent = Extent { kind: Kind::Job, namespace: namespace.to_owned() };
        query::watch(&world.view, east.head.ordinal, &extent).unwrap().map(|watch| watch.cursor)
    };
    for (namespace, at) in [("risk", "7"), ("desk", "9"), ("", "11")] {
        world.ok(Command::Observe(Observe {
            cluster: east.head.ordinal,
            kind: Kind::Job,
            namespace: namespace.to_owned(),
            plural: String::new(),
            timeline: east.timeline,
            is_watch: true,
            cursor: Some(at.to_owned()),
            rule: None,
            items: Vec::new(),
        }));
    }
    let of = |namespace| cursor(&world, namespace);
    assert_eq!((of("risk"), of("desk"), of("")), (Some("7".into()), Some("9".into()), Some("11".into())));
}
