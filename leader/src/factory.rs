//! Where clients of clusters come from.

use futures::future::BoxFuture;
use std::sync::Arc;
use tallyman_cluster::{ClusterApi, ConnectError, ConnectOptions, KubeApi, Timing, words};
use tallyman_model::record::Cluster;
use thiserror::Error;

/// Makes clients. Asked again when a cluster's credentials change, and when it stays out of reach.
pub trait ClusterFactory: Send + Sync + 'static {
    /// A client with the credentials of the record. Sends nothing yet.
    ///
    /// # Errors
    /// [`FactoryError`] when the credentials cannot be used. Nothing was sent.
    fn connect<'a>(
        &'a self,
        cluster: &'a Cluster,
    ) -> BoxFuture<'a, Result<Arc<dyn ClusterApi>, FactoryError>>;
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

/// Clients over sockets, with the kubeconfig that the record names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kubeconfigs {
    /// Deadlines.
    pub timing: Timing,
}

impl ClusterFactory for Kubeconfigs {
    fn connect<'a>(
        &'a self,
        cluster: &'a Cluster,
    ) -> BoxFuture<'a, Result<Arc<dyn ClusterApi>, FactoryError>> {
        Box::pin(async move {
            let options = ConnectOptions {
                kubeconfig: cluster.credentials.kubeconfig.clone().into(),
                context: cluster.credentials.context.clone(),
                timing: self.timing,
            };
            match KubeApi::connect(options).await {
                Ok(api) => Ok(Arc::new(api) as Arc<dyn ClusterApi>),
                Err(error) => Err(FactoryError { message: words(&error), source: Some(error) }),
            }
        })
    }
}
