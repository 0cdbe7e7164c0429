//! [`ClusterApi`] over a socket, with kube's reading of credentials and our own requests.
//!
//! Nothing is repeated here, nothing is taken from the environment, and no body reaches a log.

mod apply;
mod client;
mod connect;
mod dial;
mod exchange;
mod form;
mod hold;
mod import;
mod kubeconfig;
mod link;
mod list;
mod objects;
mod path;
mod pods;
mod retry_after;
mod served;
mod source;
mod watch;
mod write;

pub use connect::{ConnectError, ConnectOptions, Origin, Timing};
pub use dial::{Dial, Stream, address};
pub use import::{Imported, Inline, import};

use crate::api::{Apply, Call, ClusterApi, Deleted, Identity, Look, Objects, Page, WatchStream};
use link::{Keeper, Line};
use serde_json::Value;
use std::sync::Arc;
use tallyman_model::ReplicaId;
use tallyman_model::command::Observation;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::rule::Rules;
use tallyman_model::rule::event::Warning;
use tallyman_model::rule::pod::Examined;
use tallyman_model::rule::workload::Admission;

/// A cluster behind credentials, which are read again when they change.
///
/// Watches and reads of lists have connections of their own, so that a burst of events cannot stall a write.
#[derive(Clone, Debug)]
pub struct KubeApi {
    watch: Line,
    write: Line,
    timing: Timing,
    server: String,
    address: (String, u16),
    dial: Option<dial::Dialler>,
    served: Arc<served::Catalog>,
    _keeper: Arc<Keeper>,
    rules: tokio::sync::watch::Receiver<Arc<Rules>>,
}

impl KubeApi {
    /// Reads credentials and prepares connections; sends nothing.
    ///
    /// # Errors
    /// [`ConnectError`] names the file or field that cannot be used. Nothing was sent.
    pub async fn connect(options: ConnectOptions) -> Result<Self, ConnectError> {
        connect::connect(options).await
    }

    /// Reads from when anybody may release our hold on the object of this UID, in ms since 1970; `None` if it is gone
    /// or does not say.
    ///
    /// # Errors
    /// A [`CallError`](crate::CallError); nothing was learnt.
    pub async fn hold_until(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<Option<u64>, crate::CallError> {
        hold::until(self, kind, namespace, name, uid).await
    }

    /// The rules of now.
    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }

    /// The address of the kube-apiserver.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Its host (an IPv6 address in brackets) and port.
    #[must_use]
    pub fn address(&self) -> &(String, u16) {
        &self.address
    }
}

impl ClusterApi for KubeApi {
    fn relayed_by(&self) -> Option<ReplicaId> {
        self.dial.as_ref()?.0.relayed_by()
    }

    fn identity(&self) -> Call<'_, Identity> {
        Box::pin(list::identity(self))
    }

    fn plural<'a>(&'a self, kind: &'a Kind) -> Call<'a, String> {
        Box::pin(async move { Ok(served::place(self, kind).await?.plural.into_owned()) })
    }

    fn list<'a>(
        &'a self,
        extent: &'a Extent,
        selector: &'a str,
        continue_token: Option<&'a str>,
        limit: u32,
    ) -> Call<'a, Page> {
        Box::pin(list::page(self, extent, selector, continue_token, limit))
    }

    fn newest<'a>(&'a self, extent: &'a Extent) -> Call<'a, String> {
        Box::pin(list::newest(self, extent))
    }

    fn objects<'a>(&'a self, kind: &'a Kind, namespaces: &'a [String]) -> Call<'a, Objects> {
        Box::pin(objects::objects(self, kind, namespaces))
    }

    fn watch<'a>(&'a self, extent: &'a Extent, selector: &'a str, from: &'a str) -> Call<'a, WatchStream> {
        Box::pin(watch::open(self, extent, selector, from))
    }

    fn get<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Observation>> {
        Box::pin(list::get(self, kind, namespace, name))
    }

    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> Call<'a, (Vec<Examined>, bool)> {
        Box::pin(pods::pods(self, namespace, selector))
    }

    fn warnings<'a>(&'a self, namespace: &'a str, uid: &'a str) -> Call<'a, Vec<Warning>> {
        Box::pin(pods::warnings(self, namespace, uid))
    }

    fn admission<'a>(&'a self, namespace: &'a str, uid: &'a str) -> Call<'a, Option<Admission>> {
        Box::pin(pods::admission(self, namespace, uid))
    }

    fn create<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, Observation> {
        Box::pin(write::create(self, kind, namespace, body))
    }

    fn rehearse<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, ()> {
        Box::pin(write::rehearse(self, kind, namespace, body))
    }

    fn delete<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
    ) -> Call<'a, Deleted> {
        Box::pin(write::delete(self, kind, namespace, name, uid))
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
        Box::pin(write::patch(self, kind, namespace, name, uid, resource_version, patch))
    }

    fn look<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Look>> {
        Box::pin(apply::look(self, kind, namespace, name))
    }

    fn apply<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        body: &'a [u8],
        how: Apply,
    ) -> Call<'a, Look> {
        Box::pin(apply::apply(self, kind, namespace, name, body, how))
    }
}
