//! The controllers of a cluster: Jobs, Workflows, workloads, Pods, garbage, namespaces, definitions. They look at what
//! changed, and at what is due.

pub(crate) mod definition;
mod garbage;
mod job;
mod job_status;
mod namespace;
mod plan;
mod pod;
mod timers;
mod trouble;
mod workflow;
mod workload;

pub use plan::{OUTCOME, POD_REASON, RUN_FOR, START_AFTER};

use crate::argo;
use crate::cluster::Shared;
use crate::kind::Kind;
use crate::refusal::Refusal;
use crate::state::State;
use plan::Clocks;
use std::sync::Arc;
use std::time::Duration;
use timers::Timers;
use tokio::time::Instant;

/// How many objects are looked at before requests get their turn.
const OBJECTS_PER_TURN_MAX: usize = 64;
/// When an object is looked at again whose change could not be kept.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Runs until the cluster is stopped.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut timers = Timers::default();
    let mut clocks = Clocks::default();
    loop {
        tokio::select! {
            biased;
            () = shared.closed() => return,
            () = async {} => {}
        }
        let mut places = shared.store.lock().take_dirty(OBJECTS_PER_TURN_MAX);
        places.extend(timers.due(Instant::now(), OBJECTS_PER_TURN_MAX));
        if places.is_empty() {
            tokio::select! {
                () = shared.closed() => return,
                () = shared.store.work() => {}
                () = timers.wait() => {}
            }
            continue;
        }
        for (kind, key) in places {
            let next = look_at(&mut shared.store.lock(), &mut clocks, &kind, &key);
            let next = next.unwrap_or_else(|refusal| {
                tracing::warn!(kind = kind.name(), key, error = refusal.message, "failed to keep a change");
                Some(Instant::now() + RETRY_DELAY)
            });
            timers.set((kind, key), next);
        }
        tokio::task::yield_now().await;
    }
}

/// Does what is to be done about one object; answers when to look at it again if nothing happens.
fn look_at(
    state: &mut State,
    clocks: &mut Clocks,
    kind: &Kind,
    key: &str,
) -> Result<Option<Instant>, Refusal> {
    garbage::look_at(state, kind, key)?;
    match kind {
        Kind::Namespace => namespace::look_at(state, key).map(|()| None),
        Kind::Job => job::look_at(state, key),
        Kind::Pod => pod::look_at(state, clocks, key),
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => workload::look_at(state, clocks, kind, key),
        Kind::CustomResourceDefinition => definition::look_at(state, key).map(|()| None),
        Kind::Custom(custom) if custom.group == argo::GROUP && custom.plural == argo::WORKFLOWS => {
            workflow::look_at(state, kind, key)
        }
        Kind::ConfigMap | Kind::Event | Kind::Custom(_) => Ok(None),
    }
}
