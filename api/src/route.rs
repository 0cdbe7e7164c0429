//! Which path is served by what.

mod auditrecords;
mod clusters;
mod confirm_stops;
mod deployables;
mod events;
mod kept;
mod lineage;
mod locks;
mod members;
pub(crate) mod namespaces;
mod operator;
mod pause;
mod pools;
#[cfg(feature = "tomorrow")]
mod remark;
mod replicas;
mod reviews;
mod runnables;
mod snapshot;
mod statusrules;

use crate::api::{Api, ApiOptions, Shared};
use crate::status::Failure;
use crate::{answer, discovery, health, k8s, openapi};
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use locks::Locks;
use pools::{Allocations, Pools};
use std::sync::Arc;

pub(crate) const SCOPES: &str = "/k8s";
pub(crate) const OBJECTS: &str = "/k8s/{*path}";
pub(crate) const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
pub(crate) const MAY: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
pub(crate) const RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
pub(crate) const OPENAPI: &str = "/openapi/v3";
pub(crate) const OPENAPI_PART: &str = "/openapi/v3/{*part}";
pub(crate) const ROOT: &str = "/";
pub(crate) const LIVEZ: &str = "/livez";
pub(crate) const READYZ: &str = "/readyz";
pub(crate) const METRICS: &str = "/metrics";
pub(crate) const VERSION: &str = "/version";
pub(crate) const API: &str = "/api";
pub(crate) const APIS: &str = "/apis";
pub(crate) const CORE: &str = "/api/v1";
pub(crate) const EVENTS_ALL: &str = "/api/v1/events";
pub(crate) const EVENTS: &str = "/api/v1/namespaces/{name}/events";
pub(crate) const NAMESPACE: &str = "/api/v1/namespaces/{name}";
pub(crate) const GROUP: &str = "/apis/tallyman.dev";
pub(crate) const RESOURCES: &str = "/apis/tallyman.dev/v1";
pub(crate) const RUNNABLES_ALL: &str = "/apis/tallyman.dev/v1/runnables";
pub(crate) const RUNNABLES: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables";
pub(crate) const RUNNABLE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}";
pub(crate) const CANCEL: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/cancel";
pub(crate) const RETRY: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/retry";
pub(crate) const MOVE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/move";
pub(crate) const APPROVALS: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables/{name}/approvals";
pub(crate) const DEPLOYABLES_ALL: &str = "/apis/tallyman.dev/v1/deployables";
pub(crate) const DEPLOYABLES: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables";
pub(crate) const DEPLOYABLE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables/{name}";
pub(crate) const ROLLBACK: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables/{name}/rollback";
pub(crate) const DEPLOYABLE_APPROVALS: &str =
    "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables/{name}/approvals";
pub(crate) const ROLLOUT: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables/{name}/rollout";
pub(crate) const DIFF: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables/{name}/diff";
pub(crate) const REVISIONS: &str =
    "/apis/tallyman.dev/v1/namespaces/{namespace}/deployables/{name}/revisions";
pub(crate) const POOLS_ALL: &str = "/apis/tallyman.dev/v1/pools";
pub(crate) const POOLS: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/pools";
pub(crate) const POOL: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/pools/{name}";
pub(crate) const ALLOCATE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/pools/{name}/allocations";
pub(crate) const ALLOCATIONS_ALL: &str = "/apis/tallyman.dev/v1/allocations";
pub(crate) const ALLOCATIONS: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/allocations";
pub(crate) const ALLOCATION: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/allocations/{name}";
pub(crate) const LOCKS_ALL: &str = "/apis/tallyman.dev/v1/locks";
pub(crate) const LOCKS: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/locks";
pub(crate) const LOCK: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/locks/{name}";
pub(crate) const ACQUIRE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/locks/{name}/acquire";
pub(crate) const RENEW: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/locks/{name}/renew";
pub(crate) const RELEASE: &str = "/apis/tallyman.dev/v1/namespaces/{namespace}/locks/{name}/release";
pub(crate) const CLUSTERS: &str = "/apis/tallyman.dev/v1/clusters";
pub(crate) const CLUSTER: &str = "/apis/tallyman.dev/v1/clusters/{name}";
pub(crate) const CONFIRM: &str = "/apis/tallyman.dev/v1/clusters/{name}/confirm";
pub(crate) const WRITE_OFF: &str = "/apis/tallyman.dev/v1/clusters/{name}/write-off";
pub(crate) const DRAIN: &str = "/apis/tallyman.dev/v1/clusters/{name}/drain";
pub(crate) const STATUSRULES: &str = "/apis/tallyman.dev/v1/statusrules";
pub(crate) const STATUSRULE: &str = "/apis/tallyman.dev/v1/statusrules/{name}";
pub(crate) const REPLICAS: &str = "/apis/tallyman.dev/v1/replicas";
pub(crate) const REPLICA: &str = "/apis/tallyman.dev/v1/replicas/{name}";
pub(crate) const AUDITRECORDS: &str = "/apis/tallyman.dev/v1/auditrecords";
pub(crate) const AUDITRECORD: &str = "/apis/tallyman.dev/v1/auditrecords/{name}";
pub(crate) const INIT: &str = "/operator/init";
pub(crate) const TRANSFER: &str = "/operator/transfer-leader";
pub(crate) const STATUS: &str = "/operator/status";
pub(crate) const CONFIRM_STOPS: &str = "/operator/confirm-stops";
pub(crate) const PAUSE: &str = "/operator/pause";
pub(crate) const RESUME: &str = "/operator/resume";
pub(crate) const SNAPSHOT: &str = "/operator/snapshot";
pub(crate) const LINEAGE: &str = "/operator/lineage";
pub(crate) const CONFIRM_LINEAGE: &str = "/operator/confirm";
pub(crate) const MEMBERS: &str = "/operator/members";
pub(crate) const MEMBERS_CHANGE: &str = "/operator/members/{verb}";

/// All routes, as metrics and the description of the API name them.
pub const ROUTES: [&str; 70] = [
    POOLS_ALL,
    POOLS,
    POOL,
    ALLOCATE,
    ALLOCATIONS_ALL,
    ALLOCATIONS,
    ALLOCATION,
    LOCKS_ALL,
    LOCKS,
    LOCK,
    ACQUIRE,
    RENEW,
    RELEASE,
    DEPLOYABLE,
    DEPLOYABLES,
    DEPLOYABLES_ALL,
    ROLLBACK,
    REVISIONS,
    DIFF,
    DEPLOYABLE_APPROVALS,
    ROLLOUT,
    RUNNABLE,
    RUNNABLES,
    RUNNABLES_ALL,
    CANCEL,
    RETRY,
    MOVE,
    APPROVALS,
    CLUSTERS,
    CLUSTER,
    CONFIRM,
    WRITE_OFF,
    DRAIN,
    STATUSRULES,
    STATUSRULE,
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
    CORE,
    EVENTS_ALL,
    EVENTS,
    APIS,
    GROUP,
    RESOURCES,
    SCOPES,
    OBJECTS,
    INIT,
    TRANSFER,
    STATUS,
    CONFIRM_STOPS,
    PAUSE,
    RESUME,
    SNAPSHOT,
    LINEAGE,
    CONFIRM_LINEAGE,
    MEMBERS,
    MEMBERS_CHANGE,
    WHOAMI,
    MAY,
    RULES,
    OPENAPI,
    OPENAPI_PART,
];

/// The API of one replica.
pub fn router(options: ApiOptions) -> Router {
    let api: Shared = Arc::new(Api::new(options));
    let routes = Router::new();
    #[cfg(feature = "tomorrow")]
    let routes = routes.route("/operator/remark", post(remark::remark));
    routes
        .route(ROOT, get(health::root))
        .route(LIVEZ, get(health::livez))
        .route(READYZ, get(health::readyz))
        .route(METRICS, get(health::metrics))
        .route(VERSION, get(discovery::version))
        .route(API, get(discovery::core))
        .route(CORE, get(discovery::core_resources))
        .route(NAMESPACE, get(namespaces::get))
        .route(EVENTS_ALL, get(events::list_all))
        .route(EVENTS, get(events::list))
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
        .route(MOVE, post(runnables::relocate))
        .route(APPROVALS, post(runnables::approve))
        .route(DEPLOYABLES_ALL, get(deployables::list_all))
        .route(DEPLOYABLES, get(deployables::list).post(deployables::create))
        .route(
            DEPLOYABLE,
            get(deployables::get)
                .put(deployables::replace)
                .patch(deployables::patch)
                .delete(deployables::delete),
        )
        .route(ROLLBACK, post(deployables::rollback))
        .route(REVISIONS, get(deployables::revisions))
        .route(DIFF, get(deployables::diff))
        .route(POOLS_ALL, get(kept::list_all::<Pools>))
        .route(POOLS, get(kept::list::<Pools>).post(kept::create::<Pools>))
        .route(
            POOL,
            get(kept::get::<Pools>)
                .put(kept::replace::<Pools>)
                .patch(kept::patch::<Pools>)
                .delete(kept::delete::<Pools>),
        )
        .route(ALLOCATE, post(pools::allocate))
        .route(ALLOCATIONS_ALL, get(kept::list_all::<Allocations>))
        .route(ALLOCATIONS, get(kept::list::<Allocations>))
        .route(ALLOCATION, get(kept::get::<Allocations>).delete(kept::delete::<Allocations>))
        .route(LOCKS_ALL, get(kept::list_all::<Locks>))
        .route(LOCKS, get(kept::list::<Locks>).post(kept::create::<Locks>))
        .route(
            LOCK,
            get(kept::get::<Locks>)
                .put(kept::replace::<Locks>)
                .patch(kept::patch::<Locks>)
                .delete(kept::delete::<Locks>),
        )
        .route(ACQUIRE, post(locks::acquire))
        .route(RENEW, post(locks::renew))
        .route(RELEASE, post(locks::release))
        .route(DEPLOYABLE_APPROVALS, post(deployables::approve))
        .route(ROLLOUT, post(deployables::rollout))
        .route(CLUSTERS, get(clusters::list).post(clusters::create))
        .route(
            CLUSTER,
            get(clusters::get).put(clusters::replace).patch(clusters::patch).delete(clusters::delete),
        )
        .route(CONFIRM, post(clusters::confirm))
        .route(WRITE_OFF, post(clusters::write_off))
        .route(DRAIN, post(clusters::drain))
        .route(STATUSRULES, get(statusrules::list).post(statusrules::create))
        .route(
            STATUSRULE,
            get(statusrules::get)
                .put(statusrules::replace)
                .patch(statusrules::patch)
                .delete(statusrules::delete),
        )
        .route(REPLICAS, get(replicas::list))
        .route(REPLICA, get(replicas::get))
        .route(AUDITRECORDS, get(auditrecords::list))
        .route(AUDITRECORD, get(auditrecords::get))
        .route(SCOPES, get(k8s::scopes))
        .route(OBJECTS, any(k8s::serve))
        .route(INIT, post(operator::init))
        .route(TRANSFER, post(operator::transfer_leader))
        .route(STATUS, get(operator::status))
        .route(CONFIRM_STOPS, post(confirm_stops::confirm))
        .route(PAUSE, post(pause::pause))
        .route(RESUME, post(pause::resume))
        .route(SNAPSHOT, get(snapshot::take))
        .route(LINEAGE, get(lineage::report))
        .route(CONFIRM_LINEAGE, post(lineage::confirm))
        .route(MEMBERS, get(members::list))
        .route(MEMBERS_CHANGE, post(members::change))
        .route(WHOAMI, post(reviews::whoami))
        .route(MAY, post(reviews::may))
        .route(RULES, post(reviews::rules))
        .route(OPENAPI, get(openapi::index))
        .route(OPENAPI_PART, get(openapi::part))
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
