//! `/k8s/clusters/NAME/...` and `/k8s/all/...`: the objects that runnables have on the clusters, read-only, in the
//! form of those clusters' own API, so that `kubectl --server=http://HOST/k8s/clusters/east get jobs` works.
//!
//! They come from the inventory of the replica that answers; no kube-apiserver is asked. An object is its manifest
//! as it was sent, with the UID and status that its cluster last showed; what was not seen is not there. Its
//! `resourceVersion` is ours, so that lists and watches go on at any replica; the cluster's own is an annotation.

mod discovery;
mod document;
mod pages;
mod scope;
mod selection;
mod served;
mod table;

pub(crate) use pages::{As, Pages, Place, item};
pub(crate) use selection::Selection;
pub(crate) use served::Served;
pub(crate) use table::columns;

use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::route::namespaces;
use crate::status::Failure;
use crate::{view, watch};
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use scope::Scope;
use serde_json::json;
use tallyman_model::query;

/// What is asked for within a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target<'a> {
    Discovery(discovery::Document),
    Namespace(&'a str),
    /// Objects of what has this group, version and plural.
    Objects {
        of: (&'a str, &'a str, &'a str),
        namespace: Option<&'a str>,
        name: Option<&'a str>,
    },
}

impl<'a> Target<'a> {
    fn parse(path: &[&'a str]) -> Option<Self> {
        if let Some(document) = discovery::Document::parse(path) {
            return Some(Self::Discovery(document));
        }
        let (group, version, path) = match path {
            ["api", "v1", "namespaces", name] => return Some(Self::Namespace(name)),
            ["api", version, path @ ..] => ("", *version, path),
            ["apis", group, version, path @ ..] => (*group, *version, path),
            _ => return None,
        };
        let (namespace, plural, name) = match path {
            [plural] => (None, *plural, None),
            ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
            ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
            _ => return None,
        };
        Some(Self::Objects { of: (group, version, plural), namespace, name })
    }
}

/// `GET /k8s`: where there is something to read.
pub(crate) async fn scopes(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    let (paths, revision) = view::with(ask.api.backend(), None, |view, revision| {
        let clusters = query::clusters(view)?;
        let paths: Vec<String> =
            clusters.iter().map(|cluster| format!("/k8s/clusters/{}", cluster.head.name)).collect();
        Ok((paths, revision))
    })?;
    let paths: Vec<String> = std::iter::once("/k8s/all".to_owned()).chain(paths).collect();
    Ok(answer::json(StatusCode::OK, json!({ "paths": paths }).to_string().into_bytes(), revision, 0))
}

/// Everything below it.
pub(crate) async fn serve(
    State(api): State<Shared>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    if !matches!(*ask.method(), Method::GET | Method::HEAD) {
        ask.bytes(body).await?;
        return Err(read_only());
    }
    let missing = || Failure::no_such_path(&format!("/k8s/{path}"));
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let (scope, rest) = Scope::parse(&segments).ok_or_else(missing)?;
    match Target::parse(rest).ok_or_else(missing)? {
        Target::Discovery(document) => {
            // A client that asks what there is on a cluster that is not there learns that.
            view::with(ask.api.backend(), None, |view, _| scope.cluster(view))??;
            let served = view::with(ask.api.backend(), None, |view, _| served::all(view, &scope))?;
            document.answer(&scope, &served, &ask.headers).await.ok_or_else(missing)
        }
        Target::Namespace(name) => namespaces::answer(&ask, name),
        Target::Objects { of, namespace: Some(namespace), name: Some(name) } => {
            let served = of_path(&ask, &scope, of)?.ok_or_else(missing)?;
            namespaces::check(namespace)?;
            pages::get(&ask, &scope, &served, namespace, name).await
        }
        Target::Objects { of, namespace, .. } => {
            let served = of_path(&ask, &scope, of)?.ok_or_else(missing)?;
            if let Some(namespace) = namespace {
                namespaces::check(namespace)?;
            }
            let selection = Selection::of(&ask, scope, served, namespace)?;
            if ask.watches()? {
                if selection.scope == Scope::All || !selection.served.kind.is_watched() {
                    return Err(unwatched(&selection));
                }
                return watch::objects(ask, selection).await;
            }
            pages::list(&ask, &selection).await
        }
    }
}

/// The kind at a path of objects.
fn of_path(ask: &Ask, scope: &Scope, of: (&str, &str, &str)) -> Result<Option<Served>, Failure> {
    if let Some(served) = served::find(&served::known(), of) {
        return Ok(Some(served.clone()));
    }
    view::with(ask.api.backend(), None, |view, _| Ok(served::find(&served::all(view, scope)?, of).cloned()))
}

fn read_only() -> Failure {
    let message = "the objects of clusters are only read here. To run something, POST a Runnable that holds it to \
                   /apis/tallyman.dev/v1/namespaces/NAMESPACE/runnables; to stop or remove it, POST .../cancel to, \
                   or DELETE, the runnable that the object's annotation tallyman.dev/runnable names";
    let mut failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    failure.allowed = Some("GET,HEAD");
    failure
}

fn unwatched(selection: &Selection) -> Failure {
    let plural = &selection.served.plural;
    let message = if selection.scope == Scope::All {
        format!(
            "{plural} of all clusters are not watched together: two clusters may hold the same name. Watch them \
             under /k8s/clusters/NAME, or watch runnables"
        )
    } else {
        format!(
            "{plural} are not watched on their clusters, so there is nothing to tell of; list or get them"
        )
    };
    let mut failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    failure.allowed = Some("GET,HEAD");
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallyman_model::record::Kind;

    #[test]
    fn paths_of_objects_are_those_of_kubernetes() {
        let parse = |path: &'static str| Target::parse(&path.split('/').collect::<Vec<_>>());
        let of = |of, namespace, name| Some(Target::Objects { of, namespace, name });
        let jobs = ("batch", "v1", "jobs");
        assert_eq!(parse("apis/batch/v1/jobs"), of(jobs, None, None));
        assert_eq!(parse("apis/batch/v1/namespaces/risk/jobs"), of(jobs, Some("risk"), None));
        assert_eq!(parse("apis/batch/v1/namespaces/risk/jobs/a"), of(jobs, Some("risk"), Some("a")));
        assert_eq!(parse("api/v1/configmaps"), of(("", "v1", "configmaps"), None, None));
        assert_eq!(parse("api/v1/namespaces/risk"), Some(Target::Namespace("risk")));
        for nothing in ["api/v1/a/b/c/d", "apis/batch/v1/jobs/a", "x"] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_kind_is_found_by_group_version_and_plural() {
        let known = served::known();
        let find = |of| served::find(&known, of).map(|served| served.kind.clone());
        assert_eq!(find(("argoproj.io", "v1alpha1", "workflows")), Some(Kind::Workflow));
        assert_eq!(find(("", "v1", "configmaps")), Some(Kind::ConfigMap));
        for nothing in [("", "v1", "jobs"), ("", "v2", "configmaps"), ("batch", "v1", "pods")] {
            assert_eq!(find(nothing), None, "{nothing:?}");
        }
    }
}
