//! How many listings may be read at one time: a page is large while it is decoded, and a cluster that has just come back
//! is not to be asked for all at once.

use crate::error::{CallError, NotSent};
use crate::limits::{LIST_WAIT_MS, LISTS_MAX, LISTS_OF_CLUSTER_MAX};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits for pages of listings: of one cluster, and of all clusters of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct ListBudget {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

impl Default for ListBudget {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(LISTS_MAX)), own: Arc::new(Semaphore::new(LISTS_OF_CLUSTER_MAX)) }
    }
}

impl ListBudget {
    /// That of another cluster, which shares what is for all.
    #[must_use]
    pub fn of_cluster(&self) -> Self {
        Self { all: Arc::clone(&self.all), ..Self::default() }
    }

    /// Waits for a permit. Those of a cluster that does not answer hold its own permits, and few of all.
    ///
    /// # Errors
    /// None came free in time; nothing was sent.
    pub(crate) async fn permit(&self) -> Result<[OwnedSemaphorePermit; 2], CallError> {
        let both = async {
            let own = Arc::clone(&self.own).acquire_owned().await.ok()?;
            Some([own, Arc::clone(&self.all).acquire_owned().await.ok()?])
        };
        let permits = tokio::time::timeout(Duration::from_millis(LIST_WAIT_MS), both).await;
        permits.ok().flatten().ok_or(CallError::unsent(NotSent::ListsBusy))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_cluster_does_not_take_the_permits_of_the_others_and_nobody_waits_for_ever() {
        let east = ListBudget::default();
        let west = east.of_cluster();
        let mut held = Vec::new();
        for _ in 0..LISTS_OF_CLUSTER_MAX {
            held.push(east.permit().await.unwrap());
        }
        let refused = east.permit().await.unwrap_err();
        assert!(matches!(refused, CallError::NotSent { why: NotSent::ListsBusy, .. }));
        held.push(west.permit().await.unwrap());
        held.clear();
        assert!(east.permit().await.is_ok());
    }
}
