//! All that is asked of a kube-apiserver. A request that no right covers is not sent, and the roles that a cluster
//! gives us are made of these rights: so they are enough, and no more.

use hyper::Method;
use tallyman_model::record::{HUB_GROUP, Kind};

/// The namespace whose UID is a cluster's identity.
pub const IDENTITY_NAMESPACE: &str = "kube-system";

/// Reads and writes of one object by its name.
const NAMED: &[&str] = &["create", "delete", "get", "patch"];
const LISTED: &[&str] = &["list"];
const WATCHED: &[&str] = &["list", "watch"];

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the whole cluster: sweeps and watches look for our marks everywhere. In each namespace that work goes to, where
    /// the cluster is watched by namespaces.
    Cluster,
    /// In each namespace that work goes to.
    Work,
    /// For the object of this name only.
    Object(&'static str),
}

/// One right, in the words of Kubernetes' access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right<'a> {
    /// The API group; empty for the core.
    pub group: &'a str,
    /// The resource, in the plural.
    pub resource: &'a str,
    /// Where.
    pub scope: Scope,
    /// What may be done.
    pub verbs: &'static [&'static str],
    /// Runs do as well without it; what it is for is then not known, and that is said.
    pub is_optional: bool,
}

/// What says why a run does not get on.
const EXPLAINING: [(&str, &str); 3] = [("", "pods"), ("", "events"), ("kueue.x-k8s.io", "workloads")];

/// All rights on resources of known kinds; the path [`VERSION_PATH`] is read too, and discovery, which every account
/// may read.
pub fn rights<'a>() -> impl Iterator<Item = Right<'a>> {
    let identity = Right {
        group: "",
        resource: "namespaces",
        scope: Scope::Object(IDENTITY_NAMESPACE),
        verbs: &["get"],
        is_optional: false,
    };
    let of_kind = |kind: Kind| {
        let (group, plural) = names(&kind)?;
        let seen = if kind.is_watched() { WATCHED } else { LISTED };
        Some(on(group, plural, seen))
    };
    let explaining =
        |(group, resource)| Right { group, resource, scope: Scope::Work, verbs: LISTED, is_optional: true };
    let kinds = Kind::KNOWN.into_iter().filter_map(of_kind).flatten();
    std::iter::once(identity).chain(kinds).chain(EXPLAINING.map(explaining))
}

/// The rights on a resource of any other kind.
#[must_use]
pub fn rights_of<'a>(group: &'a str, resource: &'a str) -> [Right<'a>; 2] {
    on(group, resource, WATCHED)
}

/// The rights on a hub beside those: it is read.
#[must_use]
pub fn hub_rights<'a>() -> [Right<'a>; 2] {
    ["clusterprofiles", "placementdecisions"].map(|resource| Right {
        group: HUB_GROUP,
        resource,
        scope: Scope::Cluster,
        verbs: WATCHED,
        is_optional: false,
    })
}

/// The right to show what is of a resource and was not submitted here: it is read, and never written.
#[must_use]
pub fn right_to_observe<'a>(group: &'a str, resource: &'a str) -> Right<'a> {
    Right { group, resource, scope: Scope::Cluster, verbs: WATCHED, is_optional: false }
}

fn on<'a>(group: &'a str, resource: &'a str, seen: &'static [&'static str]) -> [Right<'a>; 2] {
    let right = |scope, verbs| Right { group, resource, scope, verbs, is_optional: false };
    let named = if (group, resource) == DEFINITIONS { Scope::Cluster } else { Scope::Work };
    [right(Scope::Cluster, seen), right(named, NAMED)]
}

/// Group and plural of a known kind.
fn names(kind: &Kind) -> Option<(&'static str, &'static str)> {
    let group = match kind {
        Kind::Job => "batch",
        Kind::ConfigMap => "",
        Kind::Workflow | Kind::WorkflowTemplate => "argoproj.io",
        Kind::Other(_) => return None,
    };
    Some((group, kind.plural()?))
}

/// What defines kinds, which is in no namespace: deployables may bring it to clusters that allow it.
const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");
/// What is never asked for, whatever a submission may hold.
const NEVER: [(&str, &str); 1] = [("", "secrets")];
const RBAC: &str = "rbac.authorization.k8s.io";

/// The one path that is no resource.
pub const VERSION_PATH: &str = "/version";

/// True if a right covers the request. `other` is the group and resource of a kind that the cluster serves and that is
/// not known here.
pub(crate) fn allow(method: &Method, path_and_query: &str, other: Option<(&str, &str)>) -> bool {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    if path == VERSION_PATH || is_discovery(path) {
        return method == Method::GET;
    }
    let other = other.filter(|other| !NEVER.contains(other) && other.0 != RBAC);
    let more = other.map(|(group, resource)| rights_of(group, resource));
    asked(method, path, query).is_some_and(|asked| {
        rights().chain(hub_rights()).chain(more.into_iter().flatten()).any(|right| right.covers(&asked))
    })
}

/// Which kinds there are in one version of a group.
fn is_discovery(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "api", version] => !version.is_empty(),
        ["", "apis", group, version] => !group.is_empty() && !version.is_empty(),
        _ => false,
    }
}

/// A request as access control reads it.
struct Asked<'a> {
    group: &'a str,
    resource: &'a str,
    is_namespaced: bool,
    name: Option<&'a str>,
    verb: &'static str,
}

impl Right<'_> {
    fn covers(&self, asked: &Asked<'_>) -> bool {
        let is_there = match self.scope {
            Scope::Cluster => true,
            Scope::Work => asked.is_namespaced,
            Scope::Object(name) => asked.name == Some(name),
        };
        is_there
            && self.group == asked.group
            && self.resource == asked.resource
            && self.verbs.contains(&asked.verb)
    }
}

fn asked<'a>(method: &Method, path: &'a str, query: &str) -> Option<Asked<'a>> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (is_namespaced, resource, name) = match rest {
        ["namespaces", _, resource] => (true, *resource, None),
        ["namespaces", _, resource, name] => (true, *resource, Some(*name)),
        [resource] => (false, *resource, None),
        [resource, name] => (false, *resource, Some(*name)),
        _ => return None,
    };
    let is_watch = query.split('&').any(|pair| pair == "watch=true");
    let verb = match (method.as_str(), name.is_some()) {
        ("GET", false) if is_watch => "watch",
        ("GET", false) => "list",
        ("GET", true) => "get",
        ("POST", false) => "create",
        ("PATCH", true) => "patch",
        ("DELETE", true) => "delete",
        _ => return None,
    };
    Some(Asked { group, resource, is_namespaced, name, verb })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_covered() {
        let jobs = "/apis/batch/v1/namespaces/a/jobs";
        for (method, path) in [
            (Method::GET, "/version".to_owned()),
            (Method::GET, "/api/v1/namespaces/kube-system".to_owned()),
            (Method::GET, "/apis/batch/v1/jobs?limit=5".to_owned()),
            (Method::GET, "/apis/batch/v1/jobs?watch=true&resourceVersion=1".to_owned()),
            (Method::GET, "/api/v1/configmaps?limit=5".to_owned()),
            (Method::POST, jobs.to_owned()),
            (Method::GET, format!("{jobs}/b")),
            (Method::PATCH, format!("{jobs}/b")),
            (Method::DELETE, format!("{jobs}/b")),
            (Method::DELETE, "/api/v1/namespaces/a/configmaps/b".to_owned()),
            (Method::GET, "/api/v1/namespaces/a/pods?labelSelector=b&limit=5".to_owned()),
            (Method::GET, "/api/v1/namespaces/a/events?fieldSelector=b&limit=5".to_owned()),
            (Method::GET, "/apis/multicluster.x-k8s.io/v1alpha1/clusterprofiles?limit=5".to_owned()),
            (Method::GET, "/apis/multicluster.x-k8s.io/v1alpha1/placementdecisions?watch=true".to_owned()),
            (Method::GET, "/apis/kueue.x-k8s.io/v1beta2/namespaces/a/workloads?limit=1".to_owned()),
        ] {
            assert!(allow(&method, &path, None), "{method} {path}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for (method, path) in [
            (Method::POST, "/version"),
            (Method::GET, "/api/v1/namespaces/default"),
            (Method::GET, "/api/v1/namespaces"),
            (Method::GET, "/api/v1/namespaces/a/secrets/b"),
            (Method::GET, "/api/v1/configmaps?watch=true"),
            (Method::GET, "/api/v1/pods"),
            (Method::GET, "/api/v1/namespaces/a/pods?watch=true"),
            (Method::DELETE, "/api/v1/namespaces/a/pods/b"),
            (Method::PUT, "/apis/batch/v1/namespaces/a/jobs/b"),
            (Method::PATCH, "/apis/batch/v1/namespaces/a/jobs/b/status"),
            (Method::DELETE, "/apis/batch/v1/namespaces/a/jobs"),
            (Method::GET, "/apis/apps/v1/jobs"),
            (Method::PATCH, "/apis/multicluster.x-k8s.io/v1alpha1/namespaces/a/clusterprofiles/b"),
            (Method::GET, "/metrics"),
            (Method::POST, "/apis/batch/v1"),
            (Method::GET, "/apis/batch"),
        ] {
            assert!(!allow(&method, path, None), "{method} {path}");
        }
    }

    #[test]
    fn of_another_kind_only_its_own_resource_is_asked_for() {
        let widgets = Some(("example.com", "widgets"));
        let path = "/apis/example.com/v1/namespaces/a/widgets";
        assert!(allow(&Method::GET, "/apis/example.com/v1", None));
        assert!(allow(&Method::POST, path, widgets) && !allow(&Method::POST, path, None));
        assert!(allow(&Method::GET, "/apis/example.com/v1/widgets?watch=true", widgets));
        assert!(!allow(&Method::POST, "/apis/example.com/v1/namespaces/a/gadgets", widgets));
        assert!(!allow(&Method::GET, "/api/v1/namespaces/a/secrets/b", Some(("", "secrets"))));
        let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles";
        assert!(!allow(&Method::POST, roles, Some(("rbac.authorization.k8s.io", "roles"))));
    }
}
