//! Answers that are not failures, and the headers that every answer has.

use crate::api::{Api, Shared};
use crate::ask::Written;
use crate::overload::Admission;
use crate::params;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tallyman_model::Revision;
use tokio::time::Instant;

const REVISION: HeaderName = HeaderName::from_static("tallyman-revision");
const SERVED_BY: HeaderName = HeaderName::from_static("tallyman-served-by");
const LEADER: HeaderName = HeaderName::from_static("tallyman-leader");
const LAG: HeaderName = HeaderName::from_static("tallyman-replica-lag-ms");
const OLDEST: HeaderName = HeaderName::from_static("tallyman-oldest-cluster-ms");
const ON_DISK: HeaderName = HeaderName::from_static("tallyman-on-disk");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A JSON answer that shows the state at `revision`; the oldest picture of a cluster in it is so old.
pub(crate) fn json(
    status: StatusCode,
    bytes: Vec<u8>,
    revision: Revision,
    oldest_cluster_ms: u64,
) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REVISION, HeaderValue::from(revision.0));
    headers.insert(OLDEST, HeaderValue::from(oldest_cluster_ms));
    response
}

/// Says at which revision the one record of an answer is.
pub(crate) fn with_etag(mut response: Response, revision: Revision) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// The client has the record already; the ages of pictures go on all the same.
pub(crate) fn not_modified(revision: Revision, of_record: Revision, oldest_cluster_ms: u64) -> Response {
    let mut response = json(StatusCode::NOT_MODIFIED, Vec::new(), revision, oldest_cluster_ms);
    response.headers_mut().remove(CONTENT_TYPE);
    with_etag(response, of_record)
}

/// Says how a write went.
pub(crate) fn written(mut response: Response, written: &Written) -> Response {
    let headers = response.headers_mut();
    headers.insert(REVISION, HeaderValue::from(written.done.revision.0));
    insert(headers, LEADER, &written.led_by.to_string());
    insert(headers, ON_DISK, &format!("{}/{}", written.on_disk, written.voters));
    if written.done.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Around every request: what the answer does not say yet, and the count of it.
pub(crate) async fn around(State(api): State<Shared>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("", MatchedPath::as_str);
    let admission = Admission::of(&request, route);
    let admitted = match params::decode(request.uri().path()) {
        Ok(_) => admission.enter(&api.overload).await,
        Err(failure) => Err(failure),
    };
    let mut response = match admitted {
        Ok(()) => {
            request.extensions_mut().insert(admission.clone());
            let response = next.run(request).await;
            admission.leave();
            response
        }
        Err(failure) => failure.into_response(),
    };
    complete(&api, response.headers_mut());
    api.metrics.count(route, &method, response.status(), begun.elapsed());
    response
}

fn complete(api: &Api, headers: &mut HeaderMap) {
    let status = api.backend().status();
    if !headers.contains_key(REVISION) {
        headers.insert(REVISION, HeaderValue::from(api.backend().revision().0));
    }
    if !headers.contains_key(OLDEST) {
        headers.insert(OLDEST, HeaderValue::from(0_u32));
    }
    match status.id {
        Some(id) => insert(headers, SERVED_BY, &id.to_string()),
        None => insert(headers, SERVED_BY, "none"),
    }
    if !headers.contains_key(LEADER) {
        match status.leader {
            Some(leader) => insert(headers, LEADER, &leader.to_string()),
            None => insert(headers, LEADER, "none"),
        }
    }
    match api.backend().lag_ms() {
        Some(lag_ms) => headers.insert(LAG, HeaderValue::from(lag_ms)),
        None => headers.insert(LAG, HeaderValue::from_static("unknown")),
    };
}
