//! What a scenario acts on: the group, the load, and whoever watches.

use super::book::Away;
use super::group::{Group, status};
use super::lease::Lease;
use super::load::Load;
use super::report::Replica;
use crate::client::{Client, text};
use crate::dev::control::Fault;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use futures::future::join_all;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long the group is given to do what a scenario waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a person is given to do what only a person can.
const PERSON: Duration = Duration::from_secs(600);

/// A leader, and since which term.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) replica: Replica,
    pub(super) term: u64,
}

/// Where a scenario acts.
pub(super) struct Stage<'a> {
    pub(super) client: &'a Client,
    pub(super) group: &'a Group,
    pub(super) load: &'a Load,
    /// What is broken is healed after this at the latest, where `dev` can.
    pub(super) heal_after: Duration,
    /// It stays broken for so much longer than the scenario needs.
    pub(super) hold: Duration,
    pub(super) findings: Mutex<Findings>,
}

/// What a scenario finds itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Findings {
    /// When the first fault began, in ms; what was before does not count.
    pub(super) since_ms: Option<u64>,
    /// Runs that are not on their cluster exactly once.
    pub(super) astray: Option<u64>,
    /// Acknowledged submissions that a restored group lacks though it has later ones.
    pub(super) not_prefix: Option<u64>,
    /// How long restoring it took.
    pub(super) restored_ms: Option<u64>,
}

impl Stage<'_> {
    /// Tells what was done or seen, and notes it.
    pub(super) fn say(&self, text: &str) {
        self.load.note(text);
        let seconds = self.load.now_ms() / 100;
        let screen = Screen::stdout();
        let cleared = if screen.is_terminal { "\r\x1b[2K" } else { "" };
        screen.line(&format!("{cleared}{:4}.{} s  {text}", seconds / 10, seconds % 10));
    }

    /// From now on the group is put to the test.
    pub(super) fn begin(&self) {
        self.findings().since_ms.get_or_insert(self.load.now_ms());
    }

    /// What was found so far.
    pub(super) fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `dev` break something, for as long as the lease lives.
    ///
    /// # Errors
    /// It refused, or this is no `dev`.
    pub(super) async fn lease(&self, fault: Fault) -> Result<Lease, Failure> {
        let Some(control) = &self.group.control else {
            return Err(Failure::new(
                Exit::Failed,
                "this needs a `tallyman dev` on this machine",
                "tallyman drill list",
            ));
        };
        self.begin();
        let from_ms = self.load.now_ms();
        if let Fault::Kill { replicas } | Fault::Stop { replicas } | Fault::Freeze { replicas } = &fault {
            let away = replicas.iter().map(|id| Away { replica: id.clone(), from_ms, to_ms: None });
            self.load.book().away.extend(away);
        }
        Lease::take(control, fault, self.heal_after).await
    }

    /// Leaves it broken for as long as whoever runs the drill wants, and then has it healed.
    ///
    /// # Errors
    /// `dev` is gone.
    pub(super) async fn heal(&self, lease: Lease) -> Result<(), Failure> {
        sleep(self.hold).await;
        let why = lease.heal().await?;
        let now_ms = self.load.now_ms();
        self.load.book().away.iter_mut().for_each(|away| away.to_ms = away.to_ms.or(Some(now_ms)));
        self.say(&format!("healed: {why}"));
        Ok(())
    }

    /// Asks whoever runs the drill to do what only a person can do to a deployment.
    pub(super) fn ask_person(&self, what: &str) {
        self.begin();
        self.say(&format!("now do this: {what}"));
    }

    /// How long to wait for what comes of a fault.
    pub(super) fn patience(&self) -> Duration {
        if self.group.control.is_some() { PATIENCE } else { PERSON }
    }

    /// What each replica says of itself.
    pub(super) async fn statuses(&self) -> Vec<Option<Value>> {
        join_all(self.group.replicas.iter().map(|replica| status(self.client, &replica.url))).await
    }

    /// Waits for a leader in a term after `term`, which says so itself.
    ///
    /// # Errors
    /// There was none for too long.
    pub(super) async fn leader_after(&self, term: u64) -> Result<Leader, Failure> {
        self.until("somebody leads", async || {
            let statuses = self.statuses().await;
            let leads = |status: &Value| text(status, "/role") == "leader";
            let of = |status: &Value| status.pointer("/term").and_then(Value::as_u64).unwrap_or_default();
            let replicas = self.group.replicas.iter().zip(&statuses);
            let leading = replicas.filter_map(|(replica, status)| Some((replica, status.as_ref()?)));
            let leading = leading.filter(|(_, status)| leads(status) && of(status) > term);
            let newest = leading.max_by_key(|(_, status)| of(status))?;
            Some(Leader { replica: newest.0.clone(), term: of(newest.1) })
        })
        .await
    }

    /// Waits until so many writes are acknowledged from now on.
    ///
    /// # Errors
    /// They were not for too long.
    pub(super) async fn progress(&self, count: usize) -> Result<(), Failure> {
        let before = self.load.book().acked.len();
        let done = async || (self.load.book().acked.len() >= before + count).then_some(());
        self.until("writes are acknowledged", done).await
    }

    /// Waits until all replicas are ready; how long that took, in ms.
    ///
    /// # Errors
    /// They were not for too long.
    pub(super) async fn all_ready(&self) -> Result<u64, Failure> {
        let begun = Instant::now();
        self.until("all replicas are ready", async || {
            let ask = async |replica: &Replica| {
                let ready = crate::client::Request::get("/readyz");
                let answer = self.client.at(&replica.url).once(&ready, Duration::from_secs(2)).await;
                answer.is_some_and(|answer| answer.status == 200)
            };
            let all = join_all(self.group.replicas.iter().map(ask)).await;
            all.into_iter().all(|ready| ready).then_some(())
        })
        .await?;
        Ok(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Waits until `condition` gives something.
    ///
    /// # Errors
    /// It did not for too long.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        condition: impl AsyncFn() -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.patience();
        loop {
            if let Some(found) = condition().await {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let seconds = self.patience().as_secs();
                let said = self.load.book().last_words.clone();
                let message =
                    format!("waited {seconds} s in vain until {what}; what was answered last: {said}");
                return Err(Failure::new(Exit::Failed, message, "tallyman operator status"));
            }
            sleep(LOOK).await;
        }
    }
}
