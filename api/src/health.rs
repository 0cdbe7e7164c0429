//! Health, metrics, and the page at `/`.

use crate::api::{Shared, waiting};
use crate::metrics::CONTENT_TYPE as METRICS_TYPE;
use crate::status::Failure;
use crate::view;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tallyman_model::query;
use tallyman_raft::Role;

const TEXT: &str = "text/plain; charset=utf-8";

const ROOT: &str = "\
Tallyman takes work for many Kubernetes clusters, gets it there exactly once, and keeps the books.

/apis/tallyman.dev/v1/runnables                      what was submitted, in all namespaces
/apis/tallyman.dev/v1/namespaces/NAMESPACE/runnables what was submitted in one; POST a Runnable here
/apis/tallyman.dev/v1/clusters                       the workload clusters
/apis/tallyman.dev/v1/auditrecords                   the ledger
/apis/tallyman.dev/v1/replicas                       the replicas of this group
/operator/status                                     this replica, without asking a leader
/operator/members                                    who is of the group, and who may join
/livez  /readyz?verbose  /metrics  /version  /apis

kubectl works with it: kubectl --server=URL get runnables -A
";

/// `/`
pub(crate) async fn root() -> Response {
    ([(CONTENT_TYPE, TEXT)], ROOT).into_response()
}

/// `/livez`: the process answers. It never looks at the quorum: an outage must not restart every replica.
pub(crate) async fn livez() -> Response {
    ([(CONTENT_TYPE, TEXT)], "ok").into_response()
}

/// `/readyz`: whether requests should come here.
pub(crate) async fn readyz(State(api): State<Shared>, request: Request) -> Response {
    let status = api.backend().status();
    let lag_ms_max = api.options.ready_lag_ms_max;
    let leads = status.role == Role::Leader;
    let lag = match api.backend().lag_ms() {
        _ if leads => Ok(()),
        Some(lag_ms) if lag_ms <= lag_ms_max => Ok(()),
        Some(lag_ms) => Err(format!("{lag_ms} ms behind, more than {lag_ms_max}")),
        None => Err("never knew that it had everything".to_owned()),
    };
    let leader = match status.leader {
        None => Err("no leader is known".to_owned()),
        Some(leader) if !api.backend().has_quorum() => {
            Err(format!("the leader, {leader}, does not reach a quorum"))
        }
        Some(_) => Ok(()),
    };
    let checks = [
        ("running", status.fatal.clone().map_or(Ok(()), Err)),
        (
            "member",
            match &status.waiting_for {
                _ if status.id.is_none() || status.role == Role::Blank => Err(waiting(&status)),
                // Whoever restarts replicas one by one must wait until this one votes again.
                Some(wanted) => Err(format!("waits for {wanted}")),
                None => Ok(()),
            },
        ),
        ("leader", leader),
        ("lag", lag),
        ("serving", if *api.options.drain.borrow() { Err("is stopping".to_owned()) } else { Ok(()) }),
    ];
    let ready = checks.iter().all(|(_, check)| check.is_ok());
    let verbose =
        request.uri().query().is_some_and(|query| query.split('&').any(|one| one.starts_with("verbose")));
    let mut text = String::new();
    let meta = view::with(api.backend(), None, |view, _| query::meta(view)).unwrap_or_default();
    if let Some(pause) = meta.paused.as_ref().filter(|_| verbose || !ready) {
        text.push_str(&format!("[+]sending paused: {}\n", pause.words("the group")));
    }
    if let Some(lineage) = meta.unconfirmed()
        && (verbose || !ready)
    {
        let origin = lineage.origin;
        text.push_str(&format!(
            "[+]sending paused: the group is {origin}, and nothing is sent to any cluster before `tallyman operator confirm`\n"
        ));
    }
    if status.disk.is_pressed && (verbose || !ready) {
        let mib = status.disk.available_bytes / (1024 * 1024);
        text.push_str(&format!("[+]disk pressed: {mib} MiB are left; free space before the disk is full\n"));
    }
    if verbose || !ready {
        for (name, check) in &checks {
            match check {
                Ok(()) => text.push_str(&format!("[+]{name} ok\n")),
                Err(why) => text.push_str(&format!("[-]{name} failed: {why}\n")),
            }
        }
    }
    text.push_str(if ready { "ok" } else { "not ready" });
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(CONTENT_TYPE, TEXT)], text).into_response()
}

/// `/metrics`
pub(crate) async fn metrics(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    api.options.identity.of(request.headers())?;
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], api.metrics.text(&api)).into_response())
}
