//! Opens watches.

use super::list::number;
use crate::body::Body;
use crate::cluster::Shared;
use crate::query::Query;
use crate::refusal::{Cause, Refusal};
use crate::request::{Call, Resource};
use crate::selector::Selector;
use crate::watching::{Opening, stream};
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a watch lasts that names no time.
const TIMEOUT_S_DEFAULT: u64 = 3600;

/// A version that is too old is told inside of the stream, one that is not reached yet is waited for in silence:
/// both as a real server does it.
///
/// # Errors
/// 400, 422 (parameters that do not go together), 504 (initial objects from a version that is not reached yet).
pub(crate) fn watch(
    shared: &Arc<Shared>,
    call: &Call,
    resource: &Resource,
) -> Result<Response<Body>, Refusal> {
    let query = &call.query;
    check_options(query)?;
    let selector = Selector::read(&resource.kind, query)?;
    let version = number(query, "resourceVersion")?.unwrap_or_default();
    let timeout_s = number(query, "timeoutSeconds")?.filter(|timeout_s| *timeout_s > 0);
    let wants_initial = query.is_set("sendInitialEvents");
    let is_explicit = query.has("sendInitialEvents");
    let prefix = resource.prefix();
    let mut opening = Opening {
        kind: resource.kind.clone(),
        api_version: resource.api_version(),
        form: call.form,
        changes: shared.store.lock().changes(&resource.kind),
        prefix,
        selector,
        version,
        initial: VecDeque::new(),
        marks_initial_end: wants_initial && query.is_set("allowWatchBookmarks"),
        has_bookmarks: query.is_set("allowWatchBookmarks"),
        timeout: Duration::from_secs(timeout_s.unwrap_or(TIMEOUT_S_DEFAULT)),
    };
    if wants_initial || (version == 0 && !is_explicit) {
        let state = shared.store.lock();
        if version > state.version() {
            return Err(Refusal::version_too_large(version, state.version()));
        }
        let all = state.with_prefix(&resource.kind, &opening.prefix);
        opening.version = state.version();
        drop(state);
        opening.initial = all.into_iter().filter(|object| opening.selector.matches(object)).collect();
    } else if version == 0 {
        opening.version = shared.store.lock().version();
    }
    let mut response = Response::new(stream(Arc::clone(shared), opening));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn check_options(query: &Query) -> Result<(), Refusal> {
    let wanted = query.get("resourceVersionMatch");
    let mut causes = Vec::new();
    if query.has("sendInitialEvents") && wanted != "NotOlderThan" {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if !wanted.is_empty() && !query.has("sendInitialEvents") {
        let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if !matches!(wanted, "" | "NotOlderThan") {
        causes.push(Cause::unsupported("resourceVersionMatch", wanted, r#""NotOlderThan""#));
    }
    if causes.is_empty() { Ok(()) } else { Err(Refusal::invalid_options(&causes)) }
}
