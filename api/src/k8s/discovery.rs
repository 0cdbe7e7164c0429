//! Which kinds there are to read under a scope, in the forms in which a cluster's own clients ask.

use super::scope::Scope;
use crate::discovery::{aggregated, discovery_list, version};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tallyman_model::record::Kind;

/// A document of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Version,
    Core,
    Groups,
    Group(Group),
    Resources(Group),
}

/// An API group in the one version in which its kinds are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    name: &'static str,
    version: &'static str,
}

const CORE: Group = Group { name: "", version: "v1" };

/// The groups beside the core.
fn groups() -> impl Iterator<Item = Group> {
    let mut groups: Vec<Group> = Vec::new();
    for kind in Kind::ALL {
        let group = Group { name: kind.group(), version: kind.version() };
        if group != CORE && !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups.into_iter()
}

impl Document {
    pub(super) fn parse(path: &[&str]) -> Option<Self> {
        let group = |name: &str| groups().find(|group| group.name == name);
        match path {
            ["version"] => Some(Self::Version),
            ["api"] => Some(Self::Core),
            ["api", "v1"] => Some(Self::Resources(CORE)),
            ["apis"] => Some(Self::Groups),
            ["apis", name] => group(name).map(Self::Group),
            ["apis", name, version] => {
                group(name).filter(|group| group.version == *version).map(Self::Resources)
            }
            _ => None,
        }
    }

    pub(super) async fn answer(self, scope: &Scope, headers: &HeaderMap) -> Response {
        match (self, aggregated(headers)) {
            (Self::Version, _) => version().await,
            (Self::Core, Some(form)) => discovery_list(form, vec![aggregated_group(CORE, scope)]),
            (Self::Core, None) => Json(json!({
                "kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": [],
            }))
            .into_response(),
            (Self::Groups, Some(form)) => {
                discovery_list(form, groups().map(|group| aggregated_group(group, scope)).collect())
            }
            (Self::Groups, None) => {
                let groups: Vec<Value> = groups().map(document).collect();
                Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})).into_response()
            }
            (Self::Group(group), _) => {
                let mut document = document(group);
                document["kind"] = json!("APIGroup");
                document["apiVersion"] = json!("v1");
                Json(document).into_response()
            }
            (Self::Resources(group), _) => Json(resources(group, scope)).into_response(),
        }
    }
}

fn of_group(group: Group) -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(move |kind| kind.group() == group.name)
}

fn group_version(group: Group) -> String {
    if group == CORE { group.version.to_owned() } else { format!("{}/{}", group.name, group.version) }
}

fn document(group: Group) -> Value {
    let version = json!({"groupVersion": group_version(group), "version": group.version});
    json!({"name": group.name, "versions": [version], "preferredVersion": version})
}

fn verbs(kind: Kind, scope: &Scope) -> &'static [&'static str] {
    // Two clusters may hold the same name, and what is not watched there cannot be told of here.
    if kind.is_watched() && *scope != Scope::All { &["get", "list", "watch"] } else { &["get", "list"] }
}

fn short_names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job => &[],
        Kind::ConfigMap => &["cm"],
        Kind::Workflow => &["wf"],
        Kind::WorkflowTemplate => &["wftmpl"],
    }
}

fn categories(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job => &["all"],
        Kind::ConfigMap | Kind::Workflow | Kind::WorkflowTemplate => &[],
    }
}

fn resources(group: Group, scope: &Scope) -> Value {
    let resource = |kind: Kind| {
        json!({
            "name": kind.plural(), "singularName": kind.as_str().to_ascii_lowercase(), "namespaced": true,
            "kind": kind.as_str(), "verbs": verbs(kind, scope), "shortNames": short_names(kind),
            "categories": categories(kind),
        })
    };
    let resources: Vec<Value> = of_group(group).map(resource).collect();
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version(group),
        "resources": resources,
    })
}

fn aggregated_group(group: Group, scope: &Scope) -> Value {
    let resource = |kind: Kind| {
        let response = json!({"group": kind.group(), "version": kind.version(), "kind": kind.as_str()});
        json!({
            "resource": kind.plural(), "singularResource": kind.as_str().to_ascii_lowercase(),
            "responseKind": response, "scope": "Namespaced", "verbs": verbs(kind, scope),
            "shortNames": short_names(kind), "categories": categories(kind), "subresources": [],
        })
    };
    let resources: Vec<Value> = of_group(group).map(resource).collect();
    json!({
        "metadata": {"name": group.name, "creationTimestamp": null},
        "versions": [{"version": group.version, "freshness": "Current", "resources": resources}],
    })
}
