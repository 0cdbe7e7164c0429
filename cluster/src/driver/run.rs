//! The loop.

use super::batch::Pending;
use super::io::Io;
use super::pace::{Pace, Tide};
use super::{Sink, SinkError, Turns};
use crate::api::ClusterApi;
use crate::limits;
use crate::machine::{Action, Emission, Input, State, Stored, step};
use crate::version::is_position;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::Extent;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// What of the cluster.
    pub extent: Extent,
    /// The label selector; empty: everything.
    pub selector: String,
    /// Objects on one page of a listing.
    pub page_items: u32,
    /// Objects in one batch, at least a page.
    pub batch_items: usize,
    /// How long the first event of a batch waits for others.
    pub batch_linger: Duration,
    /// The beat at which cursors are committed that moved without events: all watches that count from the same moment
    /// do it at the same time, so that what they say can go into one entry.
    pub beat: Duration,
    /// From when beats are counted.
    pub beats_from: Instant,
    /// Counts what all watches of a process are told: to be shared by them.
    pub tide: Tide,
    /// To be shared by all watches of a cluster: those that are denied ask again one after the other.
    pub turns: Turns,
    /// Spreads the delays of watches that fail together.
    pub seed: u64,
}

impl WatchOptions {
    /// The usual sizes, and turns of its own.
    #[must_use]
    pub fn new(extent: Extent, selector: impl Into<String>, seed: u64) -> Self {
        Self {
            extent,
            selector: selector.into(),
            page_items: limits::PAGE_ITEMS_MAX,
            batch_items: limits::BATCH_ITEMS_MAX,
            batch_linger: Duration::from_millis(limits::BATCH_LINGER_MS),
            beat: Duration::from_millis(limits::CURSOR_BEAT_MS),
            beats_from: Instant::now(),
            tide: Tide::default(),
            turns: Turns::default(),
            seed,
        }
    }

    /// The first beat after a moment.
    fn beat_after(&self, at: Instant) -> Instant {
        let passed = at.saturating_duration_since(self.beats_from).as_nanos();
        let beats = passed.checked_div(self.beat.as_nanos()).map_or(0, |beats| beats + 1);
        self.beats_from + self.beat * u32::try_from(beats).unwrap_or(u32::MAX)
    }
}

/// Watches until the sink says [`SinkError::Stopped`] or the future is dropped, whichever comes first.
///
/// `stored` is what the log has of this watch. `timeline` says the cluster's timeline in the log, now and whenever it
/// changes; its sender may go, the watch goes on. Dropping the future at any point is safe: what was not committed is
/// read again from the last committed cursor.
pub async fn run(
    api: Arc<dyn ClusterApi>,
    sink: Arc<dyn Sink>,
    options: WatchOptions,
    stored: Option<Stored>,
    mut timeline: watch::Receiver<u32>,
) {
    let now = *timeline.borrow_and_update();
    let mut driver = Driver {
        io: Io::new(api, &options),
        machine: Some(State::new(options.page_items, options.seed)),
        let_in: options.turns.let_in(),
        started: Instant::now(),
        sink,
        options,
        pending: Pending::default(),
        pace: Pace::default(),
        commit: None,
        tick_at: None,
    };
    driver.feed(Input::Start { stored, timeline: now });
    while let Some(input) = driver.next(&mut timeline).await {
        driver.feed(input);
    }
}

struct Driver {
    io: Io,
    sink: Arc<dyn Sink>,
    options: WatchOptions,
    /// `None` only inside [`Driver::feed`].
    machine: Option<State>,
    started: Instant,
    pending: Pending,
    pace: Pace,
    commit: Option<Commit>,
    tick_at: Option<Instant>,
    /// Another watch of the cluster was let in.
    let_in: watch::Receiver<u64>,
}

struct Commit {
    through: u64,
    cursor: Option<String>,
    answer: BoxFuture<'static, Result<(), SinkError>>,
}

impl Driver {
    fn feed(&mut self, input: Input) {
        let Some(state) = self.machine.take() else { return };
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let before = state.phase();
        let (state, actions) = step(state, now_ms, input);
        if state.phase() != before {
            tracing::debug!(extent = %self.options.extent, from = before, to = state.phase(), "watch");
        }
        self.io.denied |= state.is_denied();
        self.machine = Some(state);
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::List { listing, continue_token, limit } => {
                self.io.start_list(listing, continue_token, limit)
            }
            Action::Watch { watch, from } => self.io.start_watch(watch, from),
            Action::CloseWatch => self.io.close_watch(),
            Action::Emit(emission) => self.add(emission),
            Action::DropPending => self.pending = Pending::default(),
            Action::Rewound { timeline } => {
                tracing::warn!(extent = %self.options.extent, timeline, "the cluster's history went backwards");
            }
            Action::Wait { until_ms } => self.tick_at = Some(self.started + Duration::from_millis(until_ms)),
        }
    }

    /// Events are paced, pages are not.
    fn add(&mut self, emission: Emission) {
        let now = Instant::now();
        let is_event = emission.listed.is_none() && emission.cursor.as_deref().is_some_and(is_position);
        let is_urgent = match emission.changes.as_slice() {
            [change] if is_event => {
                self.options.tide.note(now);
                self.pace.is_urgent(change, now, self.options.tide.linger(now))
            }
            changes => !changes.is_empty(),
        };
        self.pending.add(emission, now, is_urgent);
    }

    /// `None`: it is over.
    async fn next(&mut self, timeline: &mut watch::Receiver<u32>) -> Option<Input> {
        loop {
            self.start_commit();
            let due = self.due_at();
            let is_denied = self.is_denied();
            let takes_pages = self.pending.first_at().is_none();
            let takes_events = self.pending.len() < self.options.batch_items;
            tokio::select! {
                result = answer(&mut self.commit) => {
                    let commit = self.commit.take()?;
                    return after_commit(commit, result);
                }
                Ok(()) = timeline.changed() => {
                    return Some(Input::TimelineChanged { timeline: *timeline.borrow_and_update() });
                }
                () = at(self.tick_at) => {
                    self.tick_at = self.turn_at();
                    if self.tick_at.is_none() {
                        return Some(Input::Tick);
                    }
                }
                Ok(()) = self.let_in.changed(), if is_denied => return Some(Input::LetIn),
                input = self.io.next(takes_pages, takes_events) => return Some(input),
                () = at(due) => {}
            }
        }
    }

    fn is_denied(&self) -> bool {
        self.machine.as_ref().is_some_and(State::is_denied)
    }

    /// When who is denied may ask; `None`: now.
    fn turn_at(&self) -> Option<Instant> {
        if self.is_denied() { self.options.turns.take().err() } else { None }
    }

    fn start_commit(&mut self) {
        if self.commit.is_some() || self.due_at().is_none_or(|due| due > Instant::now()) {
            return;
        }
        let (batch, through) = self.pending.take(&self.options.extent);
        let cursor = batch.cursor.clone();
        let sink = Arc::clone(&self.sink);
        let answer = Box::pin(async move { sink.commit(batch).await });
        self.commit = Some(Commit { through, cursor, answer });
    }

    /// When what is pending is to be committed; `None` if nothing is, or another commit is under way.
    fn due_at(&self) -> Option<Instant> {
        let first_at = self.pending.first_at().filter(|_| self.commit.is_none())?;
        let is_full = self.pending.len() >= self.options.batch_items || self.io.has_arrived();
        Some(match self.pending.urgent_at() {
            _ if is_full => first_at,
            _ if self.pending.is_quiet() => self.options.beat_after(first_at),
            Some(urgent_at) => urgent_at + self.options.batch_linger,
            None => first_at + self.options.batch_linger.max(self.options.tide.linger(Instant::now())),
        })
    }
}

async fn answer(commit: &mut Option<Commit>) -> Result<(), SinkError> {
    match commit {
        Some(commit) => (&mut commit.answer).await,
        None => std::future::pending().await,
    }
}

fn after_commit(commit: Commit, result: Result<(), SinkError>) -> Option<Input> {
    match result {
        Ok(()) => Some(Input::Committed { through: commit.through, cursor: commit.cursor }),
        Err(SinkError::Refused { wait_ms, message }) => {
            tracing::debug!(message, "what a watch said was not committed");
            Some(Input::CommitRefused { wait_ms })
        }
        Err(SinkError::Stopped) => None,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
