//! A drill from its beginning to its report.

use super::book::{self, Book, Measured};
use super::group::Group;
use super::load::Load;
use super::promise::{Promise, judge};
use super::readback;
use super::report::{Head, Report};
use super::scenario::{Bite, Scenario};
use super::stage::{Findings, Stage};
use crate::client::Client;
use crate::env::Machine;
use crate::exit::Failure;
use crate::screen::Screen;
use std::sync::Mutex;
use std::time::Duration;
use tallyman_model::{Env as _, time};
use tokio::time::{MissedTickBehavior, interval};

/// Writes before anything is broken, so that it is known how it usually is.
const WRITES_BEFORE: usize = 100;
/// Writes after all replicas are ready again.
const WRITES_AFTER: usize = 100;
/// How often the meter moves on a terminal.
const METER_MS: u64 = 200;

/// What is run, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drill<'a> {
    pub(crate) client: &'a Client,
    pub(crate) group: &'a Group,
    pub(crate) scenario: Scenario,
    pub(crate) promises: &'a [Promise],
    pub(crate) heal_after: Duration,
    pub(crate) hold: Duration,
    pub(crate) namespace: &'a str,
}

/// What the scenario came to.
struct Acted {
    findings: Findings,
    until_ms: u64,
    did_not_bite: String,
    ready_ms: Option<u64>,
}

impl Drill<'_> {
    /// Runs it. Dropped half-way, it heals what it broke.
    ///
    /// # Errors
    /// The load could not begin. What goes wrong after that is in the report.
    pub(crate) async fn run(&self) -> Result<Report, Failure> {
        let at = time::format(Machine.now_ms());
        let load = Load::start(self.client, &self.group.replicas, self.namespace);
        let acted = tokio::select! {
            acted = self.act(&load) => acted?,
            () = meter(&load) => return Err(Failure::printed(crate::exit::Exit::Failed)),
        };
        let took_ms = load.now_ms();
        let book = load.finish().await;
        let found = readback::read(self.client, &self.group.replicas, self.namespace, &book).await;
        let (lost, twice) = book::compare(&book.acked, &found);
        let gap = acted.findings.since_ms.and_then(|since| book::gap(&book.times(), since, acted.until_ms));
        let measured = Measured {
            bit: acted.did_not_bite.is_empty(),
            write_gap_ms: gap.map(|gap| gap.ms),
            lost,
            twice,
            unseen: book.unseen(),
            staleness_ms: book.staleness_ms(),
            ready_ms: acted.ready_ms,
            astray: acted.findings.astray,
            not_prefix: acted.findings.not_prefix,
            restored_ms: acted.findings.restored_ms,
        };
        self.remove(&book).await;
        let head = Head {
            scenario: self.scenario.name().to_owned(),
            group: self.group.of.clone(),
            at,
            namespace: self.namespace.to_owned(),
            replicas: self.group.replicas.clone(),
        };
        Ok(Report::of(head, &book, took_ms, acted.did_not_bite, judge(self.promises, &measured)))
    }

    /// The scenario, and what is before and after each.
    async fn act(&self, load: &Load) -> Result<Acted, Failure> {
        let (client, group) = (self.client, self.group);
        let (heal_after, hold, findings) = (self.heal_after, self.hold, Mutex::default());
        let stage = Stage { client, group, load, heal_after, hold, findings };
        stage.progress(WRITES_BEFORE).await?;
        stage.say(&format!("writes are acknowledged through {} replicas", group.replicas.len()));
        let acted = async {
            let bite = self.scenario.act(&stage).await?;
            let ready_ms = stage.all_ready().await?;
            stage.say(&format!("all replicas are ready, {ready_ms} ms after"));
            stage.progress(WRITES_AFTER).await?;
            Ok::<_, Failure>((bite, ready_ms))
        };
        // A drill that broke off has found something all the same.
        let (did_not_bite, ready_ms) = match acted.await {
            Ok((Bite::Seen, ready_ms)) => (String::new(), Some(ready_ms)),
            Ok((Bite::NotSeen(why), ready_ms)) => (why, Some(ready_ms)),
            Err(failure) => {
                stage.say(&failure.message);
                (failure.message, None)
            }
        };
        let findings = *stage.findings();
        Ok(Acted { findings, until_ms: load.now_ms(), did_not_bite, ready_ms })
    }

    async fn remove(&self, book: &Book) {
        let namespace = self.namespace;
        let why = match readback::remove(self.client, namespace).await {
            Ok(0) => return,
            Ok(left) => format!("{left} submissions are being removed still"),
            Err(failure) => failure.message,
        };
        let count = book.submitted;
        Screen::stdout().line(&format!("not all of {count} submissions in {namespace} are removed: {why}"));
    }
}

/// On a terminal, shows how long nothing was acknowledged, now and at worst; never ends.
async fn meter(load: &Load) {
    let screen = Screen::stdout();
    let mut ticks = interval(Duration::from_millis(METER_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut longest) = (0, 0);
    loop {
        ticks.tick().await;
        let now_ms = load.now_ms();
        let (count, gap_ms) = {
            let book = load.book();
            let from = book.acked.len().min(seen).saturating_sub(1);
            let fresh = book.acked.get(from..).unwrap_or_default().iter().map(|acked| acked.at_ms);
            longest = book::gaps(fresh).iter().map(|gap| gap.ms).fold(longest, u64::max);
            seen = book.acked.len();
            (seen, now_ms.saturating_sub(book.acked.last().map_or(0, |acked| acked.at_ms)))
        };
        if screen.is_terminal {
            let line = format!(
                "{:4} s  {count} acknowledged   none since {gap_ms} ms   longest {} ms",
                now_ms / 1000,
                longest.max(gap_ms)
            );
            screen.text(&format!("\r\x1b[2K{}", screen.dim(&line)));
        }
    }
}
