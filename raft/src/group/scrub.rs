//! The stored rows are read again all the time, so that one that was lost or changed is found before it is believed.

use super::inner::Inner;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
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
    let mut pause_ms = PAUSE_MS_FIRST;
    let (mut begun, mut steps) = (Instant::now(), 0);
    loop {
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
                pause_ms = (pass_ms / steps).max(PAUSE_MS_MIN);
                (begun, steps) = (Instant::now(), 0);
            }
            Err(damaged) => return inner.retire(&format!("its stored rows are damaged: {damaged}")).await,
        }
    }
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
