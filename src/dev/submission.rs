//! One submission of `dev`, told as it goes.

use super::{World, read_back};
use crate::bundle::Bundle;
use crate::client::{Answer, Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::follow::{Change, Follow};
use crate::select::Scope;
use crate::{chain, output, runnable, timeline};
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::Phase;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a terminal shows that time passes.
const TICK_MS: u64 = 100;

/// Submits what a file holds to the replica in slot `asked`, tells what becomes of it, and reads it back from a
/// follower.
///
/// # Errors
/// It was refused, or ended without success.
pub(super) async fn submit(
    world: Arc<World>,
    file: String,
    bundle: Bundle,
    asked: usize,
) -> Result<(), Failure> {
    let path = request::runnables(Some(&bundle.namespace));
    let client = world.client.starting_with(asked);
    let request = Request::send(Method::POST, path, &bundle.document);
    let answer = client.change(request, &format!("tallyman submit {file}")).await?;
    let mut told = Told::new(&world, &client, &answer, &bundle);
    told.all().await?;
    let run = told.run.clone();
    read_back::tell(&world, &run, told.revision, asked).await?;
    match runnable::phase(&run) {
        Some(Phase::Succeeded) => Ok(()),
        phase => Err(Failure::new(
            Exit::Unsuccessful,
            format!(
                "{} ended {}: {}",
                told.heading,
                phase.map_or("", Phase::as_str),
                runnable::message(&run)
            ),
            format!("tallyman history {}", told.heading),
        )),
    }
}

/// What has been told of a run.
struct Told<'a> {
    world: &'a World,
    client: &'a Client,
    run: Value,
    heading: String,
    /// What the answer to the submission said beyond what the ledger says.
    accepted: String,
    begun: Instant,
    /// Steps that were told.
    steps: usize,
    start_ms: u64,
    /// Of the last step.
    revision: u64,
    /// What holds it up, as it was told last.
    trouble: String,
}

impl<'a> Told<'a> {
    fn new(world: &'a World, client: &'a Client, answer: &Answer, bundle: &Bundle) -> Self {
        let run = answer.body.clone();
        let heading = runnable::reference(&run);
        let screen = world.board.screen;
        let digest = runnable::short(text(&run, "/status/digest"));
        let headline = format!("\n{}   {}   {}", screen.bold(&heading), bundle.kinds(), screen.dim(&digest));
        world.board.headline(&heading, &headline);
        let (asked, led) = (answer.header("tallyman-served-by"), answer.header("tallyman-leader"));
        let durable = match answer.header("tallyman-on-disk").split_once('/') {
            Some((on_disk, voters)) => format!("on disk on {on_disk} of {voters}"),
            None => "on disk on a quorum".to_owned(),
        };
        let accepted = format!("{durable}; asked {asked}, led by {led}");
        Self {
            world,
            client,
            run,
            heading,
            accepted,
            begun: Instant::now(),
            steps: 0,
            start_ms: 0,
            revision: 0,
            trouble: String::new(),
        }
    }

    /// Tells all until it has ended.
    async fn all(&mut self) -> Result<(), Failure> {
        let (namespace, name) = self.heading.split_once('/').unwrap_or_default();
        let scope = Scope::Named(vec![(namespace.to_owned(), name.to_owned())]);
        let (mut follow, _) = Follow::start(self.client, scope).await?;
        loop {
            self.tell().await?;
            if runnable::phase(&self.run).is_some_and(Phase::is_terminal) {
                // The records were read before the document: its last steps may have come in between.
                return self.tell().await;
            }
            self.run = match self.changed(&mut follow).await? {
                Some(run) => run,
                None => {
                    return Err(Failure::new(Exit::NotFound, format!("{} was deleted", self.heading), ""));
                }
            };
        }
    }

    /// Tells the steps that are new, from the ledger.
    async fn tell(&mut self) -> Result<(), Failure> {
        let records = chain::of_submission(self.client, &self.heading).await?;
        // The document last, so that it knows all that the records tell.
        let (namespace, name) = self.heading.split_once('/').unwrap_or_default();
        self.run = runnable::read(self.client, namespace, name).await?;
        let steps = timeline::steps(text(&self.run, "/metadata/uid"), &self.run, &records);
        let mut steps: Vec<timeline::Step> = steps.into_iter().filter(|step| step.is_phase).collect();
        if let Some(first) = steps.first_mut() {
            self.start_ms = first.at_ms;
            first.words.clone_from(&self.accepted);
        }
        for step in steps.iter().skip(self.steps) {
            self.world.board.line(Some(&self.heading), &step.line(self.start_ms, self.world.board.screen));
        }
        self.steps = self.steps.max(steps.len());
        self.revision = steps.last().map_or(0, |step| step.revision);
        self.tell_trouble();
        Ok(())
    }

    /// Tells what holds it up, once.
    fn tell_trouble(&mut self) {
        let is_over = runnable::phase(&self.run).is_some_and(Phase::is_terminal);
        let reason = text(&self.run, "/status/reason");
        let trouble = if is_over || reason.is_empty() { String::new() } else { runnable::message(&self.run) };
        if !trouble.is_empty() && trouble != self.trouble {
            let line = format!("           waits: {reason}: {trouble}");
            self.world.board.line(Some(&self.heading), &self.world.board.screen.yellow(&line));
        }
        self.trouble = trouble;
    }

    /// The next state; meanwhile a terminal shows that time passes, and what is waited for.
    async fn changed(&self, follow: &mut Follow) -> Result<Option<Value>, Failure> {
        let mut ticks = interval(Duration::from_millis(TICK_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let changed = follow.next();
        tokio::pin!(changed);
        loop {
            tokio::select! {
                change = &mut changed => return Ok(match change? {
                    Change::Added(run) | Change::Modified(run) => Some(run),
                    Change::Deleted(_) => None,
                    Change::Gap => Some(self.run.clone()),
                }),
                _ = ticks.tick() => {
                    let phase = output::or_dash(text(&self.run, "/status/phase")).to_ascii_lowercase();
                    let seconds = self.begun.elapsed().as_secs_f64();
                    let text = format!("{seconds:>7.1} s  {phase} ... {}", runnable::message(&self.run));
                    self.world.board.transient(text.trim_end());
                }
            }
        }
    }
}
