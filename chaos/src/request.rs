//! What a request asks for: verb and resource, read from method, path and query.

use crate::catalog::{Catalog, Served};
use crate::form::Form;
use crate::kind::Kind;
use crate::query::{Query, decoded};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::{Method, http::request::Parts};

/// What is done to a resource, in the words of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// One object, or a document such as `/version`.
    Get,
    /// Objects of one kind.
    List,
    /// Changes of objects of one kind.
    Watch,
    /// A new object.
    Create,
    /// A whole object replaced.
    Update,
    /// Parts of an object changed.
    Patch,
    /// One object deleted.
    Delete,
    /// Anything else; always refused.
    Other,
}

impl Verb {
    /// The verb as Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }

    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }
}

/// Where a request points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A path outside of the resources, such as `/version`.
    Document(String),
    Resource(Resource),
    /// A resource or subresource that an API here has not.
    Unknown,
    /// A subresource that objects of a custom kind have not; with the name of the object.
    NoSubresource(Kind, String),
}

/// Objects of a kind; `namespace` and `name` are "" where the path has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) version: String,
    /// The status is written by a subresource alone.
    pub(crate) has_status: bool,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) is_status: bool,
}

impl Resource {
    /// `batch/v1`; of the core group `v1`.
    pub(crate) fn api_version(&self) -> String {
        match self.kind.group() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    pub(crate) fn key(&self) -> String {
        self.kind.key(&self.namespace, &self.name)
    }

    /// What the keys of all objects in question begin with.
    pub(crate) fn prefix(&self) -> String {
        if self.namespace.is_empty() || !self.kind.is_namespaced() {
            String::new()
        } else {
            format!("{}/", self.namespace)
        }
    }
}

/// One request but for its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) user_agent: String,
    /// The bearer token; empty: none.
    pub(crate) token: String,
    /// Without parameters, in lower case.
    pub(crate) content_type: String,
    /// In which form objects are answered to reads.
    pub(crate) form: Form,
}

impl Call {
    pub(crate) fn read(head: &Parts, catalog: &Catalog) -> Self {
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let target = target(head.uri.path(), catalog);
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let verb = verb(&head.method, &target, &query);
        Self {
            verb,
            target,
            query,
            user_agent: header(USER_AGENT).to_owned(),
            token: header(AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default().to_owned(),
            content_type: header(CONTENT_TYPE)
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
            form: Form::accepted(header(ACCEPT), verb == Verb::List),
        }
    }

    /// `jobs`, `jobs/status`, or the path of a document.
    pub(crate) fn resource_name(&self) -> String {
        match &self.target {
            Target::Document(path) => path.clone(),
            Target::Unknown | Target::NoSubresource(..) => "unknown".to_owned(),
            Target::Resource(resource) if resource.is_status => format!("{}/status", resource.kind.plural()),
            Target::Resource(resource) => resource.kind.plural().to_owned(),
        }
    }
}

fn verb(method: &Method, target: &Target, query: &Query) -> Verb {
    let is_collection = matches!(target, Target::Resource(resource) if resource.name.is_empty());
    match (method.as_str(), is_collection) {
        ("GET", true) if query.is_set("watch") => Verb::Watch,
        ("GET", true) => Verb::List,
        ("GET" | "HEAD", _) => Verb::Get,
        ("POST", true) => Verb::Create,
        ("PUT", false) => Verb::Update,
        ("PATCH", false) => Verb::Patch,
        ("DELETE", false) => Verb::Delete,
        _ => Verb::Other,
    }
}

fn target(path: &str, catalog: &Catalog) -> Target {
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Target::Document(format!("/{}", parts.join("/"))),
    };
    let (namespace, plural, tail) = match rest {
        ["namespaces", namespace, plural, tail @ ..] if *plural != "status" && *plural != "finalize" => {
            (*namespace, *plural, tail)
        }
        [plural, tail @ ..] => ("", *plural, tail),
        [] => return Target::Unknown,
    };
    match catalog.at_path(group, version, plural) {
        Some(served) => resource(served, namespace, tail),
        None if Kind::BUILT_IN.iter().any(|kind| kind.group() == group) && version == "v1" => Target::Unknown,
        // What no definition claims falls through to what answers unknown paths.
        None => Target::Document(format!("/{}", parts.join("/"))),
    }
}

fn resource(served: &Served, namespace: &str, tail: &[&str]) -> Target {
    let kind = &served.kind;
    let (name, is_status) = match tail {
        [] => ("", false),
        [name] => (*name, false),
        [name, "status"] if served.has_status => (*name, true),
        [name, _] if kind.is_custom() => return Target::NoSubresource(kind.clone(), (*name).to_owned()),
        _ => return Target::Unknown,
    };
    let needs_namespace = kind.is_namespaced() && !name.is_empty();
    if (needs_namespace && namespace.is_empty()) || (!kind.is_namespaced() && !namespace.is_empty()) {
        return Target::Unknown;
    }
    Target::Resource(Resource {
        kind: kind.clone(),
        version: served.version.clone(),
        has_status: served.has_status,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        is_status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(kind: Kind, namespace: &str, name: &str, is_status: bool) -> Target {
        let (namespace, name, version) = (namespace.to_owned(), name.to_owned(), "v1".to_owned());
        Target::Resource(Resource { kind, version, has_status: true, namespace, name, is_status })
    }

    fn target(path: &str) -> Target {
        super::target(path, &Catalog::default())
    }

    #[test]
    fn paths_lead_to_resources() {
        assert_eq!(target("/apis/batch/v1/jobs"), resource(Kind::Job, "", "", false));
        assert_eq!(target("/apis/batch/v1/namespaces/n/jobs/j/status"), resource(Kind::Job, "n", "j", true));
        assert_eq!(target("/api/v1/namespaces/n"), resource(Kind::Namespace, "", "n", false));
        assert_eq!(target("/api/v1/namespaces/n/pods/"), resource(Kind::Pod, "n", "", false));
    }

    #[test]
    fn what_an_api_has_not_is_unknown() {
        for path in
            ["/api/v1/secrets", "/api/v1/pods/p", "/api/v1/namespaces/n/pods/p/log", "/apis/batch/v1/pods"]
        {
            assert_eq!(target(path), Target::Unknown, "{path}");
        }
        assert_eq!(
            target("/apis/policy/v1/evictions"),
            Target::Document("/apis/policy/v1/evictions".to_owned())
        );
    }
}
