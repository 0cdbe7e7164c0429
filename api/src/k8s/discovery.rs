//! Which kinds there are to read under a scope, in the forms in which a cluster's own clients ask.

use super::scope::Scope;
use super::served::Served;
use crate::discovery::{aggregated, discovery_list, version};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tallyman_model::record::Kind;

/// A document of discovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Version,
    Core,
    Groups,
    Group(String),
    Resources(Group),
}

/// A version of an API group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    name: String,
    version: String,
}

impl Group {
    fn core() -> Self {
        Self { name: String::new(), version: "v1".to_owned() }
    }

    fn of(kind: &Kind) -> Self {
        Self { name: kind.group().to_owned(), version: kind.version().to_owned() }
    }
}

/// The groups beside the core, with their versions.
fn groups(served: &[Served]) -> Vec<(String, Vec<Group>)> {
    let mut groups: Vec<(String, Vec<Group>)> = Vec::new();
    for group in served.iter().map(|one| Group::of(&one.kind)).filter(|group| !group.name.is_empty()) {
        match groups.iter_mut().find(|(name, _)| *name == group.name) {
            Some((_, versions)) if versions.contains(&group) => {}
            Some((_, versions)) => versions.push(group),
            None => groups.push((group.name.clone(), vec![group])),
        }
    }
    groups
}

impl Document {
    pub(super) fn parse(path: &[&str]) -> Option<Self> {
        match path {
            ["version"] => Some(Self::Version),
            ["api"] => Some(Self::Core),
            ["api", "v1"] => Some(Self::Resources(Group::core())),
            ["apis"] => Some(Self::Groups),
            ["apis", name] => Some(Self::Group((*name).to_owned())),
            ["apis", name, version] => {
                let (name, version) = ((*name).to_owned(), (*version).to_owned());
                Some(Self::Resources(Group { name, version }))
            }
            _ => None,
        }
    }

    /// `None`: there is nothing of the kind.
    pub(super) async fn answer(
        self,
        scope: &Scope,
        served: &[Served],
        headers: &HeaderMap,
    ) -> Option<Response> {
        let groups = groups(served);
        Some(match (self, aggregated(headers)) {
            (Self::Version, _) => version().await,
            (Self::Core, Some(form)) => {
                discovery_list(form, vec![aggregated_group("", &[Group::core()], scope, served)])
            }
            (Self::Core, None) => Json(json!({
                "kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": [],
            }))
            .into_response(),
            (Self::Groups, Some(form)) => {
                let of = |(name, versions): &(String, Vec<Group>)| {
                    aggregated_group(name, versions, scope, served)
                };
                discovery_list(form, groups.iter().map(of).collect())
            }
            (Self::Groups, None) => {
                let groups: Vec<Value> =
                    groups.iter().map(|(name, versions)| document(name, versions)).collect();
                Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})).into_response()
            }
            (Self::Group(name), _) => {
                let (name, versions) = groups.iter().find(|(known, _)| *known == name)?;
                let mut document = document(name, versions);
                document["kind"] = json!("APIGroup");
                document["apiVersion"] = json!("v1");
                Json(document).into_response()
            }
            (Self::Resources(group), _) => {
                let is_there = served.iter().any(|one| Group::of(&one.kind) == group);
                is_there.then(|| Json(resources(&group, scope, served)).into_response())?
            }
        })
    }
}

fn of_group<'a>(group: &'a Group, served: &'a [Served]) -> impl Iterator<Item = &'a Served> {
    served.iter().filter(move |one| Group::of(&one.kind) == *group)
}

fn group_version(group: &Group) -> String {
    if group.name.is_empty() { group.version.clone() } else { format!("{}/{}", group.name, group.version) }
}

fn document(name: &str, versions: &[Group]) -> Value {
    let version = |group: &Group| json!({"groupVersion": group_version(group), "version": group.version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn verbs(kind: &Kind, scope: &Scope) -> &'static [&'static str] {
    // Two clusters may hold the same name, and what is not watched there cannot be told of here.
    if kind.is_watched() && *scope != Scope::All { &["get", "list", "watch"] } else { &["get", "list"] }
}

fn short_names(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job | Kind::Other(_) => &[],
        Kind::ConfigMap => &["cm"],
        Kind::Workflow => &["wf"],
        Kind::WorkflowTemplate => &["wftmpl"],
    }
}

fn categories(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job => &["all"],
        Kind::ConfigMap | Kind::Workflow | Kind::WorkflowTemplate | Kind::Other(_) => &[],
    }
}

fn resources(group: &Group, scope: &Scope, served: &[Served]) -> Value {
    let resource = |Served { kind, plural }: &Served| {
        json!({
            "name": plural, "singularName": kind.as_str().to_ascii_lowercase(), "namespaced": true,
            "kind": kind.as_str(), "verbs": verbs(kind, scope), "shortNames": short_names(kind),
            "categories": categories(kind),
        })
    };
    let resources: Vec<Value> = of_group(group, served).map(resource).collect();
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version(group),
        "resources": resources,
    })
}

fn aggregated_group(name: &str, versions: &[Group], scope: &Scope, served: &[Served]) -> Value {
    let resource = |Served { kind, plural }: &Served| {
        let response = json!({"group": kind.group(), "version": kind.version(), "kind": kind.as_str()});
        json!({
            "resource": plural, "singularResource": kind.as_str().to_ascii_lowercase(),
            "responseKind": response, "scope": "Namespaced", "verbs": verbs(kind, scope),
            "shortNames": short_names(kind), "categories": categories(kind), "subresources": [],
        })
    };
    let version = |group: &Group| {
        let resources: Vec<Value> = of_group(group, served).map(resource).collect();
        json!({"version": group.version, "freshness": "Current", "resources": resources})
    };
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"metadata": {"name": name, "creationTimestamp": null}, "versions": versions})
}
