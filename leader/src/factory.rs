//! Where clients of clusters come from.

use futures::future::BoxFuture;
use std::sync::Arc;
use tallyman_cluster::{Access, ClusterApi, ConnectError, ConnectOptions, KubeApi, Timing, words};
use tallyman_model::record::Cluster;
use thiserror::Error;

/// Makes clients. Asked again when a cluster's record refers to other credentials, and when a client cannot go on with those that it
/// has.
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

/// Clients over sockets, with the credentials that the record refers to.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// What of this machine records may refer to.
    pub access: Access,
    /// Deadlines.
    pub timing: Timing,
}

impl ClusterFactory for Sockets {
    fn connect<'a>(
        &'a self,
        cluster: &'a Cluster,
    ) -> BoxFuture<'a, Result<Arc<dyn ClusterApi>, FactoryError>> {
        Box::pin(async move {
            let options = ConnectOptions {
                credentials: cluster.credentials.clone(),
                access: self.access.clone(),
                timing: self.timing,
            };
            match KubeApi::connect(options).await {
                Ok(api) => Ok(Arc::new(api) as Arc<dyn ClusterApi>),
                Err(error) => Err(FactoryError { message: words(&error), source: Some(error) }),
            }
        })
    }
}
