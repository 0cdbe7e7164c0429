//! A cluster, the log, and one watch between them: the machine, what it has pending, and the leader's way to commit it.

use super::books::Books;
use super::server::{Live, Server};
use crate::driver::Batch;
use crate::driver::batch::Pending;
use crate::machine::{Action, Change, Failure, Input, State, Stored, step};
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};
use tallyman_model::Command;
use tallyman_model::command::Observation;
use tallyman_model::record::{Extent, Kind};

pub(super) const RUNS: usize = 5;
/// Objects on a page at first, and in one command.
const PAGE: u32 = 2;
const CHUNK: usize = 2;
const SETTLE_ROUNDS_MAX: u32 = 3_000;

#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    Write {
        run: usize,
        delete: bool,
    },
    /// The server answers what was asked of it, or sends the next event.
    Serve,
    /// It says how far it has come.
    Probe,
    /// It answers with a failure.
    Fail(Failure),
    Bookmark,
    EndWatch,
    Compact,
    /// The log takes the next command.
    Commit,
    RefuseCommit,
    Crash,
    Pass {
        ms: u64,
    },
    /// Its etcd is restored from before something that the watch told the log.
    Restore {
        versions: u64,
    },
}

/// A page that was asked for: the generation of the listing, its version if it is not the first, the run after which
/// it starts.
#[derive(Clone)]
struct Asked {
    listing: u64,
    version: Option<u64>,
    after: Option<usize>,
    limit: usize,
}

/// A batch of which the log has taken some commands.
#[derive(Clone)]
struct Commit {
    commands: VecDeque<Command>,
    listed: Option<BTreeSet<String>>,
    timeline: u32,
    through: u64,
    cursor: Option<String>,
}

#[derive(Clone)]
pub(super) struct World {
    server: Server,
    books: Books,
    machine: State,
    pending: Pending,
    commit: Option<Commit>,
    now_ms: u64,
    tick_ms: Option<u64>,
    list: Option<Asked>,
    /// (number, version reached).
    watch: Option<(u64, u64)>,
    probe: Option<u64>,
    /// How often its etcd was restored, and one: the timeline that the log should come to.
    life: u32,
    /// The newest version of an object that the log has in this life.
    ahead: u64,
    /// The newest version that it has from the watch.
    told: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let books = Books::with(RUNS);
        let server = Server::new((0..RUNS).map(|run| books.body(run)).collect());
        let mut world = Self {
            server,
            books,
            machine: State::new(PAGE, 0),
            pending: Pending::default(),
            commit: None,
            now_ms: 0,
            tick_ms: None,
            list: None,
            watch: None,
            probe: None,
            life: 1,
            ahead: 0,
            told: 0,
        };
        world.crash();
        world
    }

    /// All but log and cluster is lost.
    pub(super) fn crash(&mut self) {
        (self.list, self.watch, self.probe, self.tick_ms) = (None, None, None, None);
        (self.pending, self.commit) = (Pending::default(), None);
        self.machine = State::new(PAGE, self.now_ms);
        let stored = self.books.watch();
        let stored = stored.map(|watch| Stored {
            cursor: watch.cursor,
            reached: watch.reached,
            timeline: watch.timeline,
        });
        self.feed(Input::Start { stored, timeline: self.books.timeline() });
    }

    fn feed(&mut self, input: Input) {
        let (machine, actions) = step(self.machine.clone(), self.now_ms, input);
        self.machine = machine;
        for action in actions {
            match action {
                Action::List { listing, continue_token, limit } => {
                    let token = continue_token.as_deref().and_then(|token| token.split_once('/'));
                    let (version, after) = token.unzip();
                    self.list = Some(Asked {
                        listing,
                        version: version.map(|version| version.parse().unwrap()),
                        after: after.map(|after| after.parse().unwrap()),
                        limit: limit as usize,
                    });
                }
                Action::Watch { watch, from } => {
                    self.watch = Some((watch, from.parse().unwrap()));
                    self.probe = Some(watch);
                }
                Action::CloseWatch => (self.watch, self.probe) = (None, None),
                Action::Emit(emission) => self.pending.add(emission, tokio::time::Instant::now(), true),
                Action::DropPending => self.pending = Pending::default(),
                Action::Rewound { .. } => {}
                Action::Wait { until_ms } => self.tick_ms = Some(until_ms),
            }
        }
    }

    pub(super) fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        match happening {
            // Who looks only after a restored cluster has come past the cursor again cannot see that it was restored.
            Happening::Write { run, delete } if self.books.timeline() == self.life => {
                self.server.write(run, delete)
            }
            Happening::Write { .. } => {}
            Happening::Serve => self.serve(),
            Happening::Probe => {
                if let Some(watch) = self.probe.take() {
                    let resource_version = self.server.version.to_string();
                    self.feed(Input::Probed { watch, resource_version });
                }
            }
            Happening::Fail(failure) => self.fail(failure),
            Happening::Bookmark => self.bookmark(),
            Happening::EndWatch => {
                if let Some((watch, _)) = self.watch.take() {
                    self.feed(Input::WatchEnded { watch });
                }
            }
            Happening::Compact => self.server.compacted = self.server.version,
            Happening::Commit => self.commit()?,
            Happening::RefuseCommit => {
                if self.commit.take().is_some() {
                    self.feed(Input::CommitRefused { wait_ms: 10 });
                }
            }
            Happening::Crash => self.crash(),
            Happening::Pass { ms } => {
                self.now_ms += ms;
                if self.tick_ms.is_some_and(|at| at <= self.now_ms) {
                    self.tick_ms = None;
                    self.feed(Input::Tick);
                }
            }
            Happening::Restore { versions } => self.restore(versions),
        }
        self.check()
    }

    fn serve(&mut self) {
        // The driver keeps a page back until the one before it is being committed.
        if self.pending.first_at().is_none()
            && let Some(asked) = self.list.take()
        {
            return self.serve_page(asked);
        }
        let Some((watch, reached)) = self.watch else { return };
        if reached < self.server.compacted && reached < self.server.version {
            self.watch = None;
            return self.feed(Input::WatchFailed { watch, failure: Failure::Expired });
        }
        let next = self.server.events.iter().find(|(version, ..)| *version > reached).cloned();
        let Some((version, run, deleted)) = next else { return };
        self.watch = Some((watch, version));
        let live = self.server.history[&version].get(&run).cloned();
        let change = match (deleted, live) {
            (Some(thing), _) => self.server.item(run, &thing, version).map(Change::Deleted),
            (None, Some(thing)) => self.server.item(run, &thing, version).map(Change::Seen),
            (None, None) => None,
        };
        if let Some(change) = change {
            self.feed(Input::Event { watch, change });
        }
    }

    fn serve_page(&mut self, asked: Asked) {
        let listing = asked.listing;
        let version = asked.version.unwrap_or(self.server.version);
        if version < self.server.compacted || version > self.server.version {
            return self.feed(Input::ListFailed { listing, failure: Failure::Expired });
        }
        let (runs, more) = self.server.page(version, asked.after, asked.limit);
        let live = self.server.history[&version].clone();
        let item = |run: &usize| self.server.item(*run, live.get(run)?, self.server.changed(*run, version));
        let items = runs.iter().filter_map(item).collect();
        let continue_token = runs.last().filter(|_| more).map(|last| format!("{version}/{last}"));
        let resource_version = version.to_string();
        self.feed(Input::Page { listing, items, bytes: 0, resource_version, continue_token });
    }

    fn fail(&mut self, failure: Failure) {
        if let Some(Asked { listing, .. }) = self.list.take() {
            self.feed(Input::ListFailed { listing, failure });
        } else if let Some((watch, _)) = self.watch.take() {
            self.feed(Input::WatchFailed { watch, failure });
        }
    }

    fn bookmark(&mut self) {
        let Some((watch, reached)) = self.watch else { return };
        // Bookmarks never pass over events that were not sent.
        let unsent = self.server.events.iter().any(|(version, ..)| *version > reached);
        if !unsent && (self.server.compacted..=self.server.version).contains(&reached) {
            let resource_version = self.server.version.to_string();
            self.feed(Input::Passed { watch, resource_version, bookmark: true });
        }
    }

    fn restore(&mut self, versions: u64) {
        let to = self.told.saturating_sub(versions).max(10);
        // One after the other. What the watch has not told the log may be lost unnoticed.
        if self.books.timeline() != self.life || to >= self.told {
            return;
        }
        self.server.restore(to);
        (self.life, self.ahead, self.told) = (self.life + 1, 0, 0);
        // Its kube-apiserver is started anew.
        self.fail(Failure::Transient);
    }

    /// One command at a time, the cursor with the last: as the leader does it.
    fn commit(&mut self) -> Result<(), TestCaseError> {
        if self.commit.is_none() && self.pending.first_at().is_some() {
            let (batch, through) = self.pending.take(&Extent::everywhere(Kind::Job));
            self.commit = Some(self.begin(batch, through));
            return Ok(());
        }
        let Some(mut commit) = self.commit.take() else { return Ok(()) };
        while self.books.timeline() < commit.timeline {
            self.books.contact(true);
        }
        if let Some(command) = commit.commands.pop_front() {
            if let Command::Observe(observe) = &command
                && observe.timeline == self.life
            {
                let cursor = observe.cursor.as_ref().and_then(|cursor| cursor.parse().ok());
                self.ahead = self.ahead.max(newest(&observe.items));
                self.told = self.told.max(newest(&observe.items)).max(cursor.unwrap_or(0));
            }
            if self.books.apply(command).is_err() {
                self.feed(Input::CommitRefused { wait_ms: 10 });
                return Ok(());
            }
        }
        if !commit.commands.is_empty() {
            self.commit = Some(commit);
            return Ok(());
        }
        if let Some(listed) = &commit.listed {
            self.sweep(commit.timeline, listed);
        }
        self.feed(Input::Committed { through: commit.through, cursor: commit.cursor });
        self.check_exactly()
    }

    fn begin(&self, batch: Batch, through: u64) -> Commit {
        let gone = batch.deleted.into_iter().map(|item| Observation { gone: true, ..item });
        let items: Vec<Observation> = gone.chain(batch.items).collect();
        let chunks = items.len().div_ceil(CHUNK).max(1);
        let mut rest = items.into_iter();
        let commands = (1..=chunks).map(|number| {
            let cursor = batch.cursor.clone().filter(|_| number == chunks);
            self.books.observe(batch.timeline, cursor, rest.by_ref().take(CHUNK).collect())
        });
        let commands = commands.collect();
        let listed = batch.listed.map(|keys| keys.into_iter().map(|key| key.uid).collect());
        Commit { commands, listed, timeline: batch.timeline, through, cursor: batch.cursor }
    }

    /// What a complete listing does not name is gone, and what has taken its place is there. The leader reads it by name
    /// before it says so.
    fn sweep(&mut self, timeline: u32, listed: &BTreeSet<String>) {
        let live = self.books.live().into_iter();
        let missing: Live = live.filter(|(_, (uid, _))| !listed.contains(uid)).collect();
        if !missing.is_empty() {
            // What it reads may be newer than the listing.
            self.ahead = self.server.version;
        }
        let item = |(run, thing)| self.server.item(run, &thing, self.server.version);
        let runs: Vec<usize> = missing.keys().copied().collect();
        let gone = missing.into_iter().filter_map(item).map(|item| Observation { gone: true, ..item });
        let command = self.books.observe(timeline, None, gone.collect());
        let _ = self.books.apply(command);
        let server = &self.server;
        let item =
            |run: usize| server.item(run, server.now().get(&run)?, server.changed(run, server.version));
        let command = self.books.observe(timeline, None, runs.into_iter().filter_map(item).collect());
        let _ = self.books.apply(command);
    }

    /// Each object in the log is as it was at some version not older than the cursor.
    fn check(&self) -> Result<(), TestCaseError> {
        let Some(cursor) = self.books.cursor() else { return Ok(()) };
        if self.books.timeline() != self.life {
            return Ok(());
        }
        prop_assert!(self.server.history.contains_key(&cursor), "cursor {cursor} was never a version");
        let live = self.books.live();
        for run in 0..RUNS {
            let ours = live.get(&run);
            let fits = self.server.history.range(cursor..).any(|(_, live)| live.get(&run) == ours);
            prop_assert!(fits, "run {run} is {ours:?} in the log, which it was not at {cursor} or later");
        }
        Ok(())
    }

    /// When the log has a whole batch, and nothing of a later one, it has the set as it was at the cursor.
    fn check_exactly(&self) -> Result<(), TestCaseError> {
        if let Some(cursor) = self.books.cursor()
            && self.books.timeline() == self.life
            && self.ahead <= cursor
        {
            let then: Option<&Live> = self.server.history.get(&cursor);
            prop_assert_eq!(Some(&self.books.live()), then, "at {}", cursor);
        }
        Ok(())
    }

    /// Without further faults the log comes to hold what the server holds.
    pub(super) fn settle(mut self) -> Result<(), TestCaseError> {
        for _ in 0..SETTLE_ROUNDS_MAX {
            for happening in
                [Happening::Probe, Happening::Serve, Happening::Commit, Happening::Pass { ms: 1_000 }]
            {
                self.happen(happening)?;
            }
            if self.is_quiet() {
                break;
            }
        }
        prop_assert_eq!(self.books.timeline(), self.life);
        prop_assert_eq!(&self.books.live(), self.server.now());
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        let told = |(_, reached): (u64, u64)| self.server.events.iter().all(|(at, ..)| *at <= reached);
        self.watch.is_some_and(told)
            && (self.probe.is_none() && self.commit.is_none() && self.pending.first_at().is_none())
    }
}

fn newest(items: &[Observation]) -> u64 {
    items.iter().filter_map(|item| item.resource_version.parse().ok()).max().unwrap_or(0)
}
