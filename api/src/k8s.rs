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
mod table;

pub(crate) use pages::{As, Pages, Place, item};
pub(crate) use selection::Selection;
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
use tallyman_model::record::Kind;

/// What is asked for within a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target<'a> {
    Discovery(discovery::Document),
    Namespace(&'a str),
    Objects { kind: Kind, namespace: Option<&'a str>, name: Option<&'a str> },
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
        let is_it = |kind: &Kind| (kind.group(), kind.version(), kind.plural()) == (group, version, plural);
        let kind = Kind::ALL.into_iter().find(is_it)?;
        Some(Self::Objects { kind, namespace, name })
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
            Ok(document.answer(&scope, &ask.headers).await)
        }
        Target::Namespace(name) => namespaces::answer(&ask, name),
        Target::Objects { kind, namespace: Some(namespace), name: Some(name) } => {
            namespaces::check(namespace)?;
            pages::get(&ask, &scope, kind, namespace, name).await
        }
        Target::Objects { kind, namespace, .. } => {
            if let Some(namespace) = namespace {
                namespaces::check(namespace)?;
            }
            let selection = Selection::of(&ask, scope, kind, namespace)?;
            if ask.watches()? {
                if selection.scope == Scope::All || !kind.is_watched() {
                    return Err(unwatched(&selection));
                }
                return watch::objects(ask, selection).await;
            }
            pages::list(&ask, &selection).await
        }
    }
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
    let plural = selection.kind.plural();
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

    #[test]
    fn paths_of_objects_are_those_of_kubernetes() {
        let parse = |path: &'static str| Target::parse(&path.split('/').collect::<Vec<_>>());
        let jobs = |namespace, name| Some(Target::Objects { kind: Kind::Job, namespace, name });
        assert_eq!(parse("apis/batch/v1/jobs"), jobs(None, None));
        assert_eq!(parse("apis/batch/v1/namespaces/risk/jobs"), jobs(Some("risk"), None));
        assert_eq!(parse("apis/batch/v1/namespaces/risk/jobs/a"), jobs(Some("risk"), Some("a")));
        let flows = Target::Objects { kind: Kind::Workflow, namespace: None, name: None };
        assert_eq!(parse("apis/argoproj.io/v1alpha1/workflows"), Some(flows));
        let maps = Target::Objects { kind: Kind::ConfigMap, namespace: None, name: None };
        assert_eq!(parse("api/v1/configmaps"), Some(maps));
        assert_eq!(parse("api/v1/namespaces/risk"), Some(Target::Namespace("risk")));
        for nothing in [
            "api/v1/jobs",
            "api/v2/configmaps",
            "apis/batch/v1/pods",
            "apis/batch/v2/jobs",
            "api/v1/a/b/c/d",
            "x",
        ] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }
}
