//! What all requests of one replica share.

use crate::backend::Backend;
use crate::body::BodyTimes;
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::overload::{Bounds, Overload};
use crate::status::Failure;
use crate::watch::Windows;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::{Env, Revision};
use tallyman_raft::{Role, Status};
use tokio::sync::watch;

/// How the API of one replica is set up.
pub struct ApiOptions {
    /// The replica behind it.
    pub backend: Arc<dyn Backend>,
    /// Wall time and entropy.
    pub env: Arc<dyn Env>,
    /// How clients say who they are.
    pub identity: Identity,
    /// True once the server is to stop: streams then end.
    pub drain: watch::Receiver<bool>,
    /// How long a body may take.
    pub body_times: BodyTimes,
    /// How often a watch says how far it is.
    pub bookmark_every: Duration,
    /// How often a silent stream of server-sent events says that it is still there.
    pub heartbeat_every: Duration,
    /// How much is under way at a time; what is more is refused.
    pub bounds: Bounds,
    /// `/readyz` is not ready with a lag above this.
    pub ready_lag_ms_max: u64,
    /// The group's name, for operators.
    pub group: String,
    /// Where the `tallyman dev` that runs this replica takes what drills do; `None`: it is no replica of one.
    pub dev_control: Option<String>,
}

impl ApiOptions {
    /// The usual figures.
    #[must_use]
    pub fn new(
        backend: Arc<dyn Backend>,
        env: Arc<dyn Env>,
        identity: Identity,
        drain: watch::Receiver<bool>,
    ) -> Self {
        Self {
            backend,
            env,
            identity,
            drain,
            body_times: BodyTimes::default(),
            bookmark_every: Duration::from_secs(10),
            heartbeat_every: Duration::from_secs(15),
            bounds: Bounds::default(),
            ready_lag_ms_max: 5_000,
            group: String::new(),
            dev_control: None,
        }
    }
}

/// The options, and what is counted.
pub(crate) struct Api {
    pub(crate) options: ApiOptions,
    pub(crate) metrics: Metrics,
    pub(crate) overload: Overload,
    pub(crate) windows: Windows,
}

pub(crate) type Shared = Arc<Api>;

impl Api {
    pub(crate) fn new(options: ApiOptions) -> Self {
        let metrics = Metrics::new();
        let overload = Overload::new(options.bounds, metrics.refused.clone());
        Self { options, metrics, overload, windows: Windows::default() }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.options.backend.as_ref()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.options.env.now_ms()
    }

    /// Ready as soon as the server is to stop.
    pub(crate) async fn stopping(&self) {
        if self.options.drain.clone().wait_for(|draining| *draining).await.is_err() {
            // Whoever could have asked for it is gone.
            std::future::pending::<()>().await;
        }
    }

    /// Nothing is answered from a replica that belongs to no group yet, or has stopped for good.
    pub(crate) fn gate(&self) -> Result<(), Failure> {
        let status = self.backend().status();
        if let Some(fatal) = &status.fatal {
            return Err(Failure::unavailable(
                format!("this replica has stopped: {fatal}; ask another one"),
                30,
            ));
        }
        if status.id.is_none() || status.role == Role::Blank || self.backend().revision() == Revision(0) {
            return Err(Failure::unavailable(format!("not open yet: {}", waiting(&status)), 2));
        }
        Ok(())
    }
}

/// What a replica that is not open waits for.
pub(crate) fn waiting(status: &Status) -> String {
    let words = "this replica is blank: it waits for `tallyman operator init` or for its group";
    status.waiting_for.clone().unwrap_or_else(|| words.to_owned())
}
