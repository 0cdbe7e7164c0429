//! Answers that are not failures, and the headers that every answer has.

use crate::api::{Api, Shared};
use crate::ask::Written;
use crate::noun::Noun;
use crate::overload::Admission;
use crate::params;
use crate::render::Stale;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, WARNING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tallyman_model::Revision;
use tokio::time::Instant;

const REVISION: HeaderName = HeaderName::from_static("tallyman-revision");
const SERVED_BY: HeaderName = HeaderName::from_static("tallyman-served-by");
const LEADER: HeaderName = HeaderName::from_static("tallyman-leader");
const LAG: HeaderName = HeaderName::from_static("tallyman-replica-lag-ms");
const OLDEST: HeaderName = HeaderName::from_static("tallyman-oldest-cluster-ms");
const ON_DISK: HeaderName = HeaderName::from_static("tallyman-on-disk");
/// How many stale clusters are told one by one.
const STALE_TOLD_MAX: usize = 3;
/// A replica that lags more than this says so to people.
const STALE_REPLICA_MS_MAX: u64 = 10_000;
/// Characters of one warning.
const WARNING_CHARS_MAX: usize = 500;
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What was asked to go is not there any more: what was asked for is done. `uid` is that of what went; empty: not known.
pub(crate) fn gone(noun: Noun, name: &str, uid: &str, revision: Revision) -> Response {
    let mut details = json!({"group": "tallyman.dev", "kind": noun.plural(), "name": name});
    if !uid.is_empty() {
        details["uid"] = uid.into();
    }
    let document = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    json(StatusCode::OK, document.to_string().into_bytes(), revision, 0)
}

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
    if revision == Revision(0) {
        return response;
    }
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

/// Says something to people beside the answer: kubectl prints it.
pub(crate) fn warn(headers: &mut HeaderMap, text: &str) {
    let text: String = text.chars().take(WARNING_CHARS_MAX).collect();
    // A quoted string of printable ASCII, as RFC 9110 wants it.
    let quoted = text.replace(|letter: char| !(' '..='~').contains(&letter), "?").replace(['\\', '"'], "'");
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        headers.append(WARNING, value);
    }
}

/// Says which clusters' pictures are older than they should be.
pub(crate) fn warn_of_stale(headers: &mut HeaderMap, stale: &Stale) {
    for words in stale.values().take(STALE_TOLD_MAX) {
        warn(headers, words);
    }
    if let Some(more) = stale.len().checked_sub(STALE_TOLD_MAX).filter(|more| *more > 0) {
        warn(headers, &format!("so are {more} more clusters"));
    }
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
    let lenient = ["fieldValidation=Ignore", "fieldValidation=Warn"]
        .iter()
        .any(|asked| request.uri().query().is_some_and(|query| query.contains(asked)));
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
    if response.status() == StatusCode::UNPROCESSABLE_ENTITY && lenient {
        let words = "unknown fields are refused whatever fieldValidation says (kubectl --validate)";
        warn(response.headers_mut(), words);
    }
    let shows_state = response.status().is_success() && response.headers().contains_key(REVISION);
    complete(&api, response.headers_mut(), shows_state);
    api.metrics.count(route, &method, response.status(), begun.elapsed());
    response
}

fn complete(api: &Api, headers: &mut HeaderMap, shows_state: bool) {
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
    let lag_ms = api.backend().lag_ms();
    if shows_state && let Some(lag_ms) = lag_ms.filter(|lag_ms| *lag_ms > STALE_REPLICA_MS_MAX) {
        warn(headers, &format!("this replica is {} s behind the group", lag_ms / 1_000));
    }
    match lag_ms {
        Some(lag_ms) => headers.insert(LAG, HeaderValue::from(lag_ms)),
        None => headers.insert(LAG, HeaderValue::from_static("unknown")),
    };
}
