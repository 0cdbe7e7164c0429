//! The way to a cluster through the replicas of another datacenter.

use futures::future::BoxFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tallyman_cluster::{Dial, Stream};
use tallyman_model::record::Cluster;
use tallyman_model::{Ordinal, ReplicaId};
use tallyman_raft::Group;

/// Connections to one cluster through the replicas of its datacenter.
struct Via {
    group: Group,
    cluster: Ordinal,
    datacenter: String,
    /// The replica that relayed last; 0: none yet.
    last: AtomicU64,
}

/// How a leader connects to a cluster; `None`: by itself, since any replica does, or it is in that datacenter.
pub(crate) fn way(group: &Group, cluster: &Cluster) -> Option<Arc<dyn Dial>> {
    let datacenter = cluster.via.clone();
    (!datacenter.is_empty() && datacenter != group.datacenter()).then(|| {
        let (group, cluster) = (group.clone(), cluster.head.ordinal);
        Arc::new(Via { group, cluster, datacenter, last: AtomicU64::new(0) }) as Arc<dyn Dial>
    })
}

impl Dial for Via {
    fn dial(self: Arc<Self>, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let Self { group, cluster, datacenter, .. } = &*self;
            let (first, server) = (self.relayed_by(), (host.as_str(), port));
            let (replica, stream) = group.connect_via(*cluster, server, datacenter, first).await?;
            self.last.store(replica.0, Ordering::Relaxed);
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn relayed_by(&self) -> Option<ReplicaId> {
        Some(self.last.load(Ordering::Relaxed)).filter(|id| *id > 0).map(ReplicaId)
    }
}
