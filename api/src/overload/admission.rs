//! What one request holds while it is answered.

use super::{BODY_SMALL_BYTES, BODY_UNIT_BYTES, Overload, TenantSlot};
use crate::ask;
use crate::server::Spare;
use crate::status::Failure;
use axum::extract::Request;
use axum::http::Method;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedSemaphorePermit;

/// What is counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    /// Answered whatever happens.
    #[default]
    Free,
    Read,
    List,
    Write,
    /// Counted for as long as it is open.
    Watch,
}

impl Class {
    fn of(request: &Request, route: &str) -> Self {
        let counted = ["/apis/tallyman.dev/v1/", "/k8s/"].iter().any(|start| route.starts_with(start));
        if !counted {
            return Class::Free;
        }
        match *request.method() {
            Method::GET | Method::HEAD if is_watch(request) => Class::Watch,
            Method::GET | Method::HEAD if route.ends_with('}') => Class::Read,
            Method::GET | Method::HEAD => Class::List,
            _ => Class::Write,
        }
    }
}

fn is_watch(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let says = |pair: &str| matches!(pair, "watch" | "watch=" | "watch=true" | "watch=1");
    ask::takes_events(request.headers()) || query.split('&').any(says)
}

/// A request that was let in; given back when the answer is there, or earlier. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Admission {
    class: Class,
    /// It came on a connection beyond those that there may be.
    spare: bool,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    slot: Option<OwnedSemaphorePermit>,
    tenant: Option<TenantSlot>,
    body: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Of a request that is not let in yet.
    pub(crate) fn of(request: &Request, route: &str) -> Self {
        let spare = request.extensions().get::<Spare>().is_some();
        Self { class: Class::of(request, route), spare, held: Arc::default() }
    }

    /// Of one write of several in a request.
    pub(crate) fn of_write() -> Self {
        Self { class: Class::Write, ..Self::default() }
    }

    /// Lets the request in, after a while in a queue if need be.
    pub(crate) async fn enter(&self, overload: &Overload) -> Result<(), Failure> {
        if self.spare && self.class != Class::Free {
            return Err(overload.refuse("connection", "full", "all connections to this replica are taken"));
        }
        let gate = match self.class {
            Class::Read => &overload.reads,
            Class::List => &overload.lists,
            // A write is let in when its body is there, a watch when its stream begins.
            Class::Free | Class::Write | Class::Watch => return Ok(()),
        };
        let slot = overload.enter(gate).await?;
        self.held().slot = Some(slot);
        Ok(())
    }

    /// Lets a write in whose body has been read. Twice is once.
    pub(crate) async fn begin_write(&self, overload: &Overload, path: &str) -> Result<(), Failure> {
        if self.class != Class::Write || self.held().slot.is_some() {
            return Ok(());
        }
        let tenant = overload.enter_tenant(tenant(path))?;
        let slot = overload.enter(&overload.writes).await?;
        let mut held = self.held();
        (held.slot, held.tenant) = (Some(slot), Some(tenant));
        Ok(())
    }

    /// Counts the `bytes` that a body has until now.
    pub(crate) fn make_room(&self, overload: &Overload, bytes: usize) -> Result<(), Failure> {
        if bytes <= BODY_SMALL_BYTES {
            return Ok(());
        }
        let mut held = self.held();
        let has = held.body.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(BODY_UNIT_BYTES).saturating_sub(has);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&overload.bodies).try_acquire_many_owned(more) else {
            let max = overload.bounds.bodies_bytes_max;
            return Err(overload.refuse("body", "full", &format!("{max} bytes of large bodies are held")));
        };
        match &mut held.body {
            Some(body) => body.merge(permit),
            None => held.body = Some(permit),
        }
        Ok(())
    }

    /// Others may go on in its place: it is answered, or waits for something that may take long.
    pub(crate) fn leave(&self) {
        *self.held() = Held::default();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The namespace in a path; what has none counts together.
fn tenant(path: &str) -> &str {
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(1);
    parts.next().unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use axum::body::Body;

    fn class(method: &str, uri: &str) -> Class {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        let route = uri.split('?').next().unwrap();
        let route = route.strip_suffix("/a").map_or(route.to_owned(), |rest| format!("{rest}/{{name}}"));
        Class::of(&request, &route)
    }

    #[test]
    fn requests_are_told_apart_by_what_they_cost() {
        let runnables = "/apis/tallyman.dev/v1/namespaces/risk/runnables";
        assert_eq!(class("GET", &format!("{runnables}/a")), Class::Read);
        assert_eq!(class("GET", runnables), Class::List);
        assert_eq!(class("GET", &format!("{runnables}?watch=true&limit=1")), Class::Watch);
        assert_eq!(class("GET", &format!("{runnables}?watch=false")), Class::List);
        assert_eq!(class("POST", runnables), Class::Write);
        for free in ["/livez", "/readyz", "/metrics", "/operator/status", "/apis/tallyman.dev/v1", "/"] {
            assert_eq!(class("GET", free), Class::Free, "{free}");
        }
        assert_eq!(tenant(&format!("{runnables}/a")), "risk");
        assert_eq!(tenant("/apis/tallyman.dev/v1/clusters"), "");
    }
}
