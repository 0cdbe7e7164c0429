//! So many at a time, as many more in a queue, and none of them for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Lets requests of one class in.
pub(super) struct Gate {
    pub(super) class: &'static str,
    pub(super) max: usize,
    slots: Arc<Semaphore>,
    queued: AtomicUsize,
    queue_max: Duration,
}

impl Gate {
    pub(super) fn new(class: &'static str, max: usize, queue_max: Duration) -> Self {
        Self { class, max, slots: Arc::new(Semaphore::new(max)), queued: AtomicUsize::new(0), queue_max }
    }

    /// Waits in the queue if it must; in the order of arrival.
    ///
    /// # Errors
    /// The queue is full, or took too long: which of them.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, &'static str> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(&self.queued, self.max).ok_or("full")?;
        match timeout(self.queue_max, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err("slow"),
        }
    }

    pub(super) fn taken(&self) -> usize {
        self.max.saturating_sub(self.slots.available_permits())
    }
}

/// A place in a queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(queued: &'a AtomicUsize, max: usize) -> Option<Self> {
        let place = Self(queued);
        (queued.fetch_add(1, Relaxed) < max).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_in_a_queue_and_what_does_not_fit_that_does_not() {
        let gate = Arc::new(Gate::new("test", 1, Duration::from_secs(60)));
        let first = gate.enter().await.unwrap();
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter().await }
        });
        tokio::task::yield_now().await;
        assert_eq!(gate.enter().await.unwrap_err(), "full");
        drop(first);
        drop(waiting.await.unwrap().unwrap());
        assert_eq!((gate.taken(), gate.queued.load(Relaxed)), (0, 0));
    }

    #[tokio::test]
    async fn nobody_stays_in_the_queue_for_long() {
        let gate = Gate::new("test", 1, Duration::from_millis(10));
        let first = gate.enter().await.unwrap();
        assert_eq!(gate.enter().await.unwrap_err(), "slow");
        drop(first);
        assert!(gate.enter().await.is_ok());
    }
}
