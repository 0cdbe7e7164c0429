//! A cluster with a limiter, a breaker and a fence before it.

use crate::api::{Apply, Call, ClusterApi, Deleted, Identity, Look, Objects, Page, WatchStream};
use crate::error::{CallError, NotSent};
use crate::{Breaker, Denials, Limiter, ListBudget};
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::Observation;
use tallyman_model::limits::CALL_DEADLINE_MS;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::rule::event::Warning;
use tallyman_model::rule::pod::Examined;
use tallyman_model::rule::workload::Admission;

/// Says whether the leadership that writes are made for still holds. Asked after a write got its slot, right before
/// it is sent.
pub type Fence = Arc<dyn Fn() -> bool + Send + Sync>;

/// Any [`ClusterApi`], so that a dead cluster is not called in vain, an overloaded one is spared, and nothing is
/// written for a leadership that is over.
///
/// What it holds back is [`CallError::NotSent`].
pub struct Guarded {
    inner: Arc<dyn ClusterApi>,
    limiter: Limiter,
    breaker: Breaker,
    denials: Denials,
    lists: ListBudget,
    fence: Fence,
    slot_wait: Duration,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("limiter", &self.limiter)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

impl Guarded {
    /// One for a cluster and a leadership. `limiter` and `breaker` belong to the cluster and outlive leaderships.
    #[must_use]
    pub fn new(inner: Arc<dyn ClusterApi>, limiter: Limiter, breaker: Breaker, fence: Fence) -> Self {
        let slot_wait = Duration::from_millis(CALL_DEADLINE_MS);
        let (denials, lists) = (Denials::default(), ListBudget::default());
        Self { inner, limiter, breaker, denials, lists, fence, slot_wait }
    }

    /// The same, telling `denials` what of the cluster may not be read.
    #[must_use]
    pub fn telling(self, denials: Denials) -> Self {
        Self { denials, ..self }
    }

    /// The same, reading listings within `lists`.
    #[must_use]
    pub fn within(self, lists: ListBudget) -> Self {
        Self { lists, ..self }
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        let pass = self.breaker.enter()?;
        let result = call.await;
        pass.finish(&result);
        result
    }

    /// A read of all of an extent.
    async fn read_extent<T>(
        &self,
        extent: &Extent,
        verb: &'static str,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let result = self.read(call).await;
        self.denials.note(extent, verb, &result);
        result
    }

    /// A read of what is not a kind of ours, in one namespace.
    async fn read_in<T>(
        &self,
        resource: &'static str,
        namespace: &str,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let result = self.read(call).await;
        self.denials.note_others(resource, namespace, &result);
        result
    }

    /// A future does nothing before it is polled, so the fence is asked before the first byte is sent.
    async fn write<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        self.breaker.check()?;
        let slot =
            self.limiter.acquire_within(self.slot_wait).await.ok_or(CallError::unsent(NotSent::Busy))?;
        self.breaker.check()?;
        if !(self.fence)() {
            return Err(CallError::unsent(NotSent::Fenced));
        }
        let result = call.await;
        self.breaker.note_write(&result);
        slot.finish(&result);
        result
    }
}

impl ClusterApi for Guarded {
    fn identity(&self) -> Call<'_, Identity> {
        Box::pin(self.read(self.inner.identity()))
    }

    fn plural<'a>(&'a self, kind: &'a Kind) -> Call<'a, String> {
        Box::pin(self.read(self.inner.plural(kind)))
    }

    fn list<'a>(
        &'a self,
        extent: &'a Extent,
        selector: &'a str,
        continue_token: Option<&'a str>,
        limit: u32,
    ) -> Call<'a, Page> {
        Box::pin(async move {
            let _permits = self.lists.permit().await?;
            self.read_extent(extent, "list", self.inner.list(extent, selector, continue_token, limit)).await
        })
    }

    fn objects<'a>(&'a self, kind: &'a Kind, namespaces: &'a [String]) -> Call<'a, Objects> {
        Box::pin(async move {
            let _permits = self.lists.permit().await?;
            self.read(self.inner.objects(kind, namespaces)).await
        })
    }

    fn newest<'a>(&'a self, extent: &'a Extent) -> Call<'a, String> {
        Box::pin(self.read_extent(extent, "list", self.inner.newest(extent)))
    }

    fn watch<'a>(&'a self, extent: &'a Extent, selector: &'a str, from: &'a str) -> Call<'a, WatchStream> {
        Box::pin(self.read_extent(extent, "watch", self.inner.watch(extent, selector, from)))
    }

    fn get<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Observation>> {
        Box::pin(self.read(self.inner.get(kind, namespace, name)))
    }

    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> Call<'a, (Vec<Examined>, bool)> {
        Box::pin(self.read_in("pods", namespace, self.inner.pods(namespace, selector)))
    }

    fn warnings<'a>(&'a self, namespace: &'a str, uid: &'a str) -> Call<'a, Vec<Warning>> {
        Box::pin(self.read_in("events", namespace, self.inner.warnings(namespace, uid)))
    }

    fn admission<'a>(&'a self, namespace: &'a str, uid: &'a str) -> Call<'a, Option<Admission>> {
        Box::pin(self.read_in("workloads", namespace, self.inner.admission(namespace, uid)))
    }

    fn create<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, Observation> {
        Box::pin(self.write(self.inner.create(kind, namespace, body)))
    }

    fn rehearse<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, ()> {
        Box::pin(self.write(self.inner.rehearse(kind, namespace, body)))
    }

    fn delete<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
    ) -> Call<'a, Deleted> {
        Box::pin(self.write(self.inner.delete(kind, namespace, name, uid)))
    }

    fn patch<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
        resource_version: Option<&'a str>,
        patch: &'a Value,
    ) -> Call<'a, Observation> {
        Box::pin(self.write(self.inner.patch(kind, namespace, name, uid, resource_version, patch)))
    }

    fn look<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Look>> {
        Box::pin(self.read(self.inner.look(kind, namespace, name)))
    }

    fn apply<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        body: &'a [u8],
        how: Apply,
    ) -> Call<'a, Look> {
        Box::pin(self.write(self.inner.apply(kind, namespace, name, body, how)))
    }
}

#[cfg(test)]
mod tests;
