//! The stored rows are read again all the time, so that one that was lost or changed is found before it is believed.

use super::inner::Inner;
use crate::Reader;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::Resource;
use tallyman_model::{Key, Ordinal, Tag, View};
use tokio::time::{Instant, sleep, timeout};

/// Rows of one step. Nothing is applied while they are read.
const STEP_ROWS: usize = 128;
/// The shortest pause between two steps.
const PAUSE_MS_MIN: u64 = 1;
/// The pause of the first pass, before it is known how many steps there are.
const PAUSE_MS_FIRST: u64 = 5;
/// How long a replica with damaged rows goes on to say so before its process ends.
const SHOWN: Duration = Duration::from_secs(60);

/// Reads all rows again and again, until the replica stops or one of them is damaged.
pub(crate) async fn scrub(inner: Arc<Inner>) {
    let pass_ms = inner.options.timing.scrub_ms;
    let mut scrub = inner.reader.scrub();
    let (mut begun, mut before, mut steps) = (Instant::now(), None, 0);
    loop {
        let pause_ms =
            before.map_or(PAUSE_MS_FIRST, |before| pause_ms(pass_ms, before, records(&inner.reader)));
        sleep(Duration::from_millis(pause_ms)).await;
        let stepped = tokio::task::spawn_blocking(move || {
            let found = scrub.step(STEP_ROWS);
            (scrub, found)
        });
        // The process ends, or the runtime does.
        let Ok((whole, found)) = stepped.await else { return };
        scrub = whole;
        steps += 1;
        match found {
            Ok(None) => {}
            Ok(Some(hash)) => {
                tracing::debug!(steps, index = hash.index, took = ?begun.elapsed(), "the rows are whole");
                (begun, before, steps) = (Instant::now(), Some(steps), 0);
            }
            Err(damaged) => return inner.retire(&format!("its stored rows are damaged: {damaged}")).await,
        }
    }
}

/// The pause between two steps. A pass has about as many steps as the one before, or more if there are more records by
/// now: what was small at the last pass may have grown since.
fn pause_ms(pass_ms: u64, before: u64, records: u64) -> u64 {
    let steps = before.max(records / STEP_ROWS as u64 + 1);
    (pass_ms / steps).max(PAUSE_MS_MIN)
}

/// How many runnables and receipts there are: all others are few.
fn records(reader: &Reader) -> u64 {
    let count = |view: &dyn View, resource: Resource| {
        let key = |ordinal| Key::lookup(Tag::Resource, resource as u64, Ordinal(ordinal));
        view.count(key(0), key(u64::MAX), usize::MAX).unwrap_or(0) as u64
    };
    reader.now(|view, _| count(view, Resource::Runnable) + count(view, Resource::Receipt))
}

impl Inner {
    /// Out of service at once, with the reason in status, readiness and metrics for a while. It goes on voting and
    /// keeping the log, which is whole. Then the process ends; at its next start the rows are made again from snapshot
    /// and log.
    async fn retire(&self, why: &str) {
        let _ = timeout(SHOWN, self.withdraw(why)).await;
        self.fatal.set(why);
    }

    /// Out of service from now on: it answers nothing. If it leads, now or later because nobody else has all of the
    /// log, it hands over as soon as somebody has.
    pub(super) async fn withdraw(&self, why: &str) -> Infallible {
        self.fatal.say(why);
        self.leadership.send_replace(None);
        if let Some(member) = self.member() {
            self.publish_status(&member.metrics());
        }
        loop {
            self.hand_over().await;
            sleep(self.lease()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pause_ms;

    #[test]
    fn a_pass_takes_its_time_also_when_there_are_many_more_rows_than_at_the_last_one() {
        assert_eq!(pause_ms(25_000, 1, 0), 25_000, "nothing but the counters");
        assert_eq!(pause_ms(25_000, 1, 1_000_000), 3, "filled since");
        assert_eq!(pause_ms(25_000, 10_000, 1_000), 2, "most rows are parts");
        assert_eq!(pause_ms(25_000, 1_000_000, 0), 1);
    }
}
