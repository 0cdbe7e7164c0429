//! Where clients of clusters come from.

use crate::via;
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use tallyman_cluster::{
    Access, ClusterApi, ConnectError, ConnectOptions, Dial, KubeApi, Timing, address, words,
};
use tallyman_model::record::Cluster;
use tallyman_model::rule::Rules;
use tallyman_raft::{Group, Servers};
use thiserror::Error;
use tokio::sync::watch;

/// Makes clients. Asked again when a cluster's record refers to other credentials, and when a client cannot go on with those that it
/// has.
pub trait ClusterFactory: Send + Sync + 'static {
    /// A client with the credentials of the record, which reads what the cluster says by the `rules` of users as they
    /// are at that moment. Sends nothing yet.
    ///
    /// # Errors
    /// [`FactoryError`] when the credentials cannot be used. Nothing was sent.
    fn connect<'a>(
        &'a self,
        cluster: &'a Cluster,
        rules: watch::Receiver<Arc<Rules>>,
    ) -> BoxFuture<'a, Result<Arc<dyn ClusterApi>, FactoryError>>;

    /// The provider of credentials to use where those of these `names` would do; `None`: none of them is known here.
    ///
    /// # Errors
    /// [`FactoryError`] when it cannot be told which are known.
    fn provider_of<'a>(&'a self, names: &'a [&'a str])
    -> BoxFuture<'a, Result<Option<String>, FactoryError>>;
}

/// The credentials of a cluster cannot be used.
#[derive(Debug, Error)]
#[error("failed to use the credentials: {message}")]
pub struct FactoryError {
    /// What is wrong, in words, without secrets.
    pub message: String,
    /// What was found.
    #[source]
    pub source: Option<ConnectError>,
}

/// Clients over sockets, with the credentials that the record refers to.
#[derive(Clone, Default)]
pub struct Sockets {
    /// What of this machine records may refer to.
    pub access: Access,
    /// Deadlines.
    pub timing: Timing,
    /// Whose replicas relay to clusters that are reached through their datacenters; `None`: every cluster is connected
    /// to from here.
    pub group: Option<Group>,
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl Sockets {
    async fn open(
        &self,
        cluster: &Cluster,
        dial: Option<Arc<dyn Dial>>,
        rules: watch::Receiver<Arc<Rules>>,
    ) -> Result<KubeApi, ConnectError> {
        KubeApi::connect(ConnectOptions {
            credentials: cluster.credentials.clone(),
            access: self.access.clone(),
            timing: self.timing,
            dial,
            rules,
        })
        .await
    }
}

impl Servers for Sockets {
    fn server<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<(String, u16), String>> {
        Box::pin(async move {
            if let Some(server) = &cluster.credentials.server {
                return address(&server.url).ok_or_else(|| "its server is no URL".to_owned());
            }
            let (_, rules) = watch::channel(Arc::default());
            let api = self.open(cluster, None, rules).await.map_err(|error| words(&error))?;
            Ok(api.address().clone())
        })
    }
}

impl ClusterFactory for Sockets {
    fn connect<'a>(
        &'a self,
        cluster: &'a Cluster,
        rules: watch::Receiver<Arc<Rules>>,
    ) -> BoxFuture<'a, Result<Arc<dyn ClusterApi>, FactoryError>> {
        Box::pin(async move {
            let dial = self.group.as_ref().and_then(|group| via::way(group, cluster));
            match self.open(cluster, dial, rules).await {
                Ok(api) => Ok(Arc::new(api) as Arc<dyn ClusterApi>),
                Err(error) => Err(FactoryError { message: words(&error), source: Some(error) }),
            }
        })
    }

    fn provider_of<'a>(
        &'a self,
        names: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<String>, FactoryError>> {
        Box::pin(async move {
            let unknown = |message: String| FactoryError { message, source: None };
            let Some(plugins) = &self.access.plugins else {
                let message = "the server's configuration names no provider file as cluster_provider_file";
                return Err(unknown(message.to_owned()));
            };
            plugins.first_of(names).await.map_err(|error| unknown(words(&error)))
        })
    }
}
