//! Which path is served by what.

mod auditrecords;
mod clusters;
pub(crate) mod namespaces;
mod operator;
mod replicas;
mod runnables;

use crate::api::{Api, ApiOptions, Shared};
use crate::status::Failure;
use crate::{answer, discovery, health, k8s};
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use std::sync::Arc;

const SCOPES: &str = "/k8s";
const OBJECTS: &str = "/k8s/{*path}";
const ROOT: &str = "/";
const LIVEZ: &str = "/livez";
const READYZ: &str = "/readyz";
const METRICS: &str = "/metrics";
const VERSION: &str = "/version";
const API: &str = "/api";
const APIS: &str = "/apis";
const NAMESPACE: &str = "/api/v1/namespaces/{name}";
const GROUP: &str = "/apis/tallyman.dev";
const RESOURCES: &str = "/apis/tallyman.dev/v1";
const RUNNABLES_ALL: &str = "/apis/tallyman.dev/v1/runnables";
const RUNNABLES: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables";
const RUNNABLE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}";
const CANCEL: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/cancel";
const RETRY: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/retry";
const APPROVALS: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/approvals";
const CLUSTERS: &str = "/apis/tallyman.dev/v1/clusters";
const CLUSTER: &str = "/apis/tallyman.dev/v1/clusters/{name}";
const CONFIRM: &str = "/apis/tallyman.dev/v1/clusters/{name}/confirm";
const REPLICAS: &str = "/apis/tallyman.dev/v1/replicas";
const REPLICA: &str = "/apis/tallyman.dev/v1/replicas/{name}";
const AUDITRECORDS: &str = "/apis/tallyman.dev/v1/auditrecords";
const AUDITRECORD: &str = "/apis/tallyman.dev/v1/auditrecords/{name}";
const INIT: &str = "/operator/init";
const TRANSFER: &str = "/operator/transfer-leader";
const STATUS: &str = "/operator/status";

/// All routes, as metrics name them.
pub(crate) const ROUTES: [&str; 28] = [
    RUNNABLE,
    RUNNABLES,
    RUNNABLES_ALL,
    CANCEL,
    RETRY,
    APPROVALS,
    CLUSTERS,
    CLUSTER,
    CONFIRM,
    REPLICAS,
    REPLICA,
    AUDITRECORDS,
    AUDITRECORD,
    ROOT,
    LIVEZ,
    READYZ,
    METRICS,
    VERSION,
    API,
    NAMESPACE,
    APIS,
    GROUP,
    RESOURCES,
    SCOPES,
    OBJECTS,
    INIT,
    TRANSFER,
    STATUS,
];

/// The API of one replica.
pub fn router(options: ApiOptions) -> Router {
    let api: Shared = Arc::new(Api::new(options));
    Router::new()
        .route(ROOT, get(health::root))
        .route(LIVEZ, get(health::livez))
        .route(READYZ, get(health::readyz))
        .route(METRICS, get(health::metrics))
        .route(VERSION, get(discovery::version))
        .route(API, get(discovery::core))
        .route(NAMESPACE, get(namespaces::get))
        .route(APIS, get(discovery::groups))
        .route(GROUP, get(discovery::group))
        .route(RESOURCES, get(discovery::resources))
        .route(RUNNABLES_ALL, get(runnables::list_all))
        .route(RUNNABLES, get(runnables::list).post(runnables::create))
        .route(
            RUNNABLE,
            get(runnables::get).patch(runnables::patch).delete(runnables::delete).put(runnables::replace),
        )
        .route(CANCEL, post(runnables::cancel))
        .route(RETRY, post(runnables::retry))
        .route(APPROVALS, post(runnables::approve))
        .route(CLUSTERS, get(clusters::list).post(clusters::create))
        .route(
            CLUSTER,
            get(clusters::get).put(clusters::replace).patch(clusters::patch).delete(clusters::delete),
        )
        .route(CONFIRM, post(clusters::confirm))
        .route(REPLICAS, get(replicas::list))
        .route(REPLICA, get(replicas::get))
        .route(AUDITRECORDS, get(auditrecords::list))
        .route(AUDITRECORD, get(auditrecords::get))
        .route(SCOPES, get(k8s::scopes))
        .route(OBJECTS, any(k8s::serve))
        .route(INIT, post(operator::init))
        .route(TRANSFER, post(operator::transfer_leader))
        .route(STATUS, get(operator::status))
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::clone(&api), answer::around))
        .with_state(api)
}

async fn nothing(request: Request) -> Failure {
    Failure::no_such_path(request.uri().path())
}

async fn no_method(request: Request) -> Failure {
    Failure::no_such_method(request.method().as_str(), request.uri().path())
}
